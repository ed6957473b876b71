"""Take mails out of an open reply folder, batch by batch.

    register   one commit: a row a mail, its tries counted before anything is parsed
    settle     one commit: outcomes, decisions, raw copies and answers of the batch
    delete     only what that commit holds; verified

A crash before the second commit leaves the mail and no decision; a crash after it leaves a mail
known by (account, folder, UIDVALIDITY, UID) and SHA-256 that only has to be deleted.
"""

from __future__ import annotations

import logging

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from flexmail.db import db, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import Reply
from flexmail.services import folder_window, leases, settings
from flexmail.services.receiving import Understood, keep_raw, receive, understand
from flexmail.services.reply_run import LEASE, MAX_BYTES, Run, delete, sha256
from flexmail.transport.imap import Fetched, Folder

log = logging.getLogger(__name__)

MAX_TRIES = 3


def take(folder: Folder, run: Run) -> None:
    """Take up to the count, oldest first; what was settled before is deleted and not counted."""
    window = folder_window.look(folder, run)
    count = run.settings.email_reply_process_count
    fetched = folder.fetch(window.open[:count], max_bytes=MAX_BYTES)
    for batch in folder_window.batches(fetched, window.tried):
        if not run.keep_going():
            break
        _settle(folder, run, batch)
    for mail in _delete_leftovers(folder, run, window.leftovers, count):
        if run.report.looked_at < count and run.keep_going():
            _settle(folder, run, [mail])
    _note_unreadable(folder, run, set(folder.unreadable) - set(window.leftovers))
    run.report.left = max(0, folder.exists - len(window.left_alone))


def _delete_leftovers(
    folder: Folder, run: Run, leftovers: dict[int, frozenset[str]], count: int
) -> list[Fetched]:
    """Finish what a crash between commit and delete left, `count` mails at the most.

    Returns:
        Mails that are others than those settled under their UIDs: a server gave the number to a
        new mail, against RFC 9051. They want an outcome like any new mail.
    """
    first = list(leftovers)[:count]
    fetched = list(folder.fetch(first, max_bytes=MAX_BYTES)) if first else []
    same = [mail.uid for mail in fetched if sha256(mail) in leftovers[mail.uid]]
    if same:
        delete(folder, run, same)
    return [mail for mail in fetched if mail.uid not in same]


def _settle(folder: Folder, run: Run, batch: list[Fetched]) -> None:
    """Register, understand, commit the outcomes, then delete."""
    reply_ids, tries = _register(folder, run, batch)
    understood = {mail.uid: _understand(mail, tries[mail.uid], run) for mail in batch}
    settled: dict[int, str] = {}
    try:
        with transaction():
            _stand_firm(run)
            for mail in batch:
                row = db.session.get_one(Reply, reply_ids[mail.uid])
                _conclude(row, mail, understood[mail.uid], run)
                if row.outcome:
                    settled[mail.uid] = row.outcome
    except (SQLAlchemyError, OSError, OwnershipLost):
        _give_tries_back(list(reply_ids.values()))
        raise
    for uid, outcome in settled.items():
        run.report.count(reply_ids[uid], outcome)
    if settled:
        delete(folder, run, list(settled))


def _stand_firm(run: Run) -> None:
    """Inside a write transaction: make sure that the lease is ours and the settings are the same.

    Raises:
        OwnershipLost: what was not committed must not be.
    """
    leases.check(LEASE, run.fence, now=run.clock())
    if settings.load().revision != run.settings.revision:
        raise OwnershipLost("The settings were changed: the next run goes by the new ones.")


def _register(
    folder: Folder, run: Run, batch: list[Fetched]
) -> tuple[dict[int, int], dict[int, int]]:
    """Count a try of each mail and commit, before anything looks inside.

    Returns:
        The reply ids and the tries, by UID.
    """
    with transaction():
        _stand_firm(run)
        rows = {mail.uid: _row_of(folder, run, mail) for mail in batch}
        for row in rows.values():
            row.tries += 1
        db.session.flush()
        return (
            {uid: row.id for uid, row in rows.items()},
            {uid: row.tries for uid, row in rows.items()},
        )


def _row_of(folder: Folder, run: Run, mail: Fetched) -> Reply:
    identity = {**run.identity(folder), "uid": mail.uid, "sha256": sha256(mail)}
    row = db.session.scalar(select(Reply).filter_by(**identity))
    if row is None:
        row = Reply(**identity, size_bytes=mail.size, tries=0, first_seen_at=run.now)
        db.session.add(row)
    return row


def _understand(mail: Fetched, tries: int, run: Run) -> Understood | Exception:
    """Read one mail; whatever breaks is this mail's trouble and nobody else's."""
    if tries > MAX_TRIES:
        return ChildProcessError("No earlier try came to an end: this mail may be what ends them.")
    try:
        return understand(mail.raw, partial=mail.partial, settings=run.settings)
    except Exception as error:
        log.exception("A mail could not be read: UID %d", mail.uid)
        return error


def _conclude(row: Reply, mail: Fetched, understood: Understood | Exception, run: Run) -> None:
    """Give the row its outcome, or leave it open for another try."""
    trouble = understood
    if isinstance(understood, Understood):
        try:
            with db.session.begin_nested():
                receive(understood, row, settings=run.settings, now=run.clock())
            return
        except (OperationalError, OSError):
            raise  # the database or this machine is in trouble, not this mail
        except Exception as error:
            log.exception("A mail could not be processed: UID %d", mail.uid)
            trouble = error
    row.reason = f"Try {row.tries} to process this mail broke off ({type(trouble).__name__})."
    if row.tries >= MAX_TRIES:
        row.outcome, row.processed_at = "failed", run.now
        keep_raw(row, mail.raw, partial=mail.partial)


def _note_unreadable(folder: Folder, run: Run, uids: set[int]) -> None:
    """Count the tries of mails that the server lists and will not hand over.

    After the last one they are `failed` and stay in the folder, out of the way: there is no copy
    of them anywhere else.
    """
    if not uids:
        return
    with transaction():
        _stand_firm(run)
        for uid in sorted(uids):
            row = _row_of(folder, run, Fetched(uid, b"", 0))
            row.tries += 1
            row.reason = f"The server does not hand over this mail: {folder.unreadable[uid]}"
            if row.tries >= MAX_TRIES:
                row.outcome, row.processed_at = "failed", run.now
                row.kept_by_server = True
                db.session.flush()
                run.report.count(row.id, "failed")


def _give_tries_back(reply_ids: list[int]) -> None:
    """Undo the count where the database or the lease was the trouble, as far as that goes."""
    try:
        with transaction():
            counted = update(Reply).where(Reply.id.in_(reply_ids), Reply.tries > 0)
            db.session.execute(counted.values(tries=Reply.tries - 1))
    except SQLAlchemyError as error:
        log.warning("replies: tries could not be given back: %s", error)
