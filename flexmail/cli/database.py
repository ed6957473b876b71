"""`flexmail db`: the tables. Developers make migrations with `flask --app flexmail db`."""

from __future__ import annotations

import flask_migrate
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.db import HEAD, MIGRATIONS

group = AppGroup("db", help="The tables of the database.")


@group.command("upgrade")
def upgrade() -> None:
    """Bring the tables up to date; every start of flexmail does it too."""
    flask_migrate.upgrade(directory=MIGRATIONS)
    console.say(f"The tables are up to date (revision {HEAD}).")
