"""Events that were told before: which types, who got which, and when they are forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, delete, func, select

from flexmail.db import db, transaction
from flexmail.models import DigestItem, Event, EventSkip, OutboxMail

KEPT = timedelta(days=90)
"""How long an event is kept that no mail and no summary belongs to."""
MAX_TYPES = 200
_NEWEST_MAILS = 500
_BATCH = 500


def types_seen() -> list[str]:
    """Return the types of all events that are kept, sorted; the first `MAX_TYPES`."""
    # One step along the index a type: a plain DISTINCT would read every event.
    first = select(func.min(Event.type).label("type")).cte("seen", recursive=True)
    following = select(func.min(Event.type)).where(Event.type > first.c.type).scalar_subquery()
    seen = first.union_all(select(following).where(first.c.type.is_not(None)))
    found = select(seen.c.type).where(seen.c.type.is_not(None))
    return sorted(db.session.scalars(found.limit(MAX_TYPES)))


def types_told(address: str) -> set[str]:
    """Return the types that an address heard of in its newest mails, or waits to hear of."""
    newest = (
        select(OutboxMail.event_id)
        .where(OutboxMail.recipient == address)
        .order_by(OutboxMail.id.desc())
        .limit(_NEWEST_MAILS)
    )
    waiting = select(DigestItem.event_id).where(DigestItem.recipient == address)
    told = select(Event.type).where(Event.id.in_(newest) | Event.id.in_(waiting)).distinct()
    return set(db.session.scalars(told))


def remove_old(*, now: datetime, keep_going: Callable[[], bool] = lambda: True) -> int:
    """Remove old events that no mail in the outbox and no summary belongs to; return how many.

    A commit each 500, so that nobody waits long for the database.
    """
    removed, begin = 0, datetime.min.replace(tzinfo=UTC)
    while keep_going():
        with transaction():
            found = db.session.execute(_removable(begin, now - KEPT)).all()
            ids = [row.id for row in found]
            db.session.execute(delete(EventSkip).where(EventSkip.event_id.in_(ids)))
            db.session.execute(delete(Event).where(Event.id.in_(ids)))
        removed += len(ids)
        if len(ids) < _BATCH:
            break
        begin = found[-1].created_at  # what was passed over is not looked at again
    return removed


def _removable(begin: datetime, end: datetime) -> Select[int, datetime]:
    return (
        select(Event.id, Event.created_at)
        .where(
            Event.created_at >= begin,
            Event.created_at < end,
            ~select(OutboxMail.id).where(OutboxMail.event_id == Event.id).exists(),
            ~select(DigestItem.id).where(DigestItem.event_id == Event.id).exists(),
        )
        .order_by(Event.created_at)
        .limit(_BATCH)
    )
