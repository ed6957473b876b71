"""How an approval looks to programs: in the API, on the command line and in its callback alike.

It stands below the stories that close approvals, for a callback is written while one is closed.
"""

from __future__ import annotations

from typing import Any

from flexmail.mail.reference import mask
from flexmail.models import Approval, Callback, OutboxMail
from flexmail.services import bounces, callbacks
from flexmail.services.moments import moment_shape

Shape = dict[str, Any]


def approval_shape(approval: Approval) -> Shape:
    """Return an approval with its decisions, and how its mails and its callback fare."""
    callback = callbacks.of_approval(approval.id) if approval.callback_url else None
    return {
        "id": approval.id,
        "status": approval.status,
        "title": approval.title,
        "details": approval.details,
        "link": approval.link,
        "context": approval.context,
        "submitter": approval.submitter,
        "rule": approval.rule,
        "comment_required": approval.comment_required,
        "mail_decision": approval.mail_decision,
        "approvers": [
            approver.user.email if approver.user else f"group:{approver.group}"
            for approver in approval.approvers
        ],
        "decisions": [
            {
                "by": decision.user.email,
                "verdict": decision.verdict,
                "comment": decision.comment,
                "channel": decision.channel,
                "at": moment_shape(decision.at),
            }
            for decision in approval.decisions
        ],
        "callback_url": approval.callback_url,
        "callback": None if callback is None else callback_state(callback),
        "deliveries": [delivery_shape(mail) for mail in bounces.deliveries(approval.id)],
        "created_at": moment_shape(approval.created_at),
        "expires_at": moment_shape(approval.expires_at),
        "decided_at": moment_shape(approval.decided_at),
    }


def delivery_shape(mail: OutboxMail) -> Shape:
    """Return how one mail fares; `at` is when it bounced, else when it was sent, else made."""
    return {
        "to": mail.recipient,
        "state": mail.state,
        "status_code": mail.status_code,
        "answer": mask(mail.answer or ""),
        "at": moment_shape(mail.bounced_at or mail.sent_at or mail.created_at),
    }


def callback_state(callback: Callback) -> Shape:
    """Return how a callback fares; `retry_at` only while it waits."""
    return {
        "webhook_id": callback.webhook_id,
        "state": callback.state,
        "attempts": callback.attempts,
        "retry_at": moment_shape(callback.retry_at if callback.state == "queued" else None),
        "answer": callback.answer,
        "sent_at": moment_shape(callback.sent_at),
    }
