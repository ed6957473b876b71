"""Approvals: ask for a yes or no, and decide it at most once.

`authorise` is the only door to a decision, for mail and page alike. Every condition is looked at
inside the transaction that would commit the decision, so all of them held at one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.models import Approval, User
from flexmail.services import approvers, audit, callbacks, cases, closing, withdrawals
from flexmail.services.approval_shape import approval_shape
from flexmail.services.cases import Case, Channel, Person, Verdict
from flexmail.services.paging import Page, page_of

DEFAULT_EXPIRY = timedelta(days=7)
STATUS_OF: dict[str, str] = {"approve": "approved", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a decision was not taken: a named outcome and a sentence for people."""

    outcome: str
    reason: str


def get(approval_id: int, *, viewer: User | None = None) -> Approval:
    """Return an approval; an approver sees the own ones only.

    Raises:
        NotFound: there is none, or none for this viewer.
    """
    wanted = select(Approval).where(Approval.id == approval_id)
    if viewer is not None and viewer.role != "admin":
        wanted = wanted.where(approvers.addressed_to(viewer))
    approval = db.session.scalar(wanted)
    if approval is None:
        raise NotFound(f"There is no approval {approval_id}.")
    return approval


def listing(
    *,
    viewer: User | None = None,
    status: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Approval]:
    """Return one page, the newest first; an approver sees the own ones only."""
    wanted = select(Approval)
    if viewer is not None and viewer.role != "admin":
        wanted = wanted.where(approvers.addressed_to(viewer))
    if status:
        wanted = wanted.where(Approval.status == status)
    return page_of(wanted, Approval.id, cursor=cursor, limit=limit)


def authorise(
    case: Case, person: Person, *, channel: Channel, verdict: Verdict | None, now: datetime
) -> Refusal | None:
    """Look at every condition of a decision except who the sender of a mail is.

    Args:
        verdict: None when a reply's words are not known yet.

    Returns:
        None when this account may decide this approval now; else the first condition that fails.
    """
    if not person.active or not case.is_for(person):
        return Refusal("not_an_approver", f"{person.email} may not decide this request (any more).")
    if case.status in ("approved", "rejected"):
        return Refusal("already_decided", f"The request was {case.status} already.")
    if case.status == "cancelled":
        return Refusal("cancelled", "The request was cancelled.")
    if case.status == "expired" or case.expires_at <= now:
        return Refusal("expired", "The request expired before this answer.")
    if person.id in case.decided_by:
        return Refusal("already_decided", f"{person.email} has decided already.")
    if channel == "email" and case.mail_decision == "reject_only" and verdict == "approve":
        return Refusal(
            "mail_not_allowed",
            "This request can be rejected by mail, but approved only on its page.",
        )
    return None


def decide(
    case: Case,
    person: Person,
    *,
    verdict: Verdict,
    comment: str,
    channel: Channel,
    now: datetime,
    proof: Mapping[str, Any],
) -> Refusal | None:
    """Take a decision inside the caller's write transaction, or say why not.

    The caller has begun the transaction before it read anything, holds the case, and commits.

    Args:
        proof: what shows that it was this account which decided, for the audit log.
    """
    refusal = authorise(case, person, channel=channel, verdict=verdict, now=now)
    if refusal:
        return refusal
    if case.comment_required and verdict == "reject" and not comment.strip():
        return Refusal("unclear", "A comment is required to reject this request.")
    closing.note(case, person, verdict, comment, channel, now)
    _close(case, STATUS_OF[verdict], now)  # rule `any`: the first decision ends it
    audit.record(
        f"approval_{STATUS_OF[verdict]}",
        f"approval {case.id}",
        proof=proof,
        by=audit.Actor(person.email, channel),
    )
    return None


def decide_on_page(
    approval_id: int, user_id: int, *, verdict: Verdict, comment: str, now: datetime
) -> Approval:
    """Take a decision made on the page, and commit.

    Raises:
        NotFound: there is no such approval for this account.
        Conflict: `authorise` refused; the sentence is its reason.
        InvalidInput: a comment is required.
    """
    with transaction():
        user = db.session.get_one(User, user_id, with_for_update={"key_share": True})
        approval = get(approval_id, viewer=user)
        held, people = cases.hold([approval_id], [user_id])
        refusal = decide(
            held[approval_id],
            people[user_id],
            verdict=verdict,
            comment=comment.strip(),
            channel="web",
            now=now,
            proof={"session_of_account": user.id, "session_version": user.session_version},
        )
        if refusal and refusal.outcome == "unclear":
            raise InvalidInput({"comment": [refusal.reason]})
        if refusal:
            raise Conflict(refusal.reason)
    return approval


def cancel(approval_id: int, *, now: datetime) -> Approval:
    """Cancel a pending approval, and commit.

    Raises:
        NotFound
        Conflict: it is final already.
    """
    with transaction():
        approval = get(approval_id)
        db.session.refresh(approval, with_for_update=True)
        if approval.status != "pending":
            raise Conflict(f"Approval {approval_id} is {approval.status} already.")
        _close(Case.of(approval), "cancelled", now)
        audit.record("approval_cancelled", f"approval {approval.id}")
    return approval


def expire_due(*, now: datetime) -> int:
    """Expire what is over its time, and commit; return how many."""
    overdue = (Approval.status == "pending", Approval.expires_at <= now)
    if not db.session.scalar(select(Approval.id).where(*overdue).limit(1)):
        return 0
    with transaction():
        in_order = select(Approval).where(*overdue).order_by(Approval.id).with_for_update()
        expired = db.session.scalars(in_order).all()
        for approval in expired:
            _close(Case.of(approval), "expired", now)
            audit.record("approval_expired", f"approval {approval.id}")
        return len(expired)


def _close(case: Case, status: str, now: datetime) -> None:
    """Make a status final; who was not asked yet is not asked any more, the program is told."""
    closing.close(case, status, now)
    withdrawals.withdraw(case.id, at_once=bool(case.callback_url))
    if case.callback_url:
        closing.store()
        approval = db.session.get_one(Approval, case.id)
        db.session.refresh(approval)
        callbacks.queue(approval, approval_shape(approval), now=now)
