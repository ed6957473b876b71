"""How each thing looks to programs: one shape for the API and for `--json` on the command line.

Plain JSON values only; moments are ISO 8601 in UTC and end with Z. No secret is in any of them:
a password is `set` or `not set`, and texts that mail brought in show no reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flexmail.mail.reference import mask
from flexmail.models import ApiToken, AuditEntry, Callback, EmailSettings, OutboxMail, Reply, User
from flexmail.services import settings
from flexmail.services.inbox import Report
from flexmail.services.moments import moment_shape
from flexmail.services.paging import Page

if TYPE_CHECKING:  # what words events takes long to load
    from flexmail.services.events import Report as EventReport

__all__ = [
    "Shape",
    "audit_shape",
    "callback_shape",
    "event_shape",
    "list_shape",
    "mail_shape",
    "meaning_of",
    "page_shape",
    "reply_shape",
    "reply_summary",
    "run_shape",
    "settings_shape",
    "token_shape",
    "user_shape",
]

Row = TypeVar("Row")
Shape = dict[str, Any]
_NOT_GONE = ("queued", "failed", "cancelled")


def page_shape(page: Page[Row], shape: Callable[[Row], Shape]) -> Shape:
    """Return one page of a list."""
    return list_shape([shape(row) for row in page.items], page.next_cursor)


def list_shape(items: list[Shape], next_cursor: str | None = None) -> Shape:
    """Return a list as all lists look."""
    return {"items": items, "next_cursor": next_cursor}


def reply_shape(reply: Reply) -> Shape:
    """Return what became of one mail, and why."""
    return reply_summary(reply) | {
        "processed_at": moment_shape(reply.processed_at),
        "first_seen_at": moment_shape(reply.first_seen_at),
        "size_bytes": reply.size_bytes,
        "raw_partial": reply.raw_partial,
        "restored_at": moment_shape(reply.restored_at),
    }


def reply_summary(reply: Reply) -> Shape:
    """Return what a run says about one mail."""
    return {
        "id": reply.id,
        "outcome": reply.outcome,
        "reason": mask(reply.reason),
        "approval_id": reply.approval_id,
        "from": mask(reply.sender),
        "subject": mask(reply.subject),
        "message_id": reply.message_id,
    }


def run_shape(report: Report, replies: list[Reply]) -> Shape:
    """Return one run of the reply job with what became of each mail."""
    return {
        "at": moment_shape(report.at),
        "looked_at": report.looked_at,
        "left": report.left,
        "held": report.held,
        "by_outcome": report.by_outcome,
        "replies": [reply_summary(reply) for reply in replies],
        "seconds": report.seconds,
        "error": report.error or report.waits_for,
    }


def mail_shape(mail: OutboxMail) -> Shape:
    """Return one mail of the outbox; `retry_at` only while it waits."""
    return {
        "id": mail.id,
        "kind": mail.kind,
        "recipient": mail.recipient,
        "subject": mask(mail.subject),
        "state": mail.state,
        "attempts": mail.attempts,
        "retry_at": moment_shape(mail.retry_at if mail.state == "queued" else None),
        "status_code": mail.status_code,
        "answer": mask(mail.answer or ""),
        "meaning": meaning_of(mail),
        "created_at": moment_shape(mail.created_at),
        "sent_at": moment_shape(mail.sent_at),
        "bounced_at": moment_shape(mail.bounced_at),
        "approval_id": mail.approval_id,
        "event_id": mail.event_id,
        "encrypted": mail.encrypted,
    }


def meaning_of(mail: OutboxMail) -> str:
    """Return what the last answer to a mail that did not go means, and what to do; or nothing."""
    from flexmail.mail.server_answer import meaning  # of mail alone, and takes a while to load

    return meaning(mail.answer or "", mail.status_code) if mail.state in _NOT_GONE else ""


def callback_shape(callback: Callback) -> Shape:
    """Return one callback; what it carries is the approval, and its own place to look."""
    from flexmail.services.approval_shape import callback_state

    return {
        "id": callback.id,
        "approval_id": callback.approval_id,
        "url": callback.url,
        "created_at": moment_shape(callback.created_at),
        **callback_state(callback),
    }


def event_shape(report: EventReport) -> Shape:
    """Return what became of an event."""
    skipped = [{"recipient": skip.recipient, "reason": skip.reason} for skip in report.skipped]
    return {"id": report.event_id, "queued": report.queued, "skipped": skipped}


def settings_shape(row: EmailSettings) -> Shape:
    """Return the settings as stored, in the order of the page, and what is in force."""
    stored = settings.stored_values(row) | settings.secret_status(row)
    names = (column.name.removeprefix("sealed_") for column in EmailSettings.__table__.columns)
    return {name: stored[name] for name in names if name in stored} | {
        "in_force": _in_force_shape(row)
    }


def user_shape(user: User) -> Shape:
    """Return an account."""
    return {
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "groups": user.group_names,
        "active": user.active,
        "password": "set" if user.password_hash else "not set",
        "created_at": moment_shape(user.created_at),
    }


def token_shape(token: ApiToken) -> Shape:
    """Return what is known of a token; its secret is not."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": moment_shape(token.created_at),
        "last_used_at": moment_shape(token.last_used_at),
        "revoked_at": moment_shape(token.revoked_at),
    }


def audit_shape(entry: AuditEntry) -> Shape:
    """Return one entry of the audit log."""
    names = ("id", "actor", "channel", "action", "subject", "proof", "chain")
    return {"at": moment_shape(entry.at)} | {name: getattr(entry, name) for name in names}


def _in_force_shape(row: EmailSettings) -> Shape:
    """Return the fields that fall back on another, as they work."""
    in_force = settings.in_force(row)
    return {
        "imap_user": in_force.imap_user,
        "imap_password": in_force.imap_password,
        "imap_auth": row.imap_auth or row.smtp_auth,
        "email_reply_folder": in_force.email_reply_folder,
        "approval_reply_address": in_force.approval_reply_address,
    }
