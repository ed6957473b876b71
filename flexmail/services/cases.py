"""A request and a person as they are at one moment: all that a decision is judged by.

`hold` reads them inside the caller's write transaction, and they stay so until it ends: people are
locked first, then requests. What is decided there is noted in the case at once (`closing`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, cast

from sqlalchemy import BindParameter, Row, Select, Table, bindparam, select

from flexmail.db import db, execute
from flexmail.models import Approval, ApprovalApprover, Decision, Membership, User

Verdict = Literal["approve", "reject"]
Channel = Literal["email", "web"]


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and the groups that it is in."""

    id: int
    email: str
    active: bool
    groups: frozenset[str]

    @classmethod
    def of(cls, user: User) -> Self:
        """Return what is known of an account that was loaded."""
        return cls(user.id, user.email, user.active, frozenset(user.group_names))


@dataclass(slots=True)
class Case:
    """A request: who may decide it (accounts by id, groups by name), and who has."""

    id: int
    title: str
    status: str
    expires_at: datetime
    mail_decision: str
    comment_required: bool
    callback_url: str
    users: frozenset[int]
    groups: frozenset[str]
    decided_by: frozenset[int]

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """Return what is known of a request that was loaded."""
        known: dict[str, Any] = {c.key: getattr(approval, c.key) for c in _COLUMNS}
        named = [(each.user_id, each.group) for each in approval.approvers]
        decided_by = frozenset(decision.user_id for decision in approval.decisions)
        return cls(**known, **_named(named), decided_by=decided_by)

    def is_for(self, person: Person) -> bool:
        """Tell whether the request names this account or one of its groups."""
        return person.id in self.users or not self.groups.isdisjoint(person.groups)


_USERS, _MEMBERS = cast(Table, User.__table__).c, cast(Table, Membership.__table__).c
_APPROVALS = cast(Table, Approval.__table__).c
_APPROVERS = cast(Table, ApprovalApprover.__table__).c
_DECISIONS = cast(Table, Decision.__table__).c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_COLUMNS = (
    _APPROVALS.id,
    _APPROVALS.title,
    _APPROVALS.status,
    _APPROVALS.expires_at,
    _APPROVALS.mail_decision,
    _APPROVALS.comment_required,
    _APPROVALS.callback_url,
)
_OF_USERS = select(_USERS.id, _USERS.email, _USERS.active).where(_USERS.id.in_(_IDS))
_OF_MEMBERS = select(_MEMBERS.user_id, _MEMBERS.group).where(_MEMBERS.user_id.in_(_IDS))
_OF_CASES = select(*_COLUMNS).where(_APPROVALS.id.in_(_IDS))
_OF_APPROVERS = select(_APPROVERS.approval_id, _APPROVERS.user_id, _APPROVERS.group).where(
    _APPROVERS.approval_id.in_(_IDS)
)
_OF_DECISIONS = select(_DECISIONS.approval_id, _DECISIONS.user_id).where(
    _DECISIONS.approval_id.in_(_IDS)
)
# Their rows stay as they are, and nobody who only names them in a row of their own has to wait.
_LOCKED_USERS = _OF_USERS.order_by(_USERS.id).with_for_update(key_share=True)
_LOCKED_CASES = _OF_CASES.order_by(_APPROVALS.id).with_for_update(key_share=True)


def hold(
    approval_ids: Collection[int], user_ids: Collection[int]
) -> tuple[dict[int, Case], dict[int, Person]]:
    """Return requests and people by id, locked until the caller's write transaction ends."""
    db.session.flush()  # what the caller did counts
    people = _rows(_LOCKED_USERS, user_ids)
    groups = _by_first(_rows(_OF_MEMBERS, user_ids))
    cases = _rows(_LOCKED_CASES, approval_ids)
    named = _by_first(_rows(_OF_APPROVERS, approval_ids))
    decided_by = _by_first(_rows(_OF_DECISIONS, approval_ids))

    def case(row: Row[Any]) -> Case:
        decided = frozenset(user_id for (user_id,) in decided_by[row.id])
        return Case(**row._mapping, **_named(named[row.id]), decided_by=decided)

    def person(row: Row[Any]) -> Person:
        return Person(**row._mapping, groups=frozenset(group for (group,) in groups[row.id]))

    return {row.id: case(row) for row in cases}, {row.id: person(row) for row in people}


def _rows(question: Select[Any], ids: Collection[int]) -> Sequence[Row[Any]]:
    return execute(question, ids=list(ids)).all() if ids else ()


def _by_first(rows: Iterable[Row[Any]]) -> Mapping[int, Sequence[Any]]:
    """Return what stands behind the first column, by that."""
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row[1:])
    return found


def _named(rows: Sequence[tuple[int | None, str | None]]) -> dict[str, Any]:
    """Return the accounts and the groups among those who may decide."""
    users, groups = zip(*rows, strict=True) if rows else ((), ())
    return {"users": frozenset(users) - {None}, "groups": frozenset(groups) - {None}}
