"""Ask for an approval: check, store, make one secret reference an approver, queue one mail each.

All of it is one commit: an approval never exists without its mail, nor mail without its approval.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.mail.address import is_safe_header
from flexmail.models import Approval, ApprovalApprover, Membership, User
from flexmail.services import accounts, approval_mail, approvals, audit, installation
from flexmail.services.new_approval import NewApproval, check

__all__ = ["NewApproval", "request"]

_GROUP = "group:"


def request(
    wanted: NewApproval,
    *,
    now: datetime,
    token_id: int | None = None,
    idempotency_key: str | None = None,
) -> Approval:
    """Make an approval, queue its mail, and commit.

    Args:
        token_id, idempotency_key: a repeat by the same token with the same key and the same
            content returns the first approval and sends nothing.

    Raises:
        InvalidInput: by field, `approvers` among them when an account is unknown or disabled.
        Conflict: e-mail is not set up, or the key was used for something else.
    """
    check(wanted)
    request_digest = _digest_of(wanted)
    try:
        with transaction():
            first = _first_of(token_id, idempotency_key, request_digest)
            if first is not None:
                return first
            approval = _store(wanted, now)
            approval.token_id, approval.idempotency_key = token_id, idempotency_key
            approval.request_digest = request_digest
            db.session.flush()
            approval_mail.notify(approval, now=now)
            asked = {"title": approval.title, "approvers": list(wanted.approvers)}
            audit.record("approval_requested", f"approval {approval.id}", proof=asked)
    except IntegrityError:
        repeated = _first_of(token_id, idempotency_key, request_digest)
        if repeated is None:
            raise
        return repeated
    return approval


def _digest_of(wanted: NewApproval) -> str:
    values = asdict(wanted)
    if not values["callback_url"]:
        del values["callback_url"]  # requests had none before: their digests stay what they are
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _first_of(token_id: int | None, key: str | None, request_digest: str) -> Approval | None:
    if key is None:
        return None
    first = db.session.scalar(
        select(Approval).where(Approval.token_id == token_id, Approval.idempotency_key == key)
    )
    if first is not None and first.request_digest != request_digest:
        raise Conflict("This Idempotency-Key was used for another request: give a new one.")
    return first


def _store(wanted: NewApproval, now: datetime) -> Approval:
    seconds = wanted.expires_in
    lasts = approvals.DEFAULT_EXPIRY if seconds is None else timedelta(seconds=seconds)
    approval = Approval(
        id=installation.next_approval_id(),
        title=wanted.title.strip(),
        details=wanted.details.strip(),
        link=wanted.link,
        context=dict(wanted.context),
        submitter=wanted.submitter.strip(),
        rule=wanted.rule,
        comment_required=wanted.comment_required,
        mail_decision=wanted.mail_decision,
        callback_url=wanted.callback_url,
        status="pending",
        created_at=now,
        expires_at=now + lasts,
        approvers=_approvers(wanted.approvers),
        decisions=[],
    )
    db.session.add(approval)
    return approval


def _approvers(names: tuple[str, ...]) -> list[ApprovalApprover]:
    rows, wrong = [], []
    for name in dict.fromkeys(name.strip() for name in names):
        if name.startswith(_GROUP):
            group = name.removeprefix(_GROUP).lower()
            if is_safe_header(group) and db.session.scalar(_active_members(group)):
                rows.append(ApprovalApprover(group=group))
            else:
                wrong.append(f"The group {group!r} has no active account.")
            continue
        user = accounts.find(name)
        if user is None or not user.active:
            wrong.append(f"There is no active account {name!r}.")
        else:
            rows.append(ApprovalApprover(user=user))
    if wrong:
        raise InvalidInput({"approvers": wrong})
    return rows


def _active_members(group: str) -> Any:
    members = select(User.id).join(Membership, Membership.user_id == User.id)
    return members.where(Membership.group == group, User.active).limit(1)
