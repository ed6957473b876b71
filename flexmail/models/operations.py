"""Who owns the jobs, and how they fare."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from flexmail.db import Base, UtcDateTime

CALLBACK_STATES = ("queued", "sending", "sent", "failed")
AUDIT_ACTIONS = (
    "account_added",
    "account_disabled",
    "account_edited",
    "account_enabled",
    "approval_approved",
    "approval_cancelled",
    "approval_expired",
    "approval_rejected",
    "approval_requested",
    "audit_end_lost",
    "backup_made",
    "backup_restored",
    "canary_passed",
    "canary_refused",
    "canary_repeated",
    "digest_chosen",
    "folder_confirmed",
    "installation_claimed",
    "installation_made",
    "keys_dropped",
    "keys_rotated",
    "mail_cancelled",
    "mail_reprocessed",
    "mail_restored",
    "mail_retried",
    "notifications_switched_off",
    "notifications_switched_on",
    "password_changed",
    "sessions_ended",
    "settings_saved",
    "sign_in_throttled",
    "signed_in",
    "subscription_added",
    "subscription_removed",
    "template_reset",
    "template_saved",
    "token_created",
    "token_revoked",
)
"""Everything that the audit log records, by name."""


class Lease(Base):
    """Who owns something until when; `fence` grows with every change of owner."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(160), default="")
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(default=0)


class Channel(Base):
    """How a job (`replies`, `outbox`) fares: its last run, and since when and why it fails.

    `pace` is how many mails a batch may hold while the server wants them slower, `failures` how
    many runs failed since one did not, `login_refused` whether the last one did at the login, and
    `growing` after how many runs in a row more waited than after the one before.
    """

    __tablename__ = "channels"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str] = mapped_column(Text, default="")
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_revision: Mapped[int | None]
    pace: Mapped[int | None]
    failures: Mapped[int] = mapped_column(default=0)
    login_refused: Mapped[bool] = mapped_column(default=False)
    growing: Mapped[int] = mapped_column(default=0)


class Trouble(Base):
    """Something that is wrong with flexmail's own mail, since when, and what it is.

    There is a row only while it lasts; who was told that it began is told that it ended.
    """

    __tablename__ = "troubles"
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)


class Canary(Base):
    """A mail with a forged proof of its sender, and whether the mail server let it through.

    `target_digest` stands for all that the answer depends on: the mailbox, the way into it and the
    name of the server that is trusted. States: `sent`, then `passed` or `refused`.
    """

    __tablename__ = "canaries"
    id: Mapped[int] = mapped_column(primary_key=True)
    target_digest: Mapped[str] = mapped_column(String(64), unique=True)
    message_id: Mapped[str] = mapped_column(String(400))
    state: Mapped[str] = mapped_column(String(16), default="sent")
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Installation(Base):
    """The one row that says which installation this database belongs to.

    `mark` stands beside the keys too: a copy of the database elsewhere has another one there.
    `sealed_webhook_secret` signs callbacks of approvals that were made without a token,
    `sealed_audit_end` holds number and chain of the last entry of the audit log. No approval gets
    an id below `approval_ids_from`: after a restore no id may mean two requests.
    """

    __tablename__ = "installation"
    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(String(64))
    sealed_webhook_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_audit_end: Mapped[bytes | None] = mapped_column(LargeBinary)
    approval_ids_from: Mapped[int] = mapped_column(default=1)
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Callback(Base):
    """One announcement to a program: the same body and `webhook_id` on every try.

    `origin` is scheme, host and port of the address: what is slow or away together. One without
    an approval tells the operator of a trouble of our own.
    """

    __tablename__ = "callbacks"
    __table_args__ = (
        Index("ix_callbacks_due", "state", "retry_at"),
        Index("ix_callbacks_state_id", "state", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(String(64), unique=True)
    approval_id: Mapped[int | None] = mapped_column(ForeignKey("approvals.id"), index=True)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_tokens.id"))
    url: Mapped[str] = mapped_column(String(2000))
    origin: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text, deferred=True)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str | None] = mapped_column(String(120))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEntry(Base):
    """Who did what, when, through what and on which proof; never changed, never removed.

    `chain` is the SHA-256 over the entry before and all fields of this one.
    """

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(320))
    channel: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(400), default="")
    proof: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    chain: Mapped[str] = mapped_column(String(64))
