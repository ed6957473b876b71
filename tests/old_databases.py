"""Databases as older flexmails left them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from flask import current_app
from sqlalchemy import Connection, create_engine, insert, inspect

from flexmail.schema import MIGRATIONS, add_migrations


def make_old(path: Path, revision: str) -> None:
    """Make a database as an older flexmail left it."""
    engine = create_engine(f"sqlite:///{path}")
    config = add_migrations(current_app).get_config(MIGRATIONS)
    config.attributes["engine"] = engine
    command.upgrade(config, revision)
    engine.dispose()


def fill(connection: Connection, name: str, **given: object) -> None:
    """Put a row into a table as it is; what is not given and must be there is a number."""
    found = inspect(connection).get_columns(name)
    row = {each["name"]: 1 for each in found if not each["nullable"]} | given
    connection.execute(insert(sa.table(name, *(sa.column(each) for each in row))), row)
