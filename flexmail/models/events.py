"""Events, who wants to hear of them, and in which words."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flexmail.db import Base, UtcDateTime

DIGESTS = ("at_once", "hourly", "daily")
"""How often somebody wants to hear of events that can wait."""


class Event(Base):
    """Something that happened, as a program told it; `scope` is a path such as `billing/prod`."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_type_id", "type", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(200), default="")
    subject: Mapped[str] = mapped_column(String(200), default="")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_tokens.id"))
    skips: Mapped[list["EventSkip"]] = relationship(
        order_by="EventSkip.id", cascade="all, delete-orphan", back_populates="event"
    )


class EventSkip(Base):
    """Somebody who was to hear of an event and does not, and why."""

    __tablename__ = "event_skips"
    __table_args__ = (Index("ix_event_skips_recipient_id", "recipient", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(260))
    reason: Mapped[str] = mapped_column(Text)
    event: Mapped[Event] = relationship(back_populates="skips")


class Subscription(Base):
    """Who wants to hear of which events: of a type, `*` standing for anything, at a scope and
    everything below it; "" is everywhere.

    `recipient` is an address, with an account or without, or `group:NAME`.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (UniqueConstraint("scope", "type", "recipient", name="uq_subscriptions"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(200), default="")
    recipient: Mapped[str] = mapped_column(String(260), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OptOut(Base):
    """That an address wants no mail about events of a type; `*` stands for every type."""

    __tablename__ = "opt_outs"
    address: Mapped[str] = mapped_column(String(254), primary_key=True)
    type: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class EventTemplate(Base):
    """The words for events of one type, where an admin wrote some.

    Since `failed_at` they could not be used for any event; `failure` says why at the last.
    """

    __tablename__ = "event_templates"
    type: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(Text, default="")


class DigestItem(Base):
    """An event that waits for somebody's next summary, due at `due_at`."""

    __tablename__ = "digest_items"
    __table_args__ = (Index("ix_digest_items_recipient_due", "recipient", "due_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(254))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), index=True)
    subject: Mapped[str] = mapped_column(String(400))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    event: Mapped[Event] = relationship()


class HourlyCount(Base):
    """How often something happened within one hour by the clock, to set it a limit."""

    __tablename__ = "hourly_counts"
    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True, index=True)
    count: Mapped[int] = mapped_column(default=0)
