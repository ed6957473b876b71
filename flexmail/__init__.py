"""flexmail: notify a team by mail, and let it answer yes or no by mail.

`create_app` is the wiring, in reading order; it starts no thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Flask

from flexmail import config as environment
from flexmail import crypto, db, views
from flexmail.services import installation


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Build the application.

    Args:
        config: configuration that wins over environment and files, for tests.

    Raises:
        ConfigError: a value from the environment or a key file cannot be used.
    """
    app = Flask(__name__, instance_path=environment.instance_path())
    environment.configure(app, config)
    crypto.init_app(app)
    db.init_app(app)
    installation.init_app(app, now=datetime.now(UTC))
    views.init_app(app)
    return app
