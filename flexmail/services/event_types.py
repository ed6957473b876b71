"""The types of events that flexmail knows by itself; programs may send any others.

A type is lower-case letters, digits, `_`, `-` and dots. In a subscription `*` stands for anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

TYPE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
PATTERN = re.compile(r"[a-z0-9*][a-z0-9_.*-]{0,63}")
SCOPE = re.compile(r"[\w.:@+-]+(?:/[\w.:@+-]+)*")
MAX_SCOPE = 200

_SAMPLE: dict[str, Any] = {
    "title": "Release 4.2 to production",
    "submitter": "ada@example.test",
    "details": "Contains the new invoice format.",
    "link": "https://builds.example.test/4711",
    "version": "4.2.0",
}


@dataclass(frozen=True, slots=True)
class EventType:
    """One type: its words, and the keys of `data` that name who hears of it without subscribing.

    `waits` says whether it may come in a summary; mail about approvals never does.
    """

    name: str
    label: str
    to: tuple[str, ...] = ()
    waits: bool = True
    sample: Mapping[str, Any] = field(default_factory=lambda: _SAMPLE)


_ALL = (
    EventType(
        "approval_pending",
        "Approval pending",
        to=("approvers",),
        waits=False,
        sample=_SAMPLE | {"approvers": ["bob@example.test"]},
    ),
    EventType(
        "scheduled", "Scheduled", to=("submitter",), sample=_SAMPLE | {"at": "tonight at 22:00"}
    ),
    EventType(
        "approval_rejected",
        "Approval rejected",
        to=("submitter",),
        waits=False,
        sample=_SAMPLE | {"by": "bob@example.test", "reason": "Not before the weekend."},
    ),
    EventType("deploying", "Deploying", to=("submitter",)),
    EventType("completed", "Completed", to=("submitter",), sample=_SAMPLE | {"took": "3 minutes"}),
    EventType(
        "failed",
        "Failed",
        to=("submitter",),
        sample=_SAMPLE | {"error": "The database did not start within 60 s."},
    ),
)
BUILT_IN: Mapping[str, EventType] = {each.name: each for each in _ALL}


def of(name: str) -> EventType:
    """Return a type; of one that flexmail does not know, the name is all there is."""
    label = name.replace("_", " ").replace("-", " ").replace(".", " ").capitalize()
    return BUILT_IN.get(name) or EventType(name, label)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern of a subscription covers a type; `*` stands for anything."""
    return fnmatchcase(name, pattern)


def scopes_above(scope: str) -> list[str]:
    """Return a scope, all that it lies in, and "" for everywhere: `a/b` gives `a/b`, `a`, ``."""
    parts = scope.split("/") if scope else []
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)] + [""]
