"""The tables brought up to date: at every start, by hand, and in a backup that is put back.

Alembic takes its time to load, so only who needs it does: mostly a look at the revision is all.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection, create_engine, inspect, text

from flexmail.db import db, prepare_sqlite
from flexmail.errors import ConfigError

MIGRATIONS = str(Path(__file__).with_name("migrations"))
HEAD = "0005"
"""The newest revision in `migrations/versions`."""


def init_app(app: Flask) -> None:
    """Bring the tables of the application up to date."""
    with app.app_context():
        if _revision() != HEAD:
            _upgrade(app)


def _upgrade(app: Flask) -> None:
    """Upgrade under a lock: of workers that start together one does it, the others wait.

    The WAL mode stays with the file once it is set; setting it waits for nobody, so it belongs
    under the lock too.
    """
    with Path(app.instance_path, ".upgrade.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _revision() == HEAD:
            return
        if db.engine.dialect.name == "sqlite":
            connection = db.engine.raw_connection()
            connection.cursor().execute("PRAGMA journal_mode=WAL")
            connection.close()
        upgrade(app)


def add_migrations(app: Flask) -> Any:
    """Let `flask db` work on this application."""
    import flask_migrate

    migrate = flask_migrate.Migrate(render_as_batch=True)
    migrate.init_app(app, db, directory=MIGRATIONS)
    return migrate


def upgrade(app: Flask) -> None:
    """Bring the tables up to date, inside the application's context."""
    import flask_migrate

    add_migrations(app)
    flask_migrate.upgrade(directory=MIGRATIONS)


def upgrade_file(path: Path) -> None:
    """Bring a SQLite database that is not the application's own up to date.

    Raises:
        ConfigError: it holds no tables of flexmail, or those of a newer one.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    engine = create_engine(f"sqlite:///{path}")
    prepare_sqlite(engine)
    config = add_migrations(current_app).get_config(MIGRATIONS)
    config.attributes["engine"] = engine
    try:
        with engine.connect() as connection:
            revision = _revision_of(connection)
        if revision is None:
            raise ConfigError("It is no database of flexmail.")
        scripts = ScriptDirectory(MIGRATIONS).walk_revisions()
        if revision not in {script.revision for script in scripts}:
            raise ConfigError(f"A newer flexmail made it (revision {revision}): install that one.")
        command.upgrade(config, "head")
    finally:
        engine.dispose()


def _revision() -> str | None:
    with db.engine.connect() as connection:
        return _revision_of(connection)


def _revision_of(connection: Connection) -> str | None:
    """Return what Alembic has written down, without loading it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
