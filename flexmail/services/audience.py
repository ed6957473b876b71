"""Who hears of an event: who was named, who the type is about, who subscribed; and who does not.

Nobody gets an event twice, whatever ways lead to them; the first way is the reason that the mail
gives. Reads only, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from flexmail.db import db
from flexmail.models import Membership, OptOut, Subscription, User
from flexmail.services import event_types
from flexmail.services.new_event import NewEvent
from flexmail.services.subscribers import GROUP, recipient

_DISABLED = "The account is disabled."
_SWITCHED_OFF = "They switched off mail about {}."
# Made once: making a statement costs more than running it.
_SUBSCRIBED = (
    select(Subscription.type, Subscription.scope, Subscription.recipient)
    .where(Subscription.scope.in_(bindparam("scopes", expanding=True)))
    .order_by(Subscription.id)
)
_MEMBERS = (
    select(Membership.group, User.email)
    .join(User, User.id == Membership.user_id)
    .where(Membership.group.in_(bindparam("groups", expanding=True)), User.active)
    .order_by(User.email)
)
_ACCOUNTS = select(User.email, User.active, User.digest).where(
    User.email.in_(bindparam("addresses", expanding=True))
)
_OPTED_OUT = select(OptOut.address).where(
    OptOut.address.in_(bindparam("addresses", expanding=True)),
    OptOut.type.in_((bindparam("type"), "*")),
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who hears of it: `why`, as the mail says it, and how often they want to."""

    address: str
    why: str
    digest: str = "at_once"


@dataclass(frozen=True, slots=True)
class Skip:
    """Somebody who was to hear of it and does not, with the reason as a sentence."""

    recipient: str
    reason: str


def of(told: NewEvent) -> tuple[list[Recipient], list[Skip]]:
    """Return who hears of an event, in the order of the ways to them, and who does not."""
    ways, skips = _ways(told)
    members = _members({name.removeprefix(GROUP) for name in ways if name.startswith(GROUP)})
    reasons: dict[str, str] = {}
    for name, why in ways.items():
        if not name.startswith(GROUP):
            reasons.setdefault(name, why)
            continue
        people = members.get(name.removeprefix(GROUP), [])
        if not people:
            skips.append(Skip(name, "The group has no active account."))
        for address in people:
            reasons.setdefault(address, why)
    accounts = _accounts(reasons)
    opted_out = _opted_out(told.type, reasons)
    found = []
    for address, why in reasons.items():
        account = accounts.get(address)
        if account and not account.active:
            skips.append(Skip(address, _DISABLED))
        elif address in opted_out:
            skips.append(Skip(address, _SWITCHED_OFF.format(told.type)))
        else:
            found.append(Recipient(address, why, account.digest if account else "at_once"))
    return found, skips


def refusals(address: str, types: Iterable[str]) -> dict[str, str]:
    """Return the types that an address gets no mail about any more, each with the reason."""
    types = set(types)
    account = _accounts([address]).get(address)
    if account and not account.active:
        return dict.fromkeys(types, _DISABLED)
    wanted = select(OptOut.type).where(OptOut.address == address, OptOut.type.in_({*types, "*"}))
    off = set(db.session.scalars(wanted))
    return {name: _SWITCHED_OFF.format(name) for name in (types if "*" in off else types & off)}


def _ways(told: NewEvent) -> tuple[dict[str, str], list[Skip]]:
    """Return by whom to hear and why, groups still as groups."""
    ways = dict.fromkeys(told.recipients, "Whoever reported it named you.")
    skips = []
    for key in event_types.of(told.type).to:
        for given in _named(told.data.get(key)):
            try:
                ways.setdefault(recipient(given), f"You are named as {key.removesuffix('s')}.")
            except ValueError as error:
                skips.append(Skip(given[:200], f"data.{key} names no address: {error}"))
    scopes = {"scopes": event_types.scopes_above(told.scope)}
    for row in db.session.connection().execute(_SUBSCRIBED, scopes):
        if event_types.matches(row.type, told.type):
            at = f" at {row.scope}" if row.scope else ""
            ways.setdefault(row.recipient, f"You are subscribed to {row.type}{at}.")
    return ways, skips


def _named(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and each.strip():
            yield each


def _members(groups: Iterable[str]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    if groups:
        for group, email in db.session.connection().execute(_MEMBERS, {"groups": list(groups)}):
            members.setdefault(group, []).append(email)
    return members


def _accounts(addresses: Iterable[str]) -> dict[str, Any]:
    found = db.session.connection().execute(_ACCOUNTS, {"addresses": list(addresses)})
    return {row.email: row for row in found}


def _opted_out(type_name: str, addresses: Iterable[str]) -> set[str]:
    given = {"type": type_name, "addresses": list(addresses)}
    return set(db.session.connection().scalars(_OPTED_OUT, given))
