"""Count the tries of mails: each is committed before anybody looks inside, so that a mail that
ends every process which reads it is given up after the last of them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import EmailSettings, Reply
from flexmail.services import trust, withheld
from flexmail.services.folder_memory import Memory
from flexmail.services.reply_run import Run, sha256, stand_firm, text_is_behind
from flexmail.transport.imap import Fetched, Folder

log = logging.getLogger(__name__)

MAX_TRIES = 3


def register(
    folder: Folder, run: Run, batch: list[Fetched], memory: Memory
) -> tuple[dict[int, int], dict[int, int]]:
    """Count a try of each mail and commit, before anything looks inside.

    What the run found out about the folder is written in the same commit.

    Returns:
        The reply ids and the tries, by UID.
    """
    with transaction(durable=False):  # it has to survive what a mail does to us, no power cut
        stand_on_trust(run)
        rows = _rows_of(folder, run, batch)
        for row in rows.values():
            row.tries += 1
        memory.save()
        db.session.flush()
        return (
            {uid: row.id for uid, row in rows.items()},
            {uid: row.tries for uid, row in rows.items()},
        )


def as_first_fetched(batch: list[Fetched]) -> list[Fetched]:
    """Return the mails, those that are a partial copy put back with the size that they had.

    What the fetch had cut off then is missing still, and they are judged by that.
    """
    torn = select(Reply).where(
        Reply.sha256.in_([sha256(mail) for mail in batch]),
        Reply.restored_at.is_not(None),
        Reply.raw_partial,
    )
    known = {row.sha256: (row.size_bytes, text_is_behind(row)) for row in db.session.scalars(torn)}
    db.session.rollback()
    return [_as_it_was(mail, *known.get(sha256(mail), (0, False))) for mail in batch]


def _as_it_was(mail: Fetched, size: int, text_behind: bool) -> Fetched:
    return replace(mail, size=max(mail.size, size), text_behind=mail.text_behind or text_behind)


def give_back(reply_ids: list[int]) -> None:
    """Undo the count where the database or the lease was the trouble, as far as that goes."""
    try:
        with transaction():
            counted = update(Reply).where(Reply.id.in_(reply_ids), Reply.tries > 0)
            db.session.execute(counted.values(tries=Reply.tries - 1))
    except SQLAlchemyError as error:
        log.warning("replies: tries could not be given back: %s", error)


def stand_on_trust(run: Run) -> EmailSettings:
    """Inside a write transaction: make sure that what this run goes by still holds.

    Returns:
        The settings; as long as somebody holds them, loading them again in there asks nobody.

    Raises:
        OwnershipLost: what was not committed must not be.
    """
    row = stand_firm(run)
    if not trust.of(row).lets_decide:
        raise OwnershipLost("The mail server has to prove itself first: see the status page.")
    return row


def _rows_of(folder: Folder, run: Run, mails: Sequence[Fetched]) -> dict[int, Reply]:
    """Return the row of each mail by UID, new ones for those that have none."""
    wanted = select(Reply).where(run.rows(folder, [mail.uid for mail in mails]))
    found = list(db.session.scalars(wanted))
    if handed_over := [row for row in found if withheld.is_about(row)]:
        for one in handed_over:
            db.session.delete(one)
        db.session.flush()
    known = {(row.uid, row.sha256): row for row in found if row not in handed_over}
    place = run.identity(folder)
    rows: dict[int, Reply] = {}
    for mail in mails:
        digest = sha256(mail)
        row: Reply | None = known.get((mail.uid, digest))
        if row is None:
            row = Reply(
                **place,
                uid=mail.uid,
                sha256=digest,
                size_bytes=mail.size,
                tries=0,
                first_seen_at=run.now,
            )
            db.session.add(row)
        elif row.restored_at:  # it came back under its old number
            row.outcome, row.restored_at, row.tries = None, None, 0
        rows[mail.uid] = row
    return rows
