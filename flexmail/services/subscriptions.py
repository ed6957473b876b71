"""Subscriptions: an admin says who hears of which events; and who would, before one comes.

What a subscription covers is `audience`'s to say; here it is kept, listed and asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from flexmail.db import db, insert_unless_there, transaction
from flexmail.errors import InvalidInput, NotFound
from flexmail.models import Membership, Subscription, User
from flexmail.services import audience, audit, event_types, new_event
from flexmail.services.audience import Recipient, Skip
from flexmail.services.new_event import NewEvent
from flexmail.services.paging import Page, page_of
from flexmail.services.subscribers import GROUP, recipient


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who would hear of an event that names nobody, and who would not, each with the reason."""

    recipients: tuple[Recipient, ...]
    skips: tuple[Skip, ...]


def listing(
    *, to: str | None = None, cursor: str | None = None, limit: int = 50
) -> Page[Subscription]:
    """Return one page, the newest first; `to` is a recipient as people write it.

    Raises:
        InvalidInput: `to` is no recipient, or the cursor is none of ours.
    """
    wanted = select(Subscription)
    if to:
        wanted = wanted.where(Subscription.recipient == _recipient(to))
    return page_of(wanted, Subscription.id, cursor=cursor, limit=limit)


def add(type_pattern: str, scope: str, to: str, *, now: datetime) -> tuple[Subscription, bool]:
    """Subscribe somebody, and commit; return the subscription, and whether it is a new one.

    Args:
        type_pattern: a type of event, in which `*` stands for anything.
        scope: a path; "" is everywhere.
        to: an address, with an account or without, or `group:NAME`.

    Raises:
        InvalidInput: by field: type, scope, recipient.
    """
    wanted = _checked(type_pattern.strip(), scope.strip(), to)
    with transaction():
        fresh = insert_unless_there(Subscription, **wanted, created_at=now)
        row = db.session.scalars(select(Subscription).filter_by(**wanted)).one()
        if fresh:
            audit.record("subscription_added", _subject(row), proof=wanted)
    return row, fresh


def remove(subscription_id: int) -> Subscription:
    """End a subscription, and commit; return what it was.

    Raises:
        NotFound
    """
    with transaction():
        row = db.session.get(Subscription, subscription_id)
        if row is None:
            raise NotFound(
                f"There is no subscription {subscription_id}: it may be removed already."
            )
        proof = {"type": row.type, "scope": row.scope, "recipient": row.recipient}
        db.session.delete(row)
        audit.record("subscription_removed", _subject(row), proof=proof)
    return row


def of_account(user: User) -> list[Subscription]:
    """Return what an account hears of, by its address or through its groups, by recipient."""
    names = [user.email, *(f"{GROUP}{name}" for name in user.group_names)]
    wanted = select(Subscription).where(Subscription.recipient.in_(names))
    order = (Subscription.recipient != user.email, Subscription.recipient, Subscription.id)
    return list(db.session.scalars(wanted.order_by(*order)))


def hearers(type_name: str, scope: str) -> Hearers:
    """Return who would hear of an event of this type at this scope, if it named nobody.

    Raises:
        InvalidInput: by field: type, scope.
    """
    found, skips = audience.of(new_event.check(NewEvent(type_name.strip(), scope.strip())))
    return Hearers(tuple(found), tuple(skips))


def unheard(recipients: Iterable[str]) -> dict[str, str]:
    """Return those recipients that get no mail as things stand, with the reason as a few words."""
    names = set(recipients)
    groups = {name.removeprefix(GROUP) for name in names if name.startswith(GROUP)}
    with_members = (
        select(Membership.group)
        .join(User, User.id == Membership.user_id)
        .where(Membership.group.in_(groups), User.active)
    )
    found = set(db.session.scalars(with_members))
    reasons = {f"{GROUP}{name}": "no active account in it" for name in groups - found}
    disabled = select(User.email).where(User.email.in_(names), ~User.active)
    return reasons | dict.fromkeys(db.session.scalars(disabled), "the account is disabled")


def _checked(type_pattern: str, scope: str, to: str) -> dict[str, str]:
    errors: dict[str, list[str]] = {}
    if not event_types.PATTERN.fullmatch(type_pattern):
        errors["type"] = [
            "Give a type such as failed, or a pattern such as deploy.* or *: 1 to 64 lower-case"
            " letters, digits, dots, dashes, underscores and *."
        ]
    if fault := new_event.scope_fault(scope):
        errors["scope"] = [fault]
    try:
        to = _recipient(to)
    except InvalidInput as error:
        errors |= error.errors
    if errors:
        raise InvalidInput(errors)
    return {"type": type_pattern, "scope": scope, "recipient": to}


def _recipient(given: str) -> str:
    try:
        return recipient(given)
    except ValueError as error:
        raise InvalidInput({"recipient": [str(error)]}) from error


def _subject(row: Subscription) -> str:
    return f"subscription {row.id}"
