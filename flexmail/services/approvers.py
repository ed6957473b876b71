"""Who may decide an approval: accounts by name, and groups as they are at this moment."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select

from flexmail.db import db
from flexmail.models import Approval, ApprovalApprover, Membership, User


def people(approval: Approval) -> list[User]:
    """Return the active accounts that may decide now, groups expanded."""
    wanted = (
        select(User)
        .join(
            ApprovalApprover,
            (ApprovalApprover.user_id == User.id)
            | exists().where(
                Membership.user_id == User.id, Membership.group == ApprovalApprover.group
            ),
        )
        .where(ApprovalApprover.approval_id == approval.id, User.active)
        .distinct()
        .order_by(User.id)
    )
    return list(db.session.scalars(wanted))


def addressed_to(user: User) -> ColumnElement[bool]:
    """Return the condition that an approval names this account or one of its groups now."""
    mine = select(ApprovalApprover.approval_id).where(
        (ApprovalApprover.user_id == user.id) | ApprovalApprover.group.in_(user.group_names)
    )
    return Approval.id.in_(mine)
