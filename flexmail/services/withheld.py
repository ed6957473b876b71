"""Mails that the server lists and does not hand over.

That is the server's trouble: as long as nothing of such a mail was read it gets no outcome and
stays in the folder. It is asked for again at growing distances, and keeps no other waiting.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Row, Table, delete, select

from flexmail.db import db, execute, transaction
from flexmail.models import EmailSettings, Reply
from flexmail.services import reply_folders
from flexmail.services.reply_run import HERE, THESE, Run, stand_firm
from flexmail.transport.imap import Folder

log = logging.getLogger(__name__)

_NOTHING = hashlib.sha256().hexdigest()
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
_NOTED = select(Reply).where(THESE, Reply.retry_at.is_not(None))
_GONE = delete(cast(Table, Reply.__table__)).where(THESE, Reply.retry_at.is_not(None))
_WITHHELD = (
    select(Reply.uid, Reply.retry_at)
    .where(HERE, Reply.outcome.is_(None), Reply.retry_at.is_not(None))
    .order_by(Reply.retry_at, Reply.uid)
)


def is_about(row: Row[Any]) -> bool:
    """Tell whether a row stands for a mail of which nothing was ever read."""
    return row.retry_at is not None


def known(folder: Folder, run: Run) -> tuple[list[int], set[int]]:
    """Return the UIDs to be asked for again now, the longest due first, and those that wait."""
    rows = execute(_WITHHELD, **run.identity(folder)).all()
    db.session.rollback()  # no transaction is open while the network is used
    longest = run.now + _LONGEST_WAIT  # beyond it is what a clock said that was ahead
    due = [row.uid for row in rows if not run.now < row.retry_at <= longest]
    return due, {row.uid for row in rows}.difference(due)


def note(folder: Folder, run: Run, uids: Collection[int]) -> None:
    """Write down what the server says of each mail, and when to ask for it again; commits."""
    if not uids:
        return
    with transaction():
        stand_firm(run)
        wanted = {**run.identity(folder), "uids": list(uids)}
        rows = {row.uid: row for row in db.session.scalars(_NOTED, wanted)}
        for uid in sorted(uids):
            row = rows.get(uid)
            if row is None:
                place = run.identity(folder)
                row = Reply(**place, uid=uid, sha256=_NOTHING, tries=0, first_seen_at=run.now)
                db.session.add(row)
            row.reason = folder.unreadable[uid]
            row.retry_at = run.now + min(_FIRST_WAIT * 2 ** min(row.tries, 30), _LONGEST_WAIT)
            row.tries += 1


def forget(folder: Folder, run: Run, uids: Collection[int]) -> None:
    """Let go of mails that others took away before the server handed them over; commits."""
    if not uids:
        return
    log.warning("replies: %d mails are gone that the server had not handed over", len(uids))
    with transaction():
        stand_firm(run)
        execute(_GONE, **run.identity(folder), uids=list(uids))


def in_folder(row: EmailSettings) -> list[Reply]:
    """Return the mails that wait for the server in the folder that the settings name, by age."""
    folder = reply_folders.of(row) if row.enable_email_approval else None
    if folder is None:
        return []
    wanted = select(Reply).where(
        Reply.account == folder.account,
        Reply.folder == folder.folder,
        Reply.uidvalidity == folder.uidvalidity,
        Reply.outcome.is_(None),
        Reply.retry_at.is_not(None),
    )
    return list(db.session.scalars(wanted.order_by(Reply.first_seen_at, Reply.uid)))
