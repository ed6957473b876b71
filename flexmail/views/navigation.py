"""The links on top of every page: the same for all who have a role, page after page."""

from __future__ import annotations

import functools

from flask import Flask, g, render_template, request
from markupsafe import Markup

_FOR_ALL = {"approvals.index": "Approvals", "account.show": "Account"}
_FOR_ADMINS = {
    "status.show": "Status",
    "approvals.index": "Approvals",
    "replies.index": "Replies",
    "outbox.index": "Outbox",
    "callbacks.index": "Callbacks",
    "users.index": "Users",
    "audit.index": "Audit",
    "settings.show": "Email settings",
    "account.show": "Account",
}
_MAX_REMEMBERED = 100


def init_app(app: Flask) -> None:
    """Let templates say `navigation()`."""
    app.jinja_env.globals["navigation"] = navigation


def navigation() -> Markup:
    """Return the links for whoever is signed in, with the one that leads here marked."""
    return _rendered(request.script_root, g.person.role, request.blueprint or "")


@functools.lru_cache(_MAX_REMEMBERED)
def _rendered(_script_root: str, role: str, here: str) -> Markup:
    """Render once for the same arguments, which are all that the links depend on."""
    links = _FOR_ADMINS if role == "admin" else _FOR_ALL
    return Markup(render_template("navigation.html", links=links, here=here))  # noqa: S704 (escaped)
