"""events, subscriptions and their words, digests, limits, troubles of our own"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _events()
    _wishes()
    op.create_table(
        "troubles",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_troubles")),
    )
    _add("users", sa.Column("digest", sa.String(length=16), server_default="at_once"))
    _add("channels", sa.Column("failures", sa.Integer(), server_default="0"))
    _add("channels", sa.Column("login_refused", sa.Boolean(), server_default=sa.false()))
    _add("channels", sa.Column("growing", sa.Integer(), server_default="0"))
    with op.batch_alter_table("callbacks") as callbacks:
        callbacks.alter_column("approval_id", existing_type=sa.Integer(), nullable=True)
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("event_id", sa.Integer()))
        outbox.create_foreign_key(op.f("fk_outbox_event_id"), "events", ["event_id"], ["id"])
        outbox.create_index(op.f("ix_outbox_event_id"), ["event_id"])
        outbox.create_index("ix_outbox_kind_id", ["kind", "id"])
        outbox.create_index("ix_outbox_kind_state_id", ["kind", "state", "id"])
        outbox.create_index("ix_outbox_recipient_id", ["recipient", "id"])
        outbox.drop_index(op.f("ix_outbox_recipient"))


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["token_id"], ["api_tokens.id"], name=op.f("fk_events_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_created_at"), "events", ["created_at"])
    op.create_index("ix_events_type_id", "events", ["type", "id"])
    op.create_table(
        "event_skips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=260), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_skips_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_skips")),
    )
    op.create_index(op.f("ix_event_skips_event_id"), "event_skips", ["event_id"])
    op.create_index("ix_event_skips_recipient_id", "event_skips", ["recipient", "id"])
    op.create_table(
        "event_templates",
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("failed_at", sa.DateTime(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("type", name=op.f("pk_event_templates")),
    )
    op.create_table(
        "digest_items",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_digest_items_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_items")),
    )
    op.create_index(op.f("ix_digest_items_due_at"), "digest_items", ["due_at"])
    op.create_index(op.f("ix_digest_items_event_id"), "digest_items", ["event_id"])
    op.create_index("ix_digest_items_recipient_due", "digest_items", ["recipient", "due_at"])


def _wishes() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("recipient", sa.String(length=260), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("scope", "type", "recipient", name="uq_subscriptions"),
    )
    op.create_index(op.f("ix_subscriptions_recipient"), "subscriptions", ["recipient"])
    op.create_table(
        "opt_outs",
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("address", "type", name=op.f("pk_opt_outs")),
    )
    op.create_table(
        "hourly_counts",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("hour", sa.DateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "hour", name=op.f("pk_hourly_counts")),
    )
    op.create_index(op.f("ix_hourly_counts_hour"), "hourly_counts", ["hour"])


def _add(table: str, column: sa.Column) -> None:
    """Add a column that every row needs; the rows there get its first value."""
    first = column.server_default
    column.nullable = False
    with op.batch_alter_table(table) as rows:
        rows.add_column(column)
    if first is not None:
        with op.batch_alter_table(table) as rows:
            rows.alter_column(column.name, existing_type=column.type, server_default=None)
