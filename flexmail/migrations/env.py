"""Alembic's entry: run the migrations on the application's own engine, or the one it is given."""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db

engine = context.config.attributes.get("engine") or database.engine

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
