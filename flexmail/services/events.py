"""Events: a program tells what happened, and whoever wants to know gets a mail.

Event, mails and the reasons of those who get none are one commit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

from flask import current_app
from sqlalchemy import Table, insert

from flexmail.db import db, transaction
from flexmail.errors import TooMany
from flexmail.mail.compose import OutgoingContent
from flexmail.models import Event, EventSkip
from flexmail.services import (
    audience,
    digests,
    event_mail,
    event_texts,
    event_types,
    limits,
)
from flexmail.services.audience import Recipient, Skip
from flexmail.services.new_event import NewEvent, check

__all__ = ["NewEvent", "Report", "Skip", "send"]

_EVENTS, _SKIPS = cast(Table, Event.__table__), cast(Table, EventSkip.__table__)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an event: to how many it goes, and who gets none, why."""

    event_id: int
    queued: int
    skipped: tuple[Skip, ...]


def send(told: NewEvent, *, now: datetime, token_id: int | None = None) -> Report:
    """Store an event, queue a mail to each who hears of it, and commit.

    Args:
        token_id: the token that told it; each has a limit of events an hour.

    Raises:
        InvalidInput: by field.
        TooMany: the token told too many in this hour.
        Conflict: e-mail is not set up.
    """
    told = check(told)
    known = event_texts.variables(told.type, told.scope, told.subject, told.data, at=now)
    content = event_texts.render(told.type, known, now=now)
    with transaction():
        _count(token_id, now)
        event_id = _store(told, now, token_id)
        recipients, skips = audience.of(told)
        queued = _queue(event_id, told.type, recipients, skips, content, now)
        if skips:
            rows = [{"event_id": event_id} | asdict(skip) for skip in skips]
            db.session.connection().execute(insert(_SKIPS), rows)
        return Report(event_id, queued, tuple(skips))


def _count(token_id: int | None, now: datetime) -> None:
    if token_id is None:
        return
    at_most = current_app.config["EVENTS_PER_TOKEN_HOUR"]
    key = limits.token_key(token_id)
    if limits.count([key], now=now)[key] > at_most:
        seconds = int((limits.next_hour(now) - now).total_seconds()) + 1
        raise TooMany(f"This token told {at_most} events in this hour: no more.", seconds=seconds)


def _store(told: NewEvent, now: datetime, token_id: int | None) -> int:
    """Store an event, past the session, which would take longer; return its id."""
    values = {
        "type": told.type,
        "scope": told.scope,
        "subject": told.subject,
        "data": dict(told.data),
        "created_at": now,
        "token_id": token_id,
    }
    storing = insert(_EVENTS).returning(_EVENTS.c.id)
    return int(db.session.connection().execute(storing, values).scalar_one())


def _queue(
    event_id: int,
    type_name: str,
    recipients: list[Recipient],
    skips: list[Skip],
    content: OutgoingContent,
    now: datetime,
) -> int:
    """Queue a mail to each, or let it wait for a summary; return to how many it goes."""
    waits = event_types.of(type_name).waits
    at_once = [one for one in recipients if one.digest == "at_once" or not waits]
    queued = 0
    for one in recipients:
        if waits and one.digest != "at_once":
            due = digests.due_at(one.digest, now)
            if digests.add(event_id, one.address, content.subject, due=due):
                queued += 1
            else:
                skips.append(Skip(one.address, "Too many wait for their next summary already."))
    at_most = current_app.config["NOTIFICATIONS_PER_RECIPIENT_HOUR"]
    counts = limits.count([limits.recipient_key(one.address) for one in at_once], now=now)
    mailed = []
    for one in at_once:
        if counts[limits.recipient_key(one.address)] <= at_most:
            mailed.append(one)
            continue
        reason = f"They got {at_most} notifications in this hour"
        listed = digests.add(event_id, one.address, content.subject, due=limits.next_hour(now))
        ending = ": it goes into a summary" if listed else ""
        skips.append(Skip(one.address, f"{reason}{ending}."))
    event_mail.queue(event_id, type_name, mailed, content, now=now)
    return queued + len(mailed)
