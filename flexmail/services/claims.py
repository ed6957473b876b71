"""Claims on mails of the outbox: who sends which, for how long.

One conditional UPDATE hands a batch to one sender among many, in one process or on several hosts;
a sender that dies leaves claims that run out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update

from flexmail.db import db, transaction
from flexmail.models import OutboxMail
from flexmail.services import installation

BATCH = 30
CLAIM = timedelta(minutes=5)
_ORDER = OutboxMail.attempts, OutboxMail.retry_at


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send now."""

    id: int
    recipient: str
    sealed_content: bytes = field(repr=False)


def _due(now: datetime, at_once: bool) -> ColumnElement[bool]:
    waiting = OutboxMail.state == "queued"
    if not at_once:
        waiting = and_(waiting, OutboxMail.retry_at <= now)
    return or_(waiting, and_(OutboxMail.state == "sending", OutboxMail.claimed_until < now))


def anything_due(now: datetime, *, at_once: bool) -> bool:
    """Tell whether a claim would find a mail."""
    return bool(db.session.scalar(select(OutboxMail.id).where(_due(now, at_once)).limit(1)))


def claim(
    due_at: datetime,
    now: datetime,
    *,
    at_once: bool = False,
    already: Collection[int] = (),
    at_most: int = BATCH,
) -> list[Claimed]:
    """Claim a batch for `CLAIM` from `now` on, and commit; what was tried least comes first, then
    what was due first.

    Args:
        due_at: mails with a retry time up to here, and claims that ran out by then.
        at_once: whatever the retry time.
        already: ids to leave out.

    Returns:
        Nothing when another flexmail claimed the database.
    """
    with transaction():
        if installation.objection(lock=True):
            return []
        due = (
            select(OutboxMail.id)
            .where(_due(due_at, at_once), OutboxMail.id.not_in(already))
            .order_by(OutboxMail.retry_at, OutboxMail.id)
            .limit(at_most)
            .with_for_update(skip_locked=True)
        )
        claim = (
            update(OutboxMail)
            .where(OutboxMail.id.in_(due.scalar_subquery()))
            .values(
                state="sending",
                claimed_by=f"{socket.gethostname()}:{os.getpid()}",
                claimed_until=now + CLAIM,
                attempts=OutboxMail.attempts + 1,
            )
            .returning(*_ORDER, OutboxMail.id, OutboxMail.recipient, OutboxMail.sealed_content)
            .execution_options(synchronize_session=False)
        )
        found = sorted(db.session.execute(claim).all())
    return [Claimed(*mail) for _attempts, _retry_at, *mail in found]  # type: ignore[arg-type]


def give_back(mail_ids: list[int]) -> None:
    """Return claimed mails that were not tried, uncounted; commits."""
    if not mail_ids:
        return
    with transaction():
        db.session.execute(
            update(OutboxMail)
            .where(OutboxMail.id.in_(mail_ids), OutboxMail.state == "sending")
            .values(
                state="queued",
                claimed_by=None,
                claimed_until=None,
                attempts=OutboxMail.attempts - 1,
            )
        )
