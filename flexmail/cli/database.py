"""`flexmail db`: the tables. Developers make migrations with `flask --app flexmail db`."""

from __future__ import annotations

from flask import current_app
from flask.cli import AppGroup

from flexmail import schema
from flexmail.cli import console

group = AppGroup("db", help="The tables of the database.")


@group.command("upgrade")
def upgrade() -> None:
    """Bring the tables up to date; every start of flexmail does it too."""
    schema.upgrade(current_app)
    console.say(f"The tables are up to date (revision {schema.HEAD}).")
