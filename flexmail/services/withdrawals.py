"""Take back the mails that still ask for what is closed.

What waits is cancelled in the caller's transaction. What a sender has claimed already is left to
that sender, who asks again as mail after mail is made ready; what was handed over stays sent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import BindParameter, Table, bindparam, select, update

from flexmail.db import at_end, db, execute
from flexmail.models import Approval, OutboxMail

REASON = "The request was closed before this mail went out."

_MAILS = cast(Table, OutboxMail.__table__)
_APPROVALS: BindParameter[Any] = bindparam("approvals", expanding=True)
_CANCEL = (
    update(_MAILS)
    .where(
        _MAILS.c.approval_id.in_(_APPROVALS),
        _MAILS.c.kind == "approval_request",
        _MAILS.c.state == "queued",
    )
    .values(state="cancelled", answer=REASON)
)


def withdraw(approval_id: int, *, at_once: bool = False) -> None:
    """Cancel the mails that wait to ask for this approval.

    Args:
        at_once: for whoever looks at them next; else all of a transaction are one statement.
    """
    if at_once:
        _cancel([approval_id])
    else:
        at_end(_cancel, approval_id)


def among(mail_ids: Collection[int]) -> frozenset[int]:
    """Return which of these mails ask for an approval that is closed by now; reads only."""
    asking = (
        select(OutboxMail.id)
        .join(Approval, Approval.id == OutboxMail.approval_id)
        .where(
            OutboxMail.id.in_(mail_ids),
            OutboxMail.kind == "approval_request",
            Approval.status != "pending",
        )
    )
    return frozenset(db.session.scalars(asking))


def _cancel(approval_ids: list[int]) -> None:
    execute(_CANCEL, approvals=approval_ids)
