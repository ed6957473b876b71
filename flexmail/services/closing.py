"""Write down the decisions and the ends of requests, all of a transaction with a few statements.

What is decided is seen at once in the case that it was decided on, and by nobody in the tables
before `store`: who reads them in the same transaction calls that first. A request is ended once
only, for only a pending one can be.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, update

from flexmail.db import at_end, db, do_now
from flexmail.errors import OwnershipLost
from flexmail.models import Approval, Decision
from flexmail.services.cases import Case, Channel, Person, Verdict

_APPROVALS = cast(Table, Approval.__table__)
_DECISIONS = cast(Table, Decision.__table__)
_DECIDE = insert(_DECISIONS)
_CLOSE = (
    update(_APPROVALS)
    .where(_APPROVALS.c.id == bindparam("number"), _APPROVALS.c.status == "pending")
    .values(status=bindparam("status"), decided_at=bindparam("decided_at"))
)


def note(
    case: Case, person: Person, verdict: Verdict, comment: str, channel: Channel, at: datetime
) -> None:
    """Have a decision written down; joins the caller's transaction."""
    case.decided_by |= {person.id}
    row = {
        "approval_id": case.id,
        "user_id": person.id,
        "verdict": verdict,
        "comment": comment,
        "channel": channel,
        "at": at,
    }
    at_end(_store_decisions, row)


def close(case: Case, status: str, at: datetime) -> None:
    """Have a pending request end with this status; joins the caller's transaction."""
    case.status = status
    at_end(_store_closed, {"number": case.id, "status": status, "decided_at": at})


def store() -> None:
    """Write down what was decided in this transaction so far."""
    do_now(_store_closed)
    do_now(_store_decisions)


def _store_closed(rows: list[dict[str, Any]]) -> None:
    if db.session.connection().execute(_CLOSE, rows).rowcount != len(rows):
        raise OwnershipLost("A request that was to be closed is closed already.")


def _store_decisions(rows: list[dict[str, Any]]) -> None:
    db.session.connection().execute(_DECIDE, rows)
