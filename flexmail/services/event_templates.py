"""The words of notifications, for whoever writes them: look, try, save, go back.

Nothing is saved that was not rendered with sample values and with the last event of its type;
of types that only programs know there are no samples once there was an event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.mail.compose import OutgoingContent
from flexmail.mail.event_template import Source, TemplateFault
from flexmail.models import Event, EventTemplate
from flexmail.services import audit, event_log, event_texts, event_types, outbox, rendering

SAMPLE, LAST = "sample", "last"
"""What words are tried with: made-up values, or the last event of the type."""
SECONDS = 1.0
"""What words may take when they are saved: half of what they may later, on a busy machine."""
_SCOPE = "billing/prod"
_NAMED = re.compile(r"\bdata\.([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One type in the list, with its own words if somebody wrote some."""

    type: str
    label: str
    own: EventTemplate | None


@dataclass(frozen=True, slots=True)
class Words:
    """The words for one type: in force, and how they fare."""

    type: str
    label: str
    source: Source
    own: EventTemplate | None
    last: Event | None


def listing() -> list[Entry]:
    """Return the types that flexmail knows, then all others with words or events, sorted."""
    rows = {row.type: row for row in db.session.scalars(select(EventTemplate))}
    others = sorted((rows.keys() | set(event_log.types_seen())) - event_types.BUILT_IN.keys())
    return [
        Entry(name, event_types.of(name).label, rows.get(name))
        for name in (*event_types.BUILT_IN, *others)
    ]


def get(type_name: str) -> Words:
    """Return the words for a type, whether or not any event was of it.

    Raises:
        NotFound: no type is called so.
    """
    if not event_types.TYPE.fullmatch(type_name):
        raise NotFound("A type is 1 to 64 lower-case letters, digits, dots, dashes or underscores.")
    own = db.session.get(EventTemplate, type_name)
    source = Source(own.subject, own.text, own.html) if own else event_texts.built_in(type_name)
    return Words(type_name, event_types.of(type_name).label, source, own, _last(type_name))


def failing() -> list[str]:
    """Return the types whose words could not be used for their last event, sorted."""
    failed = select(EventTemplate.type).where(EventTemplate.failed_at.is_not(None))
    return list(db.session.scalars(failed.order_by(EventTemplate.type)))


def preview(type_name: str, source: Source, which: str, *, now: datetime) -> OutgoingContent:
    """Return the mail that these words make, as people get it.

    Raises:
        InvalidInput: by field; the empty name is for what concerns all three.
        NotFound: no type is called so, or there was no event of it yet.
    """
    content = _rendered(source, _known(type_name, which, source, now))
    return outbox.render("event", _context(type_name, content))


def save(type_name: str, source: Source, *, now: datetime, seen: str | None = None) -> None:
    """Put these words in force for every event from now on; commits.

    Args:
        seen: `version` of the words that were changed; None replaces whatever is there.

    Raises:
        InvalidInput: by field; the empty name is for what concerns all three.
        Conflict: somebody else saved or removed words since.
        NotFound: no type is called so.
    """
    words = get(type_name)
    if type_name in event_types.BUILT_IN or not words.last:
        _rendered(source, _known(type_name, SAMPLE, source, now), seconds=SECONDS)
    if words.last:
        about = f"With the last event ({words.last.created_at:%d %b %Y}): "
        _rendered(source, _known(type_name, LAST, source, now), seconds=SECONDS, about=about)
    with transaction():
        row = db.session.get(EventTemplate, type_name)
        if seen is not None and seen != version(row):
            raise Conflict(
                "Somebody else changed these words meanwhile. Open the page once more beside this"
                " one to see theirs; saving again replaces them."
            )
        if row is None:
            row = EventTemplate(type=type_name)
            db.session.add(row)
        row.subject, row.text, row.html = source.subject, source.text, source.html
        row.changed_at, row.failed_at, row.failure = now, None, ""
        audit.record("template_saved", f"template {type_name}")


def reset(type_name: str) -> None:
    """Forget the words of one's own; commits. Doing it twice changes nothing.

    Raises:
        NotFound: no type is called so.
    """
    get(type_name)
    with transaction():
        if row := db.session.get(EventTemplate, type_name):
            db.session.delete(row)
            audit.record("template_reset", f"template {type_name}")


def send_sample(type_name: str, source: Source, which: str, to: str, *, now: datetime) -> None:
    """Queue the mail that these words make to one address, marked as a sample; commits.

    No mail program is told how to unsubscribe: whoever tries that on a sample means the sample.

    Raises:
        InvalidInput: by field; the empty name is for what concerns all three.
        Conflict: e-mail is not set up.
        NotFound: no type is called so, or there was no event of it yet.
    """
    content = _rendered(source, _known(type_name, which, source, now))
    content = replace(content, subject=f"[Sample] {content.subject}")
    with transaction():
        outbox.queue("event", to, _context(type_name, content), now=now)


def version(row: EventTemplate | None) -> str:
    """Return what tells words from those before and after them."""
    return row.changed_at.isoformat() if row else ""


def _known(type_name: str, which: str, source: Source, now: datetime) -> dict[str, Any]:
    """Return what the words are tried with."""
    if which != LAST:
        sample = dict(event_types.of(type_name).sample)
        if type_name not in event_types.BUILT_IN:
            # What programs will tell is not known yet: each value is its own name.
            named = _NAMED.findall(f"{source.subject}\n{source.text}\n{source.html}")
            sample = {name: name for name in named} | sample
        return event_texts.variables(type_name, _SCOPE, "", sample, at=now)
    last = get(type_name).last
    if last is None:
        raise NotFound(f"There was no event {type_name} yet.")
    return event_texts.variables(type_name, last.scope, last.subject, last.data, at=last.created_at)


def _last(type_name: str) -> Event | None:
    newest = select(Event).where(Event.type == type_name).order_by(Event.id.desc())
    return db.session.scalar(newest.limit(1))


def _rendered(
    source: Source,
    known: Mapping[str, Any],
    *,
    seconds: float = rendering.SECONDS,
    about: str = "",
) -> OutgoingContent:
    db.session.rollback()  # no transaction is open while a template is rendered
    try:
        return rendering.render(source, known, seconds=seconds)
    except TemplateFault as fault:
        errors = {field: [f"{about}{text}"] for field, text in fault.errors.items()}
        raise InvalidInput(errors) from fault
    except OSError as error:
        raise Conflict("No process to render them can be started. Try again later.") from error


def _context(type_name: str, content: OutgoingContent) -> dict[str, Any]:
    why = f"You see this to try the words of mails about {type_name}."
    return {"content": content, "why": why, "unsubscribe": ""}
