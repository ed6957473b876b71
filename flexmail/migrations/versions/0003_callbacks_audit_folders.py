"""callbacks, audit, installation, what is known of reply folders, contents of mails apart"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("api_tokens", sa.Column("sealed_webhook_secret", sa.LargeBinary()))
    op.add_column("replies", sa.Column("restored_at", sa.DateTime()))
    op.add_column("channels", sa.Column("pace", sa.Integer()))
    with op.batch_alter_table("approvals") as approvals:
        approvals.add_column(
            sa.Column("callback_url", sa.String(length=2000), nullable=False, server_default="")
        )
    with op.batch_alter_table("approvals") as approvals:
        approvals.alter_column("callback_url", server_default=None)
    with op.batch_alter_table("replies") as replies:  # up to 2**32 - 1, RFC 9051 9 (nz-number)
        replies.alter_column("uid", type_=sa.BigInteger())
        replies.alter_column("uidvalidity", type_=sa.BigInteger())
    op.create_table(
        "outbox_contents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sealed_content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["outbox.id"], name=op.f("fk_outbox_contents_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_contents")),
    )
    op.execute(
        "INSERT INTO outbox_contents (id, sealed_content) SELECT id, sealed_content FROM outbox"
    )
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_column("sealed_content")
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("sealed_webhook_secret", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_audit_end", sa.LargeBinary(), nullable=True),
        sa.Column("approval_ids_from", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "reply_folders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=600), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("held_below_uid", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.JSON(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(), nullable=True),
        sa.Column("scanned_uid", sa.BigInteger(), nullable=False),
        sa.Column("scanned_position", sa.Integer(), nullable=False),
        sa.Column("promising", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_folders")),
        sa.UniqueConstraint("account", "folder", name=op.f("uq_reply_folders_account_folder")),
    )
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("webhook_id", sa.String(length=64), nullable=False),
        sa.Column("approval_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(length=120), nullable=True),
        sa.Column("claimed_until", sa.DateTime(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_callbacks_approval_id")
        ),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_callbacks_token_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
        sa.UniqueConstraint("webhook_id", name=op.f("uq_callbacks_webhook_id")),
    )
    op.create_index("ix_callbacks_due", "callbacks", ["state", "retry_at"])
    op.create_index("ix_callbacks_state_id", "callbacks", ["state", "id"])
    op.create_index(op.f("ix_callbacks_approval_id"), "callbacks", ["approval_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("proof", sa.JSON(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_action"), "audit", ["action"])
    op.create_index("ix_approvals_status_id", "approvals", ["status", "id"])
    op.create_index("ix_outbox_state_id", "outbox", ["state", "id"])
    op.create_index(
        "ix_outbox_in_clear",
        "outbox",
        ["kind"],
        sqlite_where=sa.text("encrypted IS 0"),
        postgresql_where=sa.text("encrypted IS false"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit BEGIN"
                " SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
