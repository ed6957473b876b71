"""when to ask again for a mail that the server did not hand over; nothing held is NULL"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("replies", sa.Column("retry_at", sa.DateTime()))
    op.execute("UPDATE reply_folders SET held = NULL WHERE CAST(held AS VARCHAR) = 'null'")
