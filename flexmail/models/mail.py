"""Mail in and mail out, one row each."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flexmail.db import Base, UtcDateTime

OUTCOMES = (
    "approved",
    "rejected",
    "unclear",
    "unknown_reference",
    "wrong_sender",
    "unauthenticated",
    "not_an_approver",
    "already_decided",
    "expired",
    "cancelled",
    "mail_not_allowed",
    "auto_reply",
    "bounce",
    "own_mail",
    "too_large",
    "malformed",
    "duplicate",
    "failed",
)
MAIL_KINDS = (
    "approval_request",
    "reply_confirmation",
    "reply_explanation",
    "event",
    "digest",
    "test",
    "canary",
)
MAIL_STATES = ("queued", "sending", "sent", "failed", "cancelled")


class Reply(Base):
    """One mail taken from the reply folder; without an outcome it is still being tried.

    `account` is `user@host:port`. The same (account, folder, UIDVALIDITY, UID) with the same
    SHA-256 is the same mail (RFC 9051, section 2.3.1.1). One that was put back into the folder
    (`restored_at`) does not make the mail that comes from there a duplicate. One that the server
    does not hand over has the digest of nothing, and is asked for again at `retry_at`.
    """

    __tablename__ = "replies"
    __table_args__ = (
        UniqueConstraint("account", "folder", "uidvalidity", "uid", "sha256", name="uq_replies"),
        Index("ix_replies_processed", "processed_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(600))
    folder: Mapped[str] = mapped_column(String(255))
    uidvalidity: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[str | None] = mapped_column(String(32), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    sender: Mapped[str] = mapped_column(String(400), default="")
    subject: Mapped[str] = mapped_column(String(400), default="")
    message_id: Mapped[str] = mapped_column(String(400), default="")
    approval_id: Mapped[int | None] = mapped_column(ForeignKey("approvals.id"), index=True)
    sealed_raw: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    raw_partial: Mapped[bool] = mapped_column(default=False)
    kept_by_server: Mapped[bool] = mapped_column(default=False)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    restored_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReplyFolder(Base):
    """What is known of one reply folder as a whole, and of the mails in it that nobody took yet.

    Mails below `held_below_uid` were there before flexmail was, and stay untouched until an admin
    confirms; None when nothing is held. `scanned_uid` is the last mail whose headers were looked
    at, `scanned_position` how many mails there were up to it, `promising` the UIDs among them that
    answer a request, each with the approval's id.
    """

    __tablename__ = "reply_folders"
    __table_args__ = (UniqueConstraint("account", "folder"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(600))
    folder: Mapped[str] = mapped_column(String(255))
    uidvalidity: Mapped[int] = mapped_column(BigInteger)
    held_below_uid: Mapped[int | None] = mapped_column(BigInteger)
    held: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scanned_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    scanned_position: Mapped[int] = mapped_column(default=0)
    promising: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class OutboxMail(Base):
    """One mail to one recipient: rendered once, stored sealed, sent at least once.

    A delivery report that says it failed later makes a `sent` mail `failed`: then `bounced_at` is
    set and `status_code` is the report's (RFC 3463, such as 5.1.1). `sealed_content` is given once
    and stored in a row of its own.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due", "state", "retry_at"),
        Index("ix_outbox_state_id", "state", "id"),
        Index("ix_outbox_recipient_id", "recipient", "id"),
        Index("ix_outbox_kind_id", "kind", "id"),
        Index("ix_outbox_kind_state_id", "kind", "state", "id"),
        Index(
            "ix_outbox_in_clear",
            "kind",
            # PostgreSQL's stands in the migration alone: named here, it loads all of its dialect.
            sqlite_where=text("encrypted IS 0"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(400))
    message_id_digest: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str | None] = mapped_column(String(120))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str] = mapped_column(Text, default="")
    encrypted: Mapped[bool | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status_code: Mapped[str] = mapped_column(String(16), default="")
    approval_id: Mapped[int | None] = mapped_column(ForeignKey("approvals.id"), index=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"), index=True)
    content: Mapped["OutboxContent | None"] = relationship()

    @property
    def sealed_content(self) -> bytes:
        """What it consists of, sealed; b"" where that is missing in the database."""
        return self.content.sealed_content if self.content else b""


class OutboxContent(Base):
    """What a mail consists of; apart, since each change of a row writes all of the row anew."""

    __tablename__ = "outbox_contents"
    id: Mapped[int] = mapped_column(ForeignKey("outbox.id"), primary_key=True)
    sealed_content: Mapped[bytes] = mapped_column(LargeBinary)
