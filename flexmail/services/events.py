"""Events: a program tells what happened, and whoever wants to know gets a mail.

Event, mails and the reasons of those who get none are one commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from flexmail.db import db, transaction
from flexmail.errors import NotFound, TooMany
from flexmail.mail.compose import OutgoingContent
from flexmail.models import Event, EventSkip
from flexmail.services import (
    audience,
    digests,
    event_texts,
    event_types,
    limits,
    outbox,
    unsubscribing,
)
from flexmail.services.audience import Recipient, Skip
from flexmail.services.new_event import NewEvent, check

__all__ = ["NewEvent", "Report", "Skip", "send"]


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
        event = Event(
            type=told.type,
            scope=told.scope,
            subject=told.subject,
            data=dict(told.data),
            created_at=now,
            token_id=token_id,
        )
        db.session.add(event)
        db.session.flush()
        recipients, skips = audience.of(told)
        queued = _queue(event, recipients, skips, content, now)
        db.session.add_all(
            EventSkip(event_id=event.id, recipient=skip.recipient, reason=skip.reason)
            for skip in skips
        )
        return Report(event.id, queued, tuple(skips))


def get(event_id: int) -> Event:
    """Return an event.

    Raises:
        NotFound
    """
    event = db.session.get(Event, event_id)
    if event is None:
        raise NotFound(f"There is no event {event_id}.")
    return event


def _count(token_id: int | None, now: datetime) -> None:
    if token_id is None:
        return
    at_most = current_app.config["EVENTS_PER_TOKEN_HOUR"]
    key = f"token:{token_id}"
    if limits.count([key], now=now)[key] > at_most:
        seconds = int((limits.next_hour(now) - now).total_seconds()) + 1
        raise TooMany(f"This token told {at_most} events in this hour: no more.", seconds=seconds)


def _queue(
    event: Event,
    recipients: list[Recipient],
    skips: list[Skip],
    content: OutgoingContent,
    now: datetime,
) -> int:
    """Queue a mail to each, or let it wait for a summary; return to how many it goes."""
    queued = 0
    waits = event_types.of(event.type).waits
    at_once = [one for one in recipients if one.digest == "at_once" or not waits]
    for one in recipients:
        if one not in at_once:
            due = digests.due_at(one.digest, now)
            if digests.add(event, one.address, content.subject, due=due):
                queued += 1
            else:
                skips.append(Skip(one.address, "Too many wait for their next summary already."))
    at_most = current_app.config["NOTIFICATIONS_PER_RECIPIENT_HOUR"]
    counts = limits.count([f"to:{one.address}" for one in at_once], now=now)
    for one in at_once:
        if counts[f"to:{one.address}"] > at_most:
            reason = f"They got {at_most} notifications in this hour"
            listed = digests.add(event, one.address, content.subject, due=limits.next_hour(now))
            skips.append(
                Skip(one.address, f"{reason}{': it goes into a summary' if listed else ''}.")
            )
            continue
        link = unsubscribing.link(one.address, event.type)
        outbox.queue(
            "event",
            one.address,
            {"content": content, "why": one.why, "unsubscribe": link},
            now=now,
            unsubscribe=link,
            event_id=event.id,
        )
        queued += 1
    return queued
