"""How values look on pages: moments, states and the marks that go with them."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

MARKS = {
    "approved": "good",
    "sent": "good",
    "pending": "open",
    "queued": "open",
    "sending": "open",
    "rejected": "bad",
    "failed": "bad",
}
"""State or outcome -> class of its mark; the word is always there too."""


def init_app(app: Flask) -> None:
    """Make the filters known to the templates."""
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.filters["state"] = state


def moment(value: datetime | str | None) -> Markup:
    """Return a moment in UTC; the script of the pages turns it into the reader's time."""
    if value is None:
        return Markup("–")
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    at = at.astimezone(UTC)
    shown = f"{at.day} {at:%b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), shown)


def state(value: str) -> Markup:
    """Return a state or an outcome as a word with its mark."""
    mark = MARKS.get(value, "other")
    return Markup('<span class="state {}">{}</span>').format(mark, value.replace("_", " "))
