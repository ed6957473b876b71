"""flexmail: notify a team by mail, and let it answer yes or no by mail.

`create_app` is the wiring, in reading order; it starts no thread. Nothing is imported before it is
called: help, and the process that reads mails, need none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app(config: Mapping[str, object] | None = None, *, pages: bool = True) -> Flask:
    """Build the application.

    Args:
        config: configuration that wins over environment and files, for tests.
        pages: False for a command, which serves none: they take most of the time to build.

    Raises:
        ConfigError: a value from the environment or a key file cannot be used.
    """
    from flask import Flask

    from flexmail import config as environment
    from flexmail import crypto, db, schema
    from flexmail.services import installation

    app = Flask(__name__, instance_path=environment.instance_path())
    environment.configure(app, config)
    crypto.init_app(app)
    db.init_app(app)
    schema.init_app(app)
    installation.init_app(app, now=datetime.now(UTC))
    if app.config["TROUBLE_URL"]:
        from flexmail.services import troubles

        troubles.init_app(app)
    if pages:
        from flexmail import views

        schema.add_migrations(app)
        views.init_app(app)
        with app.app_context():
            db.db.engine.dispose()  # no connection is open when a server forks
    return app
