"""Accounts, their groups, failed sign-ins and the keys that programs use."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flexmail.db import Base, UtcDateTime

ROLES = ("admin", "approver")


class User(Base):
    """An account: an admin sees all; an approver sees the own approvals.

    `digest` says how often it wants to hear of events that can wait (`DIGESTS`).
    """

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    role: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    session_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(16), default="at_once")
    groups: Mapped[list["Membership"]] = relationship(
        cascade="all, delete-orphan", order_by="Membership.group", lazy="selectin"
    )

    @property
    def group_names(self) -> list[str]:
        """Names of the groups, sorted."""
        return [membership.group for membership in self.groups]


class Membership(Base):
    """That an account belongs to a group; a group is its name and nothing more."""

    __tablename__ = "memberships"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    group: Mapped[str] = mapped_column(String(64), primary_key=True)


class SignInFailure(Base):
    """Failed sign-ins of one account name or address, to slow guessing down."""

    __tablename__ = "sign_in_failures"
    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class ApiToken(Base):
    """A program's key to the API, known only by its digest.

    `sealed_webhook_secret` signs the callbacks of approvals that were made with it, to their end.
    """

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    sealed_webhook_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
