"""What a program tells of an event, and what of it can be wrong whoever tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flexmail.errors import InvalidInput
from flexmail.mail.address import is_safe_header
from flexmail.mail.reference import find_references
from flexmail.services.event_types import MAX_SCOPE, SCOPE, TYPE
from flexmail.services.subscribers import recipient

MAX_SUBJECT_CHARACTERS = 200
MAX_DATA_BYTES = 16_384
MAX_DATA_DEPTH = 8
MAX_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What a program tells; `recipients` are addresses or `group:NAME`, besides all others."""

    type: str
    scope: str = ""
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    recipients: tuple[str, ...] = ()


def check(told: NewEvent) -> NewEvent:
    """Look at everything that needs no database; return it with its recipients as they are stored.

    Raises:
        InvalidInput: by field.
    """
    errors: dict[str, list[str]] = {}
    if not TYPE.fullmatch(told.type):
        errors["type"] = [
            "Give 1 to 64 lower-case letters, digits, dots, dashes or underscores, such as"
            " completed or invoice.sent."
        ]
    if fault := scope_fault(told.scope):
        errors["scope"] = [fault]
    if len(told.subject) > MAX_SUBJECT_CHARACTERS or not is_safe_header(told.subject):
        errors["subject"] = [
            f"Give one line without control characters, at most {MAX_SUBJECT_CHARACTERS}"
            " characters."
        ]
    if fault := _fault_of(told.data):
        errors["data"] = [fault]
    for name in ("scope", "subject", "data"):
        if name not in errors and _holds_reference(getattr(told, name)):
            errors[name] = ["Leave out what looks like the reference of an approval (FM-…)."]
    names, wrong = _recipients(told.recipients)
    if wrong:
        errors["recipients"] = wrong
    if errors:
        raise InvalidInput(errors)
    return NewEvent(told.type, told.scope, told.subject.strip(), told.data, names)


def _holds_reference(value: Any) -> bool:
    # As people will read it: JSON has letters where a string has line breaks and tabs.
    return any(isinstance(each, str) and find_references(each) for each, _ in _values(value))


def scope_fault(scope: str) -> str:
    """Say what is wrong with a scope, or nothing; "" is everywhere."""
    if not scope or (len(scope) <= MAX_SCOPE and SCOPE.fullmatch(scope)):
        return ""
    return (
        "Give a path such as billing/prod: names of letters, digits and . _ - with / between them,"
        f" at most {MAX_SCOPE} characters."
    )


def _recipients(given: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    if len(given) > MAX_RECIPIENTS:
        return (), [f"Give at most {MAX_RECIPIENTS}: a group counts as one."]
    found, wrong = [], []
    for each in given:
        try:
            found.append(recipient(each))
        except ValueError as error:
            wrong.append(f"{each[:100]!r}: {error}")
    return tuple(dict.fromkeys(found)), wrong


def _fault_of(data: Mapping[str, Any]) -> str:
    """Say what is wrong with the data, or nothing."""
    try:
        if not all(_is_value(value, depth) for value, depth in _values(data)):
            return "Strings must hold no control characters but tabs and line breaks."
        size = len(json.dumps(data, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, RecursionError):
        return f"Give plain JSON, nested at most {MAX_DATA_DEPTH} deep."
    if size > MAX_DATA_BYTES:
        return f"Give at most {MAX_DATA_BYTES} bytes of JSON: this is {size}."
    return ""


def _is_value(value: Any, depth: int) -> bool:
    if depth > MAX_DATA_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, str):
        return is_safe_header(value.translate({9: " ", 10: " ", 13: " "}))
    return True


def _values(data: Any) -> Iterator[tuple[Any, int]]:
    """Return every key and value, with how deep it lies."""
    waiting: list[tuple[Any, int]] = [(data, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if depth > MAX_DATA_DEPTH:
            return
        if isinstance(value, Mapping):
            waiting += [(key, depth + 1) for key in value]
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(inner, depth + 1) for inner in value]
