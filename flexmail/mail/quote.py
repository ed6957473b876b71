"""Where the author's own words end: our marker, a quote, its heading, a signature.

Nothing here knows what an answer means. Every test looks at a bounded piece of at most a few
lines, so the whole is linear. What is not recognised stays with the author's words below the first
line; only words of their own can come first. RFC 3676 (signature, quote depth).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flexmail.mail.attribution import attribution_start
from flexmail.mail.lines import MAX_LINES, MAX_SEEN, is_blank, may_be_wrapped, split_lines
from flexmail.mail.phrases import (
    CLIENT_SIGNATURES,
    FORWARD_INTRODUCTIONS,
    HEADER_LABELS,
)

_MAX_TITLE = 100
_MAX_SIGNATURE = 120
_HEADER_LINES = 7

_MARKER = re.compile(r"\*{5,}|Reference: ?FM-")
_LABEL = re.compile(r"[\s>*_]{0,20}([^\W\d_][^:\uff1a*_]{0,30}?)[\s*_]{0,6}[:\uff1a]")
_LABELS = {label: kind for kind, labels in HEADER_LABELS.items() for label in labels}

_STROKES = frozenset({"---", "___", "===", "———"})

Kind = Literal["marker", "quote", "attribution", "header", "rule", "signature"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """A line (or the lines from `start` to `end`) at which the author's words stop."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OwnLines:
    """What the author wrote; `under_quote` when it stands below the mail it answers."""

    lines: tuple[str, ...] = ()
    under_quote: bool = False


def own_lines(text: str) -> OwnLines:
    """Return the author's lines: those above history, or all that stands below one plain quote.

    Answers between quoted lines, or below unmarked history, are nobody's: they decide nothing.
    """
    lines = split_lines(text)
    first = find_boundary(lines, 0)
    if first is None:
        return OwnLines(tuple(lines))
    above = lines[: first.start]
    if not all(map(is_blank, above)):
        return OwnLines(tuple(above))
    return _below_quote(lines, first)


def find_boundary(lines: Sequence[str], begin: int) -> Boundary | None:
    """Return the first boundary at or below line `begin`."""
    for at in range(begin, len(lines)):
        if lines[at] and (found := _boundary_at(lines, at, begin)):
            return found
    return None


def _below_quote(lines: list[str], first: Boundary) -> OwnLines:
    at = first.start
    if first.kind == "attribution":
        at = _skip_blank(lines, first.end + 1)
    quote_starts = at
    while at < len(lines) and _is_quote(lines[at]):
        at += 1
        below = _skip_blank(lines, at)
        if below < len(lines) and _is_quote(lines[below]):
            at = below
    below = _skip_blank(lines, at)
    if at == quote_starts or below == len(lines):
        return OwnLines()
    if below == at and may_be_wrapped(lines[at - 1], lines[at]):
        return OwnLines()
    if len(lines) >= MAX_LINES:
        return OwnLines()
    last = find_boundary(lines, below)
    if last is None:
        return OwnLines(tuple(lines[below:]), under_quote=True)
    if last.kind != "signature" or any(_is_history(line) for line in lines[last.start :]):
        return OwnLines()
    return OwnLines(tuple(lines[below : last.start]), under_quote=True)


def _skip_blank(lines: list[str], at: int) -> int:
    while at < len(lines) and is_blank(lines[at]):
        at += 1
    return at


def _is_quote(line: str) -> bool:
    return line.lstrip().startswith(">")


def _closes_address(lines: Sequence[str], at: int, begin: int) -> bool:
    """Tell whether the ">" at the start of a line ends an address that the line above began."""
    above = lines[at - 1] if at > begin else ""
    return not _is_quote(above) and above.count("<") > above.count(">")


def _is_history(line: str) -> bool:
    return _is_quote(line) or bool(_MARKER.match(line.lstrip()[:MAX_SEEN]))


def _boundary_at(lines: Sequence[str], at: int, begin: int) -> Boundary | None:
    line = lines[at][:MAX_SEEN].strip().removeprefix("\ufeff")
    kind: Kind | None = None
    if _MARKER.match(line):
        kind = "marker"
    elif line.startswith(">") and not _closes_address(lines, at, begin):
        kind = "quote"
    elif _is_rule(line):
        kind = "rule"
    elif line in {"--", "—"} or _is_client_signature(lines, at, begin):
        kind = "signature"
    elif _starts_header(lines, at):
        kind = "header"
    if kind:
        return Boundary(kind, at, at)
    start = attribution_start(lines, at, begin)
    return None if start is None else Boundary("attribution", start, at)


def _is_rule(line: str) -> bool:
    """Tell whether a line is drawn, alone or on both sides of a title."""
    title = line.strip("-_=~–— ")
    if not title:
        return len(line) > 2
    return line[:3] in _STROKES and line[-3:] in _STROKES and len(title) <= _MAX_TITLE


def _is_client_signature(lines: Sequence[str], at: int, begin: int) -> bool:
    line = lines[at].strip().lower()
    if len(line) > _MAX_SIGNATURE:
        return False
    if line.startswith(FORWARD_INTRODUCTIONS) and line.endswith(":"):
        return True
    stands_alone = at == begin or is_blank(lines[at - 1])
    return stands_alone and line.startswith(CLIENT_SIGNATURES)


def _starts_header(lines: Sequence[str], at: int) -> bool:
    """Tell whether a block like "From: … Sent: … To: …" starts here."""
    if _label(lines[at]) is None:
        return False
    kinds = set()
    for line in lines[at : at + _HEADER_LINES]:
        if is_blank(line):
            break
        kinds.add(_label(line))
    kinds.discard(None)
    return "from" in kinds and len(kinds) >= 2


def _label(line: str) -> str | None:
    found = _LABEL.match(line[:80])
    return _LABELS.get(found[1].strip().lower()) if found else None
