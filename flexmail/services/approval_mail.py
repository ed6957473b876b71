"""The mail that asks for an approval, and the secret references that answers carry back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flexmail.db import db
from flexmail.errors import Conflict
from flexmail.mail.address import parse_mailbox
from flexmail.mail.compose import mailto, reference_block, reply_body
from flexmail.mail.reference import digest, new_reference
from flexmail.models import Approval, ApprovalReference
from flexmail.services import approvers, outbox, settings


def notify(approval: Approval, *, now: datetime) -> None:
    """Queue one mail to each approver, with a reference that is theirs alone.

    Joins the caller's transaction. The reference stands in the mail only; the database gets its
    digest, and the digest of the mail's Message-ID, which serves a reply without history.

    Raises:
        Conflict: e-mail is not set up.
    """
    row = settings.load()
    if not row.smtp_from_address:
        raise Conflict("E-mail is not set up yet: fill in the email settings first.")
    in_force = settings.in_force(row)
    reply_address = parse_mailbox(in_force.approval_reply_address).addr_spec
    for user in approvers.people(approval):
        reference, message_id = new_reference(), outbox.own_message_id(row.smtp_from_address)
        db.session.add(
            ApprovalReference(
                approval_id=approval.id,
                user_id=user.id,
                reference_digest=digest(reference),
                message_id_digest=digest(message_id),
            )
        )
        context: dict[str, Any] = {"approval": approval, "approver": user, "answer": None}
        if in_force.enable_email_approval:
            subject = f"Re: Approval requested: {approval.title} [FM #{approval.id}]"
            context["answer"] = {
                "approve": mailto(reply_address, subject, reply_body("Approve", reference)),
                "reject": mailto(reply_address, subject, reply_body("Reject", reference)),
                "may_approve": approval.mail_decision == "allow",
                "block": reference_block(reference),
            }
        outbox.queue(
            "approval_request",
            user.email,
            context,
            now=now,
            threading=outbox.Threading(message_id=message_id, reply_to=reply_address),
            approval_id=approval.id,
        )
