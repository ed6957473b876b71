"""Take mails out of an open reply folder, batch by batch.

    register   one commit: a row a mail, its tries counted before anything is parsed
    settle     one commit: outcomes, decisions, raw copies and answers of the batch
    delete     only what that commit holds; verified

A crash before the second commit leaves the mail and no decision; a crash after it leaves a mail
known by (account, folder, UIDVALIDITY, UID) and SHA-256 that only has to be deleted.
"""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db, transaction
from flexmail.errors import OwnershipLost, Refused
from flexmail.mail.bounded import HEAD_BYTES
from flexmail.models import Reply
from flexmail.services import folder_memory, folder_window, tries, withheld
from flexmail.services.folder_memory import Memory
from flexmail.services.folder_window import Window
from flexmail.services.grouping import batches
from flexmail.services.reply_run import MAX_BYTES, Run, delete, sha256
from flexmail.services.tries import MAX_TRIES
from flexmail.transport.imap import Fetched, Folder

__all__ = ["MAX_TRIES", "take"]

log = logging.getLogger(__name__)


def take(folder: Folder, run: Run) -> None:
    """Take up to the count; what was settled before is deleted and not counted."""
    memory = folder_memory.recall(folder, run)
    window = folder_window.look(folder, run, memory)
    count = run.settings.email_reply_process_count
    wanted = window.open[:count]
    fetched = folder.fetch(
        wanted, max_bytes=MAX_BYTES, first_bytes=HEAD_BYTES, refused=window.withheld
    )
    at_most = run.patience.step_seconds
    try:
        for number, batch in enumerate(batches(fetched, window.tried, seconds=at_most)):
            if not run.keep_going() or (number and run.is_late()):
                break
            _settle(folder, run, batch, memory)
        for mail in _delete_leftovers(folder, run, window.leftovers, count):
            if run.report.looked_at < count and run.keep_going() and not memory.holds(mail.uid):
                _settle(folder, run, [mail], memory)
    except Refused:
        _note_withheld(folder, run, window)  # so that the next run asks for others first
        raise
    _note_withheld(folder, run, window)
    if memory.unsaved:
        with transaction():
            tries.stand_on_trust(run)
            memory.save()
    run.report.held = memory.held.get("count", 0)
    out_of_reach = len(window.left_alone) + run.report.kept + run.report.held
    run.report.left = max(0, folder.exists - out_of_reach)


def _note_withheld(folder: Folder, run: Run, window: Window) -> None:
    withheld.note(folder, run, folder.unreadable.keys() - window.leftovers.keys())


def _delete_leftovers(
    folder: Folder, run: Run, leftovers: dict[int, frozenset[str]], count: int
) -> list[Fetched]:
    """Finish what a crash between commit and delete left, `count` mails at the most.

    Returns:
        Mails that are others than those settled under their UIDs: a server gave the number to a
        new mail, against RFC 9051. They want an outcome like any new mail.
    """
    first = list(leftovers)[:count]
    fetched = (
        list(folder.fetch(first, max_bytes=MAX_BYTES, first_bytes=HEAD_BYTES)) if first else []
    )
    same = [mail.uid for mail in fetched if sha256(mail) in leftovers[mail.uid]]
    if same:
        delete(folder, run, same)
    return [mail for mail in fetched if mail.uid not in same]


def _settle(folder: Folder, run: Run, batch: list[Fetched], memory: Memory) -> None:
    """Register, understand, commit the outcomes, then delete."""
    # Half of what a run imports, and most runs find no mail.
    from flexmail.services.concluding import conclude
    from flexmail.services.understanding import understand_each

    batch = tries.as_first_fetched(batch)
    reply_ids, tried = tries.register(folder, run, batch, memory)
    settled: dict[int, str] = {}
    try:
        understood, trouble = understand_each(batch, tried, run)
        with transaction():
            _held = tries.stand_on_trust(run)
            rows = _rows(reply_ids)
            for uid in rows.keys() - understood.keys():
                rows[uid].tries -= 1  # nobody looked into it
            conclude(batch, rows, understood, run)
            settled = {mail.uid: outcome for mail in batch if (outcome := rows[mail.uid].outcome)}
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


def _rows(reply_ids: dict[int, int]) -> dict[int, Reply]:
    wanted = select(Reply).where(Reply.id.in_(reply_ids.values()))
    return {row.uid: row for row in db.session.scalars(wanted)}
