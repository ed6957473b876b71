"""What an admin should know of events: whom their limits hold back in this hour. Reads only."""

from __future__ import annotations

from datetime import datetime

from flask import current_app
from sqlalchemy import select

from flexmail.db import db
from flexmail.models import ApiToken
from flexmail.services import limits


def of(*, now: datetime) -> list[str]:
    """Return a sentence for each limit that is reached in this hour by the clock."""
    until = f"{limits.next_hour(now):%H:%M} UTC"
    return [*_recipients(until, now), *_tokens(until, now)]


def _recipients(until: str, now: datetime) -> list[str]:
    at_most = current_app.config["NOTIFICATIONS_PER_RECIPIENT_HOUR"]
    number, worst = limits.over(limits.RECIPIENT, at_most, now=now)
    if not number:
        return []
    named = ", ".join(f"{count} to {address}" for address, count in worst)
    others = f", and some to {number - len(worst)} others" if number > len(worst) else ""
    return [
        f"Notifications were held back in this hour, beyond {at_most} to one recipient: {named}"
        f"{others}. They stand in a summary after {until}. Look for a program that repeats itself."
    ]


def _tokens(until: str, now: datetime) -> list[str]:
    at_most = current_app.config["EVENTS_PER_TOKEN_HOUR"]
    number, worst = limits.over(limits.TOKEN, at_most - 1, now=now)
    if not number:
        return []
    wanted = select(ApiToken.name).where(ApiToken.id.in_([int(key) for key, _ in worst]))
    names = ", ".join(db.session.scalars(wanted.order_by(ApiToken.name)))
    others = f" and {number - len(worst)} more" if number > len(worst) else ""
    return [
        f"The tokens {names}{others} told {at_most} events in this hour: more are refused until"
        f" {until}. Look for a program that repeats itself."
    ]
