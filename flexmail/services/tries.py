"""Count the tries of mails: each is committed before anybody looks inside, so that a mail that
ends every process which reads it is given up after the last of them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db, execute, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import Reply
from flexmail.services import settings, trust
from flexmail.services.bindings import Entry
from flexmail.services.folder_memory import Memory
from flexmail.services.reply_run import THESE, Run, ends_before_its_text, sha256, stand_firm
from flexmail.transport.imap import Fetched, Folder

log = logging.getLogger(__name__)

MAX_TRIES = 3
_REPLIES = cast(Table, Reply.__table__)
_FRESH = insert(_REPLIES)
_KNOWN = select(
    Reply.id, Reply.uid, Reply.sha256, Reply.tries, Reply.restored_at, Reply.retry_at
).where(THESE)
_TORN = select(Reply.sha256, Reply.size_bytes, Reply.raw_partial, Reply.outcome).where(
    Reply.sha256.in_(bindparam("digests", expanding=True)),
    Reply.restored_at.is_not(None) | Reply.outcome.is_(None),  # it has none any more: `_counted`
    Reply.raw_partial,
)


def register(
    folder: Folder, run: Run, batch: list[Fetched], memory: Memory
) -> tuple[list[Fetched], dict[int, Entry]]:
    """Count a try of each mail and commit, before anything looks inside.

    What the run found out about the folder is written in the same commit.

    Returns:
        The mails as they are to be judged, and the entry of each by UID.
    """
    digests = {mail.uid: sha256(mail) for mail in batch}
    with transaction(durable=False):  # it has to survive what a mail does to us, no power cut
        stand_on_trust(run)
        memory.save()
        mails = _as_first_fetched(batch, digests)
        return mails, _counted(folder, run, mails, digests)


def _as_first_fetched(batch: list[Fetched], digests: dict[int, str]) -> list[Fetched]:
    """Return the mails, those that are a partial copy put back with the size that they had.

    What the fetch had cut off then is missing still, and they are judged by that.
    """
    torn = {row.sha256: row for row in execute(_TORN, digests=[*digests.values()])}
    return [
        _as_it_was(mail, torn[digests[mail.uid]]) if digests[mail.uid] in torn else mail
        for mail in batch
    ]


def _as_it_was(mail: Fetched, row: Row[Any]) -> Fetched:
    behind = mail.text_behind or ends_before_its_text(row.raw_partial, row.outcome)
    return replace(mail, size=max(mail.size, row.size_bytes), text_behind=behind)


def give_back(reply_ids: Collection[int]) -> None:
    """Undo the count where the database or the lease was the trouble, as far as that goes."""
    try:
        with transaction():
            uncount(reply_ids)
    except SQLAlchemyError as error:
        log.warning("replies: tries could not be given back: %s", error)


def uncount(reply_ids: Collection[int]) -> None:
    """Take one try of each back; joins the caller's transaction."""
    if reply_ids:
        counted = update(_REPLIES).where(_REPLIES.c.id.in_(reply_ids), _REPLIES.c.tries > 0)
        db.session.connection().execute(counted.values(tries=_REPLIES.c.tries - 1))


def stand_on_trust(run: Run) -> None:
    """Inside a write transaction: make sure that what this run goes by still holds.

    Raises:
        OwnershipLost: what was not committed must not be.
    """
    stand_firm(run)
    if trust.is_needed(run.settings) and not trust.of(settings.load()).lets_decide:
        raise OwnershipLost("The mail server has to prove itself first: see the status page.")


def _counted(
    folder: Folder, run: Run, mails: list[Fetched], digests: dict[int, str]
) -> dict[int, Entry]:
    """Count a try of each mail, in a new row where it has none; return the entries by UID."""
    place, uids = run.identity(folder), list(digests)
    rows = execute(_KNOWN, **place, uids=uids).all()
    connection = db.session.connection()
    if handed_over := [row.id for row in rows if row.retry_at]:  # see `withheld`
        connection.execute(delete(_REPLIES).where(_REPLIES.c.id.in_(handed_over)))
    known = {(row.uid, row.sha256): row for row in rows if not row.retry_at}
    found = [known[pair] for pair in digests.items() if pair in known]
    if back := [row.id for row in found if row.restored_at]:  # under its old number
        anew = update(_REPLIES).where(_REPLIES.c.id.in_(back))
        as_new = {"outcome": None, "restored_at": None, "tries": 0, "kept_by_server": False}
        connection.execute(anew.values(**as_new))
    if found:
        again = update(_REPLIES).where(_REPLIES.c.id.in_([row.id for row in found]))
        connection.execute(again.values(tries=_REPLIES.c.tries + 1))
    fresh = [
        {
            **place,
            "uid": mail.uid,
            "sha256": digests[mail.uid],
            "size_bytes": mail.size,
            "tries": 1,
            "first_seen_at": run.now,
        }
        for mail in mails
        if (mail.uid, digests[mail.uid]) not in known
    ]
    if fresh:
        connection.execute(_FRESH, fresh)
    return {
        row.uid: Entry(row.id, row.sha256, row.tries)
        for row in execute(_KNOWN, **place, uids=uids)
        if digests[row.uid] == row.sha256
    }
