"""Who owns the jobs, and how they fare."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from flexmail.db import Base, UtcDateTime


class Lease(Base):
    """Who owns something until when; `fence` grows with every change of owner."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(160), default="")
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(default=0)


class Channel(Base):
    """How a job (`replies`, `outbox`) fares: its last run, and since when and why it fails."""

    __tablename__ = "channels"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str] = mapped_column(Text, default="")
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_revision: Mapped[int | None]


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
