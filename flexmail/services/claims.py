"""Claims on what waits to go out, mails and callbacks: who sends which, for how long.

One conditional UPDATE hands a batch to one sender among many, in one process or on several hosts;
a sender that dies leaves claims that run out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update

from flexmail.db import db, transaction
from flexmail.models import Callback, OutboxMail
from flexmail.services import installation

Queue = type[OutboxMail] | type[Callback]

BATCH = 100
CLAIM = timedelta(minutes=5)
_ORDER = OutboxMail.attempts, OutboxMail.retry_at


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send now."""

    id: int
    recipient: str
    sealed_content: bytes = field(repr=False)


def _due(queue: Queue, now: datetime, at_once: bool) -> ColumnElement[bool]:
    waiting = queue.state == "queued"
    if not at_once:
        waiting = and_(waiting, queue.retry_at <= now)
    return or_(waiting, and_(queue.state == "sending", queue.claimed_until < now))


def anything_due(now: datetime, *, at_once: bool, queue: Queue = OutboxMail) -> bool:
    """Tell whether a claim would find something."""
    return bool(db.session.scalar(select(queue.id).where(_due(queue, now, at_once)).limit(1)))


def claim(
    due_at: datetime,
    now: datetime,
    *,
    at_once: bool = False,
    already: Collection[int] = (),
    at_most: int = BATCH,
) -> list[Claimed]:
    """Claim a batch of mails as `claim_from` does."""
    wanted = ("id", "recipient", "sealed_content")
    found = claim_from(
        OutboxMail, wanted, due_at, now, at_once=at_once, already=already, at_most=at_most
    )
    return [Claimed(*mail) for mail in found]


def claim_from(
    queue: Queue,
    wanted: Sequence[str],
    due_at: datetime,
    now: datetime,
    *,
    at_once: bool = False,
    already: Collection[int] = (),
    at_most: int = BATCH,
) -> list[list[Any]]:
    """Claim a batch for `CLAIM` from `now` on, and commit; what was tried least comes first, then
    what was due first.

    Args:
        wanted: the names of the columns to return of each row; the first is the id.
        due_at: rows with a retry time up to here, and claims that ran out by then.
        at_once: whatever the retry time.
        already: ids to leave out.
    """
    columns = queue.__table__.c  # the ORM would take longer over a batch than a server over a mail
    with transaction(durable=False):
        if installation.objection(lock=True):
            return []  # another flexmail claimed the database
        due = (
            select(columns.id)
            .where(_due(queue, due_at, at_once), columns.id.not_in(already))
            .order_by(columns.retry_at, columns.id)
            .limit(at_most)
            .with_for_update(skip_locked=True)
        )
        claim = (
            update(queue.__table__)  # type: ignore[arg-type]
            .where(columns.id.in_(due.scalar_subquery()))
            .values(
                state="sending",
                claimed_by=f"{socket.gethostname()}:{os.getpid()}",
                claimed_until=now + CLAIM,
                attempts=columns.attempts + 1,
            )
            .returning(columns.attempts, columns.retry_at, *(columns[name] for name in wanted))
        )
        found = sorted(db.session.execute(claim).all())
    return [list(row[2:]) for row in found]


def give_back(row_ids: list[int], queue: Queue = OutboxMail) -> None:
    """Return what was claimed and not tried, uncounted; commits."""
    if not row_ids:
        return
    with transaction():
        db.session.execute(
            update(queue)
            .where(queue.id.in_(row_ids), queue.state == "sending")
            .values(
                state="queued",
                claimed_by=None,
                claimed_until=None,
                attempts=queue.attempts - 1,
            )
        )
