"""first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:

    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_api_tokens_token_digest")),
    )
    op.create_table(
        "channels",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("failing_since", sa.DateTime(), nullable=True),
        sa.Column("paused_until", sa.DateTime(), nullable=True),
        sa.Column("paused_revision", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_channels")),
    )
    op.create_table(
        "email_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("smtp_host_name", sa.String(length=253), nullable=False),
        sa.Column("smtp_host_port", sa.Integer(), nullable=False),
        sa.Column("smtp_user", sa.String(length=320), nullable=False),
        sa.Column("sealed_smtp_password", sa.LargeBinary(), nullable=True),
        sa.Column("smtp_from_address", sa.String(length=400), nullable=False),
        sa.Column("smtp_enable_starttls", sa.Boolean(), nullable=False),
        sa.Column("smtp_implicit_tls", sa.Boolean(), nullable=False),
        sa.Column("smtp_auth", sa.String(length=16), nullable=False),
        sa.Column("enable_email_approval", sa.Boolean(), nullable=False),
        sa.Column("imap_host_name", sa.String(length=253), nullable=False),
        sa.Column("imap_host_port", sa.Integer(), nullable=False),
        sa.Column("imap_user", sa.String(length=320), nullable=False),
        sa.Column("sealed_imap_password", sa.LargeBinary(), nullable=True),
        sa.Column("imap_inherits_password", sa.Boolean(), nullable=False),
        sa.Column("imap_enable_starttls", sa.Boolean(), nullable=False),
        sa.Column("imap_implicit_tls", sa.Boolean(), nullable=False),
        sa.Column("imap_auth", sa.String(length=16), nullable=False),
        sa.Column("email_reply_folder", sa.String(length=255), nullable=False),
        sa.Column("approval_reply_address", sa.String(length=400), nullable=False),
        sa.Column("email_reply_process_interval", sa.Integer(), nullable=False),
        sa.Column("email_reply_process_count", sa.Integer(), nullable=False),
        sa.Column("approve_words", sa.Text(), nullable=False),
        sa.Column("reject_words", sa.Text(), nullable=False),
        sa.Column("reply_trust", sa.String(length=32), nullable=False),
        sa.Column("trusted_authserv_id", sa.String(length=253), nullable=False),
        sa.Column("tls_ca_certificates", sa.Text(), nullable=False),
        sa.Column("process_as_they_arrive", sa.Boolean(), nullable=False),
        sa.Column("keep_processed_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_settings")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=160), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_failures")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("link", sa.String(length=2000), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("submitter", sa.String(length=254), nullable=False),
        sa.Column("rule", sa.String(length=8), nullable=False),
        sa.Column("comment_required", sa.Boolean(), nullable=False),
        sa.Column("mail_decision", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_digest", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_approvals_token_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("token_id", "idempotency_key", name="uq_approvals_idempotency"),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index("ix_approvals_status_expires", ["status", "expires_at"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("group", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("user_id", "group", name=op.f("pk_memberships")),
    )
    op.create_table(
        "approval_approvers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("approval_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_approval_approvers_approval_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_approval_approvers_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_approvers")),
    )
    with op.batch_alter_table("approval_approvers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_approval_approvers_approval_id"), ["approval_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_approval_approvers_group"), ["group"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_approval_approvers_user_id"), ["user_id"], unique=False
        )

    op.create_table(
        "approval_references",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("approval_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("reference_digest", sa.String(length=64), nullable=False),
        sa.Column("message_id_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_approval_references_approval_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_approval_references_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_references")),
        sa.UniqueConstraint(
            "approval_id", "user_id", name=op.f("uq_approval_references_approval_id_user_id")
        ),
        sa.UniqueConstraint(
            "message_id_digest", name=op.f("uq_approval_references_message_id_digest")
        ),
        sa.UniqueConstraint(
            "reference_digest", name=op.f("uq_approval_references_reference_digest")
        ),
    )
    with op.batch_alter_table("approval_references", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_approval_references_approval_id"), ["approval_id"], unique=False
        )

    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("approval_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_decisions_approval_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_decisions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            "approval_id", "user_id", name=op.f("uq_decisions_approval_id_user_id")
        ),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("message_id_digest", sa.String(length=64), nullable=False),
        sa.Column("sealed_content", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(length=120), nullable=True),
        sa.Column("claimed_until", sa.DateTime(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("approval_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_outbox_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id_digest", name=op.f("uq_outbox_message_id_digest")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_approval_id"), ["approval_id"], unique=False)
        batch_op.create_index("ix_outbox_due", ["state", "retry_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_recipient"), ["recipient"], unique=False)

    op.create_table(
        "replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=600), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sender", sa.String(length=400), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("message_id", sa.String(length=400), nullable=False),
        sa.Column("approval_id", sa.Integer(), nullable=True),
        sa.Column("sealed_raw", sa.LargeBinary(), nullable=True),
        sa.Column("raw_partial", sa.Boolean(), nullable=False),
        sa.Column("kept_by_server", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(), nullable=False),
        sa.Column("processed_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_replies_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint("account", "folder", "uidvalidity", "uid", "sha256", name="uq_replies"),
    )
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_replies_approval_id"), ["approval_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_replies_outcome"), ["outcome"], unique=False)
        batch_op.create_index("ix_replies_processed", ["processed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_replies_sha256"), ["sha256"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_replies_sha256"))
        batch_op.drop_index("ix_replies_processed")
        batch_op.drop_index(batch_op.f("ix_replies_outcome"))
        batch_op.drop_index(batch_op.f("ix_replies_approval_id"))

    op.drop_table("replies")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_recipient"))
        batch_op.drop_index("ix_outbox_due")
        batch_op.drop_index(batch_op.f("ix_outbox_approval_id"))

    op.drop_table("outbox")
    op.drop_table("decisions")
    with op.batch_alter_table("approval_references", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_approval_references_approval_id"))

    op.drop_table("approval_references")
    with op.batch_alter_table("approval_approvers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_approval_approvers_user_id"))
        batch_op.drop_index(batch_op.f("ix_approval_approvers_group"))
        batch_op.drop_index(batch_op.f("ix_approval_approvers_approval_id"))

    op.drop_table("approval_approvers")
    op.drop_table("memberships")
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.drop_index("ix_approvals_status_expires")

    op.drop_table("approvals")
    op.drop_table("users")
    op.drop_table("sign_in_failures")
    op.drop_table("leases")
    op.drop_table("email_settings")
    op.drop_table("channels")
    op.drop_table("api_tokens")
