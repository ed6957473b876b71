"""What an account wants to hear of: a switch for each type of event, and how often mail comes.

Requests to decide are no events: they always come, and at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.errors import InvalidInput
from flexmail.models import DIGESTS, OptOut, Subscription, User
from flexmail.services import accounts, audit, event_log, event_types, subscriptions, unsubscribing


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether mail about a type comes."""

    type: str
    label: str
    on: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """All of it; `everything_off` says that nothing comes, whatever the switches say."""

    digest: str
    switches: tuple[Switch, ...]
    everything_off: bool
    subscriptions: tuple[Subscription, ...]


def of(user: User) -> Wishes:
    """Return the wishes of an account.

    There is a switch for every built-in type, and for those that it heard of, is subscribed to, or
    switched off.
    """
    off = set(db.session.scalars(select(OptOut.type).where(OptOut.address == user.email)))
    subscribed = tuple(subscriptions.of_account(user))
    others = event_log.types_told(user.email) | off | _types_of(subscribed)
    names = [*event_types.BUILT_IN, *sorted(others - event_types.BUILT_IN.keys())]
    return Wishes(
        digest=user.digest,
        switches=tuple(
            Switch(name, _label(name), name not in off)
            for name in names
            if name != unsubscribing.EVERYTHING
        ),
        everything_off=unsubscribing.EVERYTHING in off,
        subscriptions=subscribed,
    )


def save(
    email: str, digest: str, on: Collection[str], *, shown: Collection[str] = (), now: datetime
) -> None:
    """Store how often mail comes and which switches are on, and commit.

    Args:
        on: the types whose switch is on; `*` ends that nothing comes at all.
        shown: the types that there was a choice of; empty means all. Others stay as they are.

    Raises:
        NotFound
        InvalidInput: by field: digest, on.
    """
    with transaction():
        user = accounts.get(email)
        present = of(user)
        known = {switch.type for switch in present.switches}
        _check(digest, set(on) - known - {unsubscribing.EVERYTHING})
        if user.digest != digest:
            user.digest = digest
            audit.record("digest_chosen", f"account {user.email}", proof={"digest": digest})
        for switch in present.switches:
            if not shown or switch.type in shown:
                wanted = switch.type in on
                unsubscribing.set_switch(user.email, switch.type, on=wanted, now=now)
        if unsubscribing.EVERYTHING in on:
            unsubscribing.set_switch(user.email, unsubscribing.EVERYTHING, on=True, now=now)


def _check(digest: str, unknown: set[str]) -> None:
    errors = {}
    if digest not in DIGESTS:
        errors["digest"] = [f"Choose one of: {', '.join(DIGESTS)}."]
    if unknown:
        name = min(unknown)[:64]
        errors["on"] = [f"There is no switch for {name!r}. Reload the page and choose again."]
    if errors:
        raise InvalidInput(errors)


def _label(name: str) -> str:
    """Return how people call a type; those of programs by the name that programs gave them."""
    return event_types.BUILT_IN[name].label if name in event_types.BUILT_IN else name


def _types_of(subscribed: Collection[Subscription]) -> set[str]:
    """Return the types that subscriptions name; of a pattern, those that were told already."""
    patterns = {row.type for row in subscribed}
    named = {pattern for pattern in patterns if "*" not in pattern}
    seen = event_log.types_seen() if patterns - named else ()
    return named | {
        name for name in seen if any(event_types.matches(pattern, name) for pattern in patterns)
    }
