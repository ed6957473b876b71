"""The web face: pages here, the JSON API in `api/`.

One blueprint a subject. A view takes input, makes one service call and answers; it decides nothing
and asks the database nothing.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter

from flexmail.views import (
    access,
    account,
    api,
    approvals,
    audit,
    auth,
    callbacks,
    display,
    errors,
    headers,
    held,
    navigation,
    outbox,
    replies,
    settings,
    status,
    users,
)

PAGES = (auth, status, settings, held, approvals, replies, outbox, callbacks, users, audit, account)


class RowId(IntegerConverter):
    """The id of a row; a number that no database would hold is an address that does not exist."""

    def __init__(self, map: object, **options: object) -> None:
        super().__init__(map, max=2**31 - 1)  # type: ignore[arg-type]


def init_app(app: Flask) -> None:
    """Register rules of access, headers, pages, the API and the answers to errors."""
    app.url_map.converters["row"] = RowId
    access.init_app(app)
    headers.init_app(app)
    display.init_app(app)
    navigation.init_app(app)
    for page in PAGES:
        app.register_blueprint(page.pages)
    api.init_app(app)
    errors.init_app(app)
