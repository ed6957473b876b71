"""Where the author's own words end: our marker, a quote, its heading, a signature.

Nothing here knows what an answer means. Every test looks at a bounded piece of at most a few
lines, so the whole is linear. What is not recognised stays with the author's words below the first
line; only words of their own can come first. RFC 3676 (signature, quote depth).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from flexmail.mail.attribution import attribution_start
from flexmail.mail.headings import is_drawn, starts_history
from flexmail.mail.lines import MAX_LINES, MAX_SEEN, is_blank, may_be_wrapped, split_lines
from flexmail.mail.signature import starts_signature

_MARKER = re.compile(r"\*{5,}|Reference: ?FM-")

Kind = Literal["marker", "quote", "attribution", "header", "rule", "signature"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """A line (or the lines from `start` to `end`) at which the author's words stop."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OwnLines:
    """What the author wrote; `under_quote` when it stands below the mail it answers.

    `boundary` is the first in the text, whether the author wrote above or below it.
    """

    lines: tuple[str, ...] = ()
    under_quote: bool = False
    boundary: Boundary | None = None


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
        return OwnLines(tuple(above), boundary=first)
    return replace(_below_quote(lines, first), boundary=first)


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
    while at < len(lines) and is_quoted(lines[at]):
        at += 1
        below = _skip_blank(lines, at)
        if below < len(lines) and is_quoted(lines[below]):
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


def is_quoted(line: str) -> bool:
    """Tell whether a line bears the mark of a quote (RFC 3676, section 4.5)."""
    return line.lstrip().startswith(">")


def _closes_address(lines: Sequence[str], at: int, begin: int) -> bool:
    """Tell whether the ">" at the start of a line ends an address that the line above began."""
    above = lines[at - 1] if at > begin else ""
    return not is_quoted(above) and above.count("<") > above.count(">")


def _is_history(line: str) -> bool:
    return is_quoted(line) or bool(_MARKER.match(line.lstrip()[:MAX_SEEN]))


def _boundary_at(lines: Sequence[str], at: int, begin: int) -> Boundary | None:
    line = lines[at][:MAX_SEEN].strip().removeprefix("\ufeff")
    kind: Kind | None = None
    if _MARKER.match(line):
        kind = "marker"
    elif line.startswith(">") and not _closes_address(lines, at, begin):
        kind = "quote"
    elif is_drawn(line):
        kind = "rule"
    elif starts_signature(lines, at, begin):
        kind = "signature"
    elif starts_history(lines, at, begin):
        kind = "header"
    if kind:
        return Boundary(kind, at, at)
    start = attribution_start(lines, at, begin)
    return None if start is None else Boundary("attribution", start, at)
