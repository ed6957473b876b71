"""bounces of our own mail, canaries"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("bounced_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(
            sa.Column("status_code", sa.String(length=16), nullable=False, server_default="")
        )
    with op.batch_alter_table("outbox") as outbox:
        outbox.alter_column("status_code", server_default=None)
    op.create_table(
        "canaries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_digest", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=400), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("settled_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canaries")),
        sa.UniqueConstraint("target_digest", name=op.f("uq_canaries_target_digest")),
    )
