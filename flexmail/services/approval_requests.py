"""Ask for an approval: check, store, make one secret reference an approver, queue one mail each.

All of it is one commit: an approval never exists without its mail, nor mail without its approval.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.mail.address import is_safe_header
from flexmail.mail.reference import find_references
from flexmail.models import Approval, ApprovalApprover, Membership, User
from flexmail.services import accounts, approval_mail, approvals, audit, installation

MAX_TITLE_CHARACTERS = 200
MAX_DETAILS_CHARACTERS = 20_000
MAX_APPROVERS = 100
MAX_CONTEXT_CHARACTERS = 20_000
MIN_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS = 60, 365 * 24 * 3600
_GROUP = "group:"


@dataclass(frozen=True, slots=True)
class NewApproval:
    """What a caller asks for; `approvers` are account addresses or `group:NAME`."""

    title: str
    approvers: tuple[str, ...]
    details: str = ""
    rule: str = "any"
    expires_in: int | None = None
    link: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    submitter: str = ""
    comment_required: bool = False
    mail_decision: str = "allow"


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
    _check(wanted)
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


def _check(wanted: NewApproval) -> None:
    errors: dict[str, list[str]] = {}
    if not wanted.title.strip() or len(wanted.title) > MAX_TITLE_CHARACTERS:
        errors["title"] = [f"Give a title of 1 to {MAX_TITLE_CHARACTERS} characters."]
    elif not is_safe_header(wanted.title):
        errors["title"] = ["A title is one line, without control characters."]
    in_one_line = re.sub(r"[\t\r\n]", " ", wanted.details)
    if len(wanted.details) > MAX_DETAILS_CHARACTERS or not is_safe_header(in_one_line):
        errors["details"] = [
            f"Details are text of at most {MAX_DETAILS_CHARACTERS} characters,"
            " without control characters."
        ]
    if not 1 <= len(wanted.approvers) <= MAX_APPROVERS:
        errors["approvers"] = [f"Name 1 to {MAX_APPROVERS} approvers."]
    if wanted.rule != "any":
        errors["rule"] = ["Give any: the first decision ends the request."]
    seconds = wanted.expires_in
    if seconds is not None and not MIN_EXPIRY_SECONDS <= seconds <= MAX_EXPIRY_SECONDS:
        errors["expires_in"] = [f"Give {MIN_EXPIRY_SECONDS} to {MAX_EXPIRY_SECONDS} seconds."]
    if wanted.link and not _is_web_address(wanted.link):
        errors["link"] = ["Give an address that begins with https:// or http://."]
    if len(json.dumps(dict(wanted.context))) > MAX_CONTEXT_CHARACTERS:
        errors["context"] = [f"Context is JSON of at most {MAX_CONTEXT_CHARACTERS} characters."]
    if len(wanted.submitter) > 254 or not is_safe_header(wanted.submitter):
        errors["submitter"] = ["Give one line of at most 254 characters."]
    if wanted.mail_decision not in ("allow", "reject_only"):
        errors["mail_decision"] = ["Give allow or reject_only."]
    for name in ("title", "details", "link", "submitter"):
        if find_references(getattr(wanted, name)):
            errors[name] = ["Leave out what looks like a reference of flexmail (FM-...)."]
    if errors:
        raise InvalidInput(errors)


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and len(link) <= 2000
        and is_safe_header(link)
        and " " not in link
    )


def _digest_of(wanted: NewApproval) -> str:
    return hashlib.sha256(json.dumps(asdict(wanted), sort_keys=True).encode()).hexdigest()


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
            if db.session.scalar(_active_members(group)):
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
