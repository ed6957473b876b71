"""Take mails out of an open reply folder, batch by batch.

    register   one commit: a row a mail, its tries counted before anything is parsed
    settle     one commit: outcomes, decisions, raw copies and answers of the batch
    delete     only what that commit holds; verified

A crash before the second commit leaves the mail and no decision; a crash after it leaves a mail
known by (account, folder, UIDVALIDITY, UID) and SHA-256 that only has to be deleted.
"""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from flexmail.db import db, savepoint, transaction
from flexmail.errors import OwnershipLost, ReaderUnavailable, ReadingFailed
from flexmail.models import Reply
from flexmail.services import apart, folder_memory, folder_window, tries
from flexmail.services.folder_memory import Memory
from flexmail.services.receiving import Understood, keep_raw, receive, understand
from flexmail.services.reply_run import MAX_BYTES, Run, delete, sha256
from flexmail.services.tries import MAX_TRIES
from flexmail.transport.imap import Fetched, Folder

__all__ = ["MAX_TRIES", "take"]

log = logging.getLogger(__name__)

_STRETCH_SECONDS = 5.0


def take(folder: Folder, run: Run) -> None:
    """Take up to the count; what was settled before is deleted and not counted."""
    memory = folder_memory.recall(folder, run)
    window = folder_window.look(folder, run, memory)
    count = run.settings.email_reply_process_count
    wanted = window.open[:count]
    fetched = folder.fetch(wanted, max_bytes=MAX_BYTES, refused=window.withheld)
    at_most = run.patience.step_seconds
    batches = folder_window.batches(fetched, window.tried, seconds=at_most)
    for number, batch in enumerate(batches):
        if not run.keep_going() or (number and _is_late(run)):
            break
        _settle(folder, run, batch, memory)
    for mail in _delete_leftovers(folder, run, window.leftovers, count):
        if run.report.looked_at < count and run.keep_going() and not memory.holds(mail.uid):
            _settle(folder, run, [mail], memory)
    tries.note_unreadable(folder, run, set(folder.unreadable) - set(window.leftovers))
    if memory.unsaved:
        with transaction():
            tries.stand_on_trust(run)
            memory.save()
    run.report.held = memory.held.get("count", 0)
    out_of_reach = len(window.left_alone) + run.report.kept + run.report.held
    run.report.left = max(0, folder.exists - out_of_reach)


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


def _settle(folder: Folder, run: Run, batch: list[Fetched], memory: Memory) -> None:
    """Register, understand, commit the outcomes, then delete."""
    reply_ids, tried = tries.register(folder, run, batch, memory)
    settled: dict[int, str] = {}
    try:
        understood, trouble = _understand_each(batch, tried, run)
        with transaction():
            tries.stand_on_trust(run)
            for mail in batch:
                row = db.session.get_one(Reply, reply_ids[mail.uid])
                if mail.uid not in understood:
                    row.tries -= 1  # nobody looked into it
                    continue
                _conclude(row, mail, understood[mail.uid], run)
                if row.outcome:
                    settled[mail.uid] = row.outcome
            memory.settled(settled)
            memory.save()
    except (SQLAlchemyError, OSError, OwnershipLost):
        tries.give_back(list(reply_ids.values()))
        raise
    for uid, outcome in settled.items():
        run.report.count(reply_ids[uid], outcome)
    if settled:
        delete(folder, run, list(settled))
    if trouble:
        raise trouble


def _is_late(run: Run) -> bool:
    return time.monotonic() - run.began > run.patience.late_seconds


def _understand_each(
    batch: list[Fetched], tried: dict[int, int], run: Run
) -> tuple[dict[int, Understood | Exception], ReaderUnavailable | None]:
    """Read mail after mail, as long as the run may last and there is a process that reads.

    Returns:
        What each mail says or what it did, by UID, and why there is no process.
    """
    understood: dict[int, Understood | Exception] = {}
    began = time.monotonic()
    for mail in batch:
        takes_long = understood and time.monotonic() - began > _STRETCH_SECONDS
        if takes_long and (_is_late(run) or not run.keep_going()):
            break
        try:
            understood[mail.uid] = _understand(mail, tried[mail.uid], run)
        except ReaderUnavailable as error:
            return understood, error
        finally:
            db.session.rollback()  # no transaction is open while a mail is read
    return understood, None


def _understand(mail: Fetched, tried: int, run: Run) -> Understood | Exception:
    """Read one mail; whatever it breaks is this mail's trouble and nobody else's."""
    if tried > MAX_TRIES:
        return ChildProcessError("No earlier try came to an end: this mail may be what ends them.")
    try:
        with apart.shared() as desk:
            return understand(mail.raw, partial=mail.partial, settings=run.settings, desk=desk)
    except (SQLAlchemyError, OSError, ReaderUnavailable):
        raise  # the database or this machine is in trouble, not this mail
    except ReadingFailed as error:
        log.warning("A mail could not be read: UID %d: %s", mail.uid, error)
        return error
    except Exception as error:
        log.exception("A mail could not be read: UID %d", mail.uid)
        return error


def _conclude(row: Reply, mail: Fetched, understood: Understood | Exception, run: Run) -> None:
    """Give the row its outcome, or leave it open for another try."""
    trouble = understood
    if isinstance(understood, Understood):
        try:
            with savepoint():
                receive(understood, row, settings=run.settings, now=run.clock())
            return
        except (OperationalError, OSError):
            raise  # the database or this machine is in trouble, not this mail
        except Exception as error:
            log.exception("A mail could not be processed: UID %d", mail.uid)
            trouble = error
    what = str(trouble) if isinstance(trouble, ReadingFailed) else type(trouble).__name__
    row.reason = f"Try {row.tries} to process this mail broke off: {what.rstrip('.')}."
    if row.tries >= MAX_TRIES:
        row.outcome, row.processed_at = "failed", run.now
        keep_raw(row, mail.raw, partial=mail.partial)
