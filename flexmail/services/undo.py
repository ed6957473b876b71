"""Undo: put a processed mail back into its folder, or judge its kept copy once more.

Both lead through the same door as every other mail: what was decided stays decided. A mail is put
back while no run reads the folder; a crash in between leaves one that counts as a duplicate.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db, transaction
from flexmail.errors import Conflict, FlexmailError, OwnershipLost, ReadingFailed, SecretUnreadable
from flexmail.models import Reply
from flexmail.services import (
    audit,
    inbox,
    installation,
    kept_mail,
    leases,
    reply_folders,
    reply_log,
    settings,
    trust,
)
from flexmail.services.apart import Apart
from flexmail.services.bindings import Entry
from flexmail.services.in_force import InForce
from flexmail.services.receiving import receive
from flexmail.services.reply_run import LEASE, is_there, text_is_behind
from flexmail.services.understood import Understood, understand
from flexmail.transport.imap import ImapAccount, open_folder

log = logging.getLogger(__name__)
RUN_SECONDS = 25.0
_BUSY = "The reply folder is being read right now: try again in a moment."
_OVERTAKEN = "A run got there before it was noted that the mail is back: put it back once more."
_THERE = "The server kept it: it is in the folder still."
_CHANGED = "The mail or the settings changed meanwhile: look at it again."
_DECIDED = ("approved", "rejected")


@dataclass(frozen=True, slots=True)
class Means:
    """Why a mail cannot be put back or processed again; "" where it can."""

    restore: str
    reprocess: str


def means(reply: Reply) -> Means:
    """Say what can be done with a mail; its raw copy is loaded."""
    try:
        raw, trouble = kept_mail.raw_of(reply), "No copy of it is kept (any more)."
    except SecretUnreadable as error:
        raw, trouble = b"", str(error)
    if not raw:
        return Means(trouble, trouble)
    reason = installation.objection()
    return Means(reason or _not_restored(reply), reason or _not_reprocessed(reply))


def restore(reply_id: int, *, now: datetime) -> Reply:
    """Put the kept copy of a mail back into the reply folder, and commit; once, as often as asked.

    The mail that comes from there is processed like any other, and is no duplicate.

    Raises:
        NotFound, SecretUnreadable
        Conflict: there is no copy, it was put back or never gone, or a run is going on.
        MailServerError: the server did not take it.
    """
    began = time.monotonic()
    with leases.hold(LEASE, now=now, seconds=inbox.LEASE_SECONDS) as fence:
        if fence is None:
            raise Conflict(_BUSY)
        reply = reply_log.get(reply_id)
        _refuse(means(reply).restore)
        raw, received_at = kept_mail.raw_of(reply), reply.first_seen_at
        uidvalidity, uid = reply.uidvalidity, reply.uid
        account, name = _home()
        db.session.rollback()  # no transaction is open while the network is used
        with open_folder(account, name, run_seconds=RUN_SECONDS) as folder:
            _refuse(_THERE if is_there(folder, uidvalidity, uid, raw) else "")
            folder.append(raw, received_at)
        try:
            with transaction():
                moment = now + timedelta(seconds=time.monotonic() - began)
                installation.stand_firm()  # in the order in which who claims locks the two
                leases.check(LEASE, fence, now=moment)
                _note_return(reply_id, moment)
        except OwnershipLost as error:
            raise Conflict(_OVERTAKEN) from error
    return reply_log.get(reply_id)


def reprocess(reply_id: int, *, now: datetime) -> Reply:
    """Judge the kept copy of a mail again, by today's settings and accounts, and commit.

    Decision and answer come about as in the reply job; the folder is not touched.

    Raises:
        NotFound, SecretUnreadable, ReaderUnavailable
        Conflict: there is nothing to mend, nothing to go by, or reading the mail fails again.
    """
    reply = reply_log.get(reply_id)
    _refuse(means(reply).reprocess)
    before = reply.outcome, reply.processed_at
    in_force = settings.in_force(settings.load())
    mail = _read(reply, in_force)
    try:
        with transaction():
            row = db.session.get_one(Reply, reply_id, with_for_update=True)
            stays = settings.load().revision == in_force.revision
            if not stays or before != (row.outcome, row.processed_at):
                raise Conflict(_CHANGED)
            _refuse(installation.objection(lock=True) or _not_reprocessed(row))
            receive(mail, Entry.of(row), settings=in_force, now=now).fill_in(row)
            ended = {"was": before[0], "is": row.outcome}
            audit.record("mail_reprocessed", f"reply {reply_id}", proof=ended)
    except (FlexmailError, SQLAlchemyError, OSError):
        raise
    except Exception as error:
        log.exception("Mail %d could not be processed again", reply_id)
        broke = f"Processing it broke off again ({type(error).__name__}): nothing was changed."
        raise Conflict(broke) from error
    return reply_log.get(reply_id)


def _refuse(reason: str) -> None:
    if reason:
        raise Conflict(reason)


def _not_restored(reply: Reply) -> str:
    return _put_back(reply.restored_at) if reply.restored_at else _elsewhere(reply)


def _not_reprocessed(reply: Reply) -> str:
    row = settings.load()
    trusted = trust.of(row)
    if reply.outcome in _DECIDED:
        return f"It was {reply.outcome}: there is nothing to mend."
    if reply.restored_at:
        return _put_back(reply.restored_at)
    if not row.enable_email_approval:
        return "Email approval is off: no mail decides."
    if not trusted.lets_decide:
        return trusted.reason
    # The canary has tried one way in: what a mail that came by another says proves nothing.
    return _elsewhere(reply) if trust.is_needed(row) else ""


def _put_back(restored_at: datetime) -> str:
    back = f"It was put back into the folder at {restored_at:%Y-%m-%d %H:%M} UTC"
    return f"{back}: what comes of it there is a mail of its own in the list."


def _home() -> tuple[ImapAccount, str]:
    """Return the account and the folder that replies are read from now."""
    row = settings.load()
    return settings.imap_account(row), settings.in_force(row).email_reply_folder


def _elsewhere(reply: Reply) -> str:
    """Say that a mail came from another folder than replies are read from now, if it did."""
    try:
        _, folder = _home()
    except (Conflict, SecretUnreadable) as error:
        return str(error)
    name = reply_folders.account_name(settings.load())
    if (reply.account, reply.folder) == (name, folder):
        return ""
    came_from = f"It came from {reply.folder} of {reply.account}"
    return f"{came_from}, and replies are now read from {folder} of {name}."


def _note_return(reply_id: int, moment: datetime) -> None:
    """Mark every mail of the same bytes: none of them makes the one in the folder a duplicate."""
    digest = db.session.get_one(Reply, reply_id).sha256
    same = (Reply.sha256 == digest, Reply.outcome.is_not(None), Reply.restored_at.is_(None))
    db.session.execute(update(Reply).where(*same).values(restored_at=moment))
    audit.record("mail_restored", f"reply {reply_id}")


def _read(reply: Reply, in_force: InForce) -> Understood:
    raw, partial, behind = kept_mail.raw_of(reply), reply.raw_partial, text_is_behind(reply)
    try:
        with Apart() as desk:
            mail = understand(raw, partial=partial, settings=in_force, desk=desk)
        return replace(mail, text_behind=behind)
    except ReadingFailed as error:
        raise Conflict(f"Nothing was changed: {error}") from error
    finally:
        db.session.rollback()  # no transaction is open while a mail is read
