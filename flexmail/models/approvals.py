"""Requests for a yes or no, who may answer, and what was answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flexmail.db import Base, UtcDateTime
from flexmail.models.accounts import User

FINAL_STATUSES = ("approved", "rejected", "expired", "cancelled")


class Approval(Base):
    """A request for a yes or no; its status is final once it left `pending`."""

    __tablename__ = "approvals"
    __table_args__ = (
        UniqueConstraint("token_id", "idempotency_key", name="uq_approvals_idempotency"),
        Index("ix_approvals_status_expires", "status", "expires_at"),
        Index("ix_approvals_status_id", "status", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    details: Mapped[str] = mapped_column(Text, default="")
    link: Mapped[str] = mapped_column(String(2000), default="")
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    submitter: Mapped[str] = mapped_column(String(254), default="")
    rule: Mapped[str] = mapped_column(String(8), default="any")
    comment_required: Mapped[bool] = mapped_column(default=False)
    mail_decision: Mapped[str] = mapped_column(String(16), default="allow")
    status: Mapped[str] = mapped_column(String(16), default="pending")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_tokens.id"))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_digest: Mapped[str | None] = mapped_column(String(64))
    callback_url: Mapped[str] = mapped_column(String(2000), default="")
    approvers: Mapped[list["ApprovalApprover"]] = relationship(
        order_by="ApprovalApprover.id", lazy="selectin"
    )
    decisions: Mapped[list["Decision"]] = relationship(
        order_by="Decision.id", back_populates="approval", lazy="selectin"
    )


class ApprovalApprover(Base):
    """Who may decide: one account, or whoever is in a group at the moment of deciding."""

    __tablename__ = "approval_approvers"
    id: Mapped[int] = mapped_column(primary_key=True)
    approval_id: Mapped[int] = mapped_column(ForeignKey("approvals.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    group: Mapped[str | None] = mapped_column(String(64), index=True)
    user: Mapped[User | None] = relationship(lazy="joined")


class ApprovalReference(Base):
    """The secret that binds a reply to one approval and one approver, as its digest."""

    __tablename__ = "approval_references"
    __table_args__ = (UniqueConstraint("approval_id", "user_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    approval_id: Mapped[int] = mapped_column(ForeignKey("approvals.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    reference_digest: Mapped[str] = mapped_column(String(64), unique=True)
    message_id_digest: Mapped[str] = mapped_column(String(64), unique=True)
    approval: Mapped[Approval] = relationship()
    user: Mapped[User] = relationship()


class Decision(Base):
    """One approver's verdict; the first one stands."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("approval_id", "user_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    approval_id: Mapped[int] = mapped_column(ForeignKey("approvals.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    verdict: Mapped[str] = mapped_column(String(8))
    comment: Mapped[str] = mapped_column(Text, default="")
    channel: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    approval: Mapped[Approval] = relationship(back_populates="decisions")
    user: Mapped[User] = relationship(lazy="joined")
