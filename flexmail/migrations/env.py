"""Alembic's entry: run the migrations on the application's own engine, or the one it is given."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

database = current_app.extensions["migrate"].db

engine = context.config.attributes.get("engine") or database.engine


def upgrade(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


def upgrade_sqlite(connection: Connection) -> None:
    """Upgrade while tables may be made anew under the rows that refer to them; check at the end."""
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")  # heard outside a transaction only
    try:
        upgrade(connection)
        if torn := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
            raise RuntimeError(f"The upgrade tore rows apart: {torn[:5]}")
        connection.commit()
    finally:
        connection.rollback()
        cursor.execute("PRAGMA foreign_keys=ON")


with engine.connect() as connection:
    if engine.dialect.name == "sqlite":
        upgrade_sqlite(connection)
    else:
        upgrade(connection)
        connection.commit()
