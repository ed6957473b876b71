"""Write down the decisions and the ends of requests, all of a transaction with a few statements.

What is decided is seen at once by whoever holds the request, and by nobody in the tables before
`store`: who reads it anew in the same transaction calls that first. A request is ended once only,
for only a pending one can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.orm.attributes import set_committed_value

from flexmail.db import at_end, db, do_now
from flexmail.errors import OwnershipLost
from flexmail.models import Approval, Decision

_APPROVALS = cast(Table, Approval.__table__)
_DECISIONS = cast(Table, Decision.__table__)
_CLOSE = (
    update(_APPROVALS)
    .where(_APPROVALS.c.id == bindparam("number"), _APPROVALS.c.status == "pending")
    .values(status=bindparam("status"), decided_at=bindparam("decided_at"))
)


@dataclass(frozen=True, slots=True)
class _Closed:
    approval_id: int
    status: str
    at: datetime


def note(approval: Approval, decision: Decision) -> None:
    """Have a decision written down; joins the caller's transaction."""
    # Past the session: it would look at all that it holds, once more for each decision.
    set_committed_value(approval, "decisions", [*approval.decisions, decision])
    at_end(_store_decisions, decision)


def close(approval: Approval, status: str, at: datetime) -> None:
    """Have a pending request end with this status; joins the caller's transaction."""
    set_committed_value(approval, "status", status)
    set_committed_value(approval, "decided_at", at)
    at_end(_store_closed, _Closed(approval.id, status, at))


def store() -> None:
    """Write down what was decided in this transaction so far."""
    do_now(_store_closed)
    do_now(_store_decisions)


def _store_closed(ended: list[_Closed]) -> None:
    rows = [
        {"number": one.approval_id, "status": one.status, "decided_at": one.at} for one in ended
    ]
    if db.session.connection().execute(_CLOSE, rows).rowcount != len(rows):
        raise OwnershipLost("A request that was to be closed is closed already.")


def _store_decisions(decisions: list[Decision]) -> None:
    columns = ("approval_id", "user_id", "verdict", "comment", "channel", "at")
    rows = [{name: getattr(decision, name) for name in columns} for decision in decisions]
    db.session.connection().execute(insert(_DECISIONS), rows)
