"""A desk that renders words in the process that it is in; see `apart`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flexmail.mail.compose import OutgoingContent
from flexmail.mail.event_template import FIELDS, Source, TemplateFault, check_rendered, render

_MAX_SENTENCE = 400


class Desk:
    """Answers orders."""

    def render(self, order: bytes) -> bytes:
        """Return, as JSON, what the templates in an order give: `{content}` or `{errors}`."""
        asked = json.loads(order)
        try:
            content = render(Source(**asked["source"]), asked["known"])
        except TemplateFault as fault:
            return json.dumps({"errors": fault.errors}).encode()
        return json.dumps({"content": asdict(content)}).encode()


def order(source: Source, known: Mapping[str, Any]) -> bytes:
    """Return what `Desk.render` is asked."""
    return json.dumps({"source": asdict(source), "known": dict(known)}).encode()


def delivered(answer: bytes) -> OutgoingContent:
    """Return what `Desk.render` gave.

    Raises:
        TemplateFault: what is wrong with the templates.
        ValueError: it is no such answer.
    """
    told = json.loads(answer)
    if isinstance(told, dict) and isinstance(errors := told.get("errors"), dict):
        found = {field: str(errors[field])[:_MAX_SENTENCE] for field in FIELDS if field in errors}
        raise TemplateFault(found or {"": "It cannot be used."})
    content = told["content"] if isinstance(told, dict) and "content" in told else None
    if not isinstance(content, dict) or sorted(content) != sorted(FIELDS):
        raise ValueError("It is no rendered notification.")
    for field in FIELDS:
        check_rendered(field, str(content[field]))
    return OutgoingContent(**{field: str(content[field]) for field in FIELDS})
