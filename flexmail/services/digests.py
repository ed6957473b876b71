"""Summaries: events that can wait, one mail an hour or a day to whoever wants it so.

Also what came over somebody's limit of mails an hour: it stands in the next summary.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, delete, func, or_, select

from flexmail.config import time_zone
from flexmail.db import db, transaction
from flexmail.errors import Conflict
from flexmail.models import DigestItem, Event, EventSkip
from flexmail.services import audience, limits, outbox, unsubscribing

HOUR_OF_DAY = 8
"""When daily summaries go out, in the zone of mails."""
MAX_LISTED = 100
_FURTHEST = timedelta(days=2)
"""No summary is so far off: one that is due later was put there by a clock that was ahead."""
MAX_WAITING = 1000
"""So many events wait for one recipient at the most."""


def due_at(digest: str, now: datetime) -> datetime:
    """Return when somebody's next summary is due."""
    if digest != "daily":
        return limits.next_hour(now)
    there = now.astimezone(time_zone(current_app.config["TIMEZONE"]))
    due = there.replace(hour=HOUR_OF_DAY, minute=0, second=0, microsecond=0)
    return (due if due > there else due + timedelta(days=1)).astimezone(now.tzinfo)


def add(event_id: int, recipient: str, subject: str, *, due: datetime) -> bool:
    """Let an event wait for a summary; joins the caller's transaction.

    Returns:
        False when too many wait already.
    """
    waiting = select(func.count(DigestItem.id)).where(DigestItem.recipient == recipient)
    if (db.session.scalar(waiting) or 0) >= MAX_WAITING:
        return False
    db.session.add(DigestItem(recipient=recipient, event_id=event_id, subject=subject, due_at=due))
    return True


def queue_due(*, now: datetime, keep_going: Callable[[], bool] = lambda: True) -> int:
    """Queue the summaries that are due, each in a commit of its own; return how many."""
    due = select(DigestItem.recipient).where(_is_due(now)).distinct()
    queued = 0
    for recipient in db.session.scalars(due.order_by(DigestItem.recipient)).all():
        if not keep_going():
            break
        with transaction():
            queued += _queue(recipient, now)
    return queued


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(DigestItem.due_at <= now, DigestItem.due_at > now + _FURTHEST)


def _queue(recipient: str, now: datetime) -> int:
    _drop_unwanted(recipient, now)
    waiting = (DigestItem.recipient == recipient, _is_due(now))
    wanted = select(DigestItem).where(*waiting).order_by(DigestItem.id)
    found = list(db.session.scalars(wanted.with_for_update()))
    if not found:
        return 0
    items, more = found[:MAX_LISTED], max(0, len(found) - MAX_LISTED)
    link = unsubscribing.link(recipient, unsubscribing.EVERYTHING)
    context = {"items": items, "more": more, "count": len(items) + more, "unsubscribe": link}
    try:
        outbox.queue("digest", recipient, context, now=now, unsubscribe=link)
    except Conflict:
        return 0  # e-mail is not set up any more: they wait
    # No others: on PostgreSQL one may have come meanwhile that this summary does not tell of.
    db.session.execute(delete(DigestItem).where(DigestItem.id.in_([item.id for item in found])))
    return 1


def _drop_unwanted(recipient: str, now: datetime) -> None:
    """Drop what the recipient does not want to hear of any more, and write down why."""
    waiting = (
        select(DigestItem.id, DigestItem.event_id, Event.type)
        .join(Event, Event.id == DigestItem.event_id)
        .where(DigestItem.recipient == recipient, _is_due(now))
    )
    rows = db.session.execute(waiting).all()
    reasons = audience.refusals(recipient, (row.type for row in rows))
    unwanted = [row for row in rows if row.type in reasons]
    db.session.add_all(
        EventSkip(event_id=row.event_id, recipient=recipient, reason=reasons[row.type])
        for row in unwanted
    )
    db.session.execute(delete(DigestItem).where(DigestItem.id.in_([row.id for row in unwanted])))
