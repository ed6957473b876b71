"""What a notification of an event says: the words of an admin, else those that came with flexmail.

Words that cannot be used for an event never hold it back: it goes out in the built-in ones, and the
template says since when and why.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import bindparam, select, update

from flexmail.config import time_zone
from flexmail.db import db, transaction
from flexmail.mail.compose import OutgoingContent
from flexmail.mail.event_template import Source, TemplateFault
from flexmail.mail.event_template import render as render_here
from flexmail.mail.reference import find_references, mask
from flexmail.models import EventTemplate
from flexmail.services import event_types, rendering

log = logging.getLogger(__name__)

MAX_TOLD = 50
"""So many values of an event are listed beside its words."""
_MAX_LINK = 2000
_MAX_SHOWN = 80
_WRITTEN = select(
    EventTemplate.subject,
    EventTemplate.text,
    EventTemplate.html,
    EventTemplate.changed_at,
    EventTemplate.failed_at,
).where(EventTemplate.type == bindparam("name"))
_FILES = Path(__file__).parents[1] / "templates" / "events"


def variables(
    type_name: str, scope: str, subject: str, data: Mapping[str, Any], *, at: datetime
) -> dict[str, Any]:
    """Return what templates see of an event: the names of `event_template.VARIABLES`."""
    label = event_types.of(type_name).label
    zone = time_zone(current_app.config["TIMEZONE"])
    title = subject or _text(data.get("title")) or label
    link = _text(data.get("link"))
    return {
        "type": type_name,
        "label": label,
        "title": " ".join(title.split())[:200],
        "subject": subject,
        "scope": scope,
        "data": dict(data),
        "link": link if _is_link(link) else "",
        "submitter": _names(data.get("submitter")),
        "details": _text(data.get("details")),
        "at": at.astimezone(zone).strftime("%a %d %b %Y, %H:%M %Z"),
        "site": current_app.config["BASE_URL"],
    }


@cache
def built_in(type_name: str) -> Source:
    """Return the words that came with flexmail, for this type or else for any."""
    folder = _FILES / (type_name if type_name in event_types.BUILT_IN else "any")
    subject, text, html = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("subject.txt", "text.txt", "html.html")
    )
    return Source(subject.rstrip("\n"), text, html)


def render(type_name: str, known: Mapping[str, Any], *, now: datetime) -> OutgoingContent:
    """Return what a notification says; commits a note where an admin's words fail.

    Whatever of it reads as a reference of an approval is masked, also where the words or the data
    only put it together. Outside any transaction: rendering may take seconds.
    """
    content = _render(type_name, known, now)
    texts = content.subject, content.text, content.html
    return OutgoingContent(*(mask(text) if find_references(text) else text for text in texts))


def _render(type_name: str, known: Mapping[str, Any], now: datetime) -> OutgoingContent:
    row = db.session.execute(_WRITTEN, {"name": type_name}).one_or_none()
    if row is None:
        db.session.rollback()
        return render_here(built_in(type_name), known)
    source, saved_at = Source(row.subject, row.text, row.html), row.changed_at
    failed_at = row.failed_at
    db.session.rollback()  # no transaction is open while a template is rendered
    try:
        content = rendering.render(source, known)
    except (TemplateFault, OSError) as error:
        log.warning("The template of %s failed, the built-in one was used: %s", type_name, error)
        _note(type_name, saved_at, str(error), failed_at or now)
        return render_here(built_in(type_name), known)
    if failed_at:
        _note(type_name, saved_at, "", None)
    return content


def told(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how a template names each value of an event's data, and the value, shortened."""
    found = []
    for name, value in _leaves("data", data) if data else ():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        found.append((name, text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"))
        if len(found) == MAX_TOLD:
            break
    return found


def _note(type_name: str, saved_at: datetime, failure: str, since: datetime | None) -> None:
    """Say how the words fare, unless somebody saved others meanwhile."""
    with transaction():
        db.session.execute(
            update(EventTemplate)
            .where(EventTemplate.type == type_name, EventTemplate.changed_at == saved_at)
            .values(failure=failure, failed_at=since)
        )


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            plain = key.isidentifier() and key.isascii()
            yield from _leaves(f"{name}.{key}" if plain else f"{name}[{key!r}]", inner)
    else:
        yield name, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _names(value: Any) -> str:
    """Return one name, or several with commas."""
    return ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _is_link(text: str) -> bool:
    if len(text) > _MAX_LINK:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not text.split()[1:]
