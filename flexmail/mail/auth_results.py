"""Read one Authentication-Results header by its grammar (RFC 8601, section 2.2).

Strict: a header that bends the grammar, or passes a cap, is not read in part but refused whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LENGTH = 8192
MAX_RESULTS = 50
MAX_COMMENT_DEPTH = 10

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_OUTSIDE = re.compile(rf'{_QUOTED}|[^"()\\]+|[()]', re.DOTALL)
_INSIDE = re.compile(r"(?:[^()\\]|\\.)+|[()]", re.DOTALL)
_VALUE = rf'((?:{_QUOTED}|[^\s;"])+)\s*'
# Both versions are 1 so far; what a later one means is not known here (RFC 8601, section 2.2).
_SERVER = re.compile(rf'\s*({_QUOTED}|[^\s;="]+)(?:\s+0*1)?\s*(?:;|$)')
_METHOD = re.compile(rf"\s*([a-z][a-z0-9_-]*)\s*(?:/\s*0*1\s*)?=\s*{_VALUE}", re.IGNORECASE)
_PROPERTY = re.compile(
    rf"([a-z][a-z0-9_-]*(?:\s*\.\s*[a-z0-9_.-]+)?)\s*=\s*{_VALUE}", re.IGNORECASE
)
_NO_RESULT = re.compile(r"\s*none\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Result:
    """One method, what it found, and the properties it found it about, names in lower case."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...]

    def domain(self, name: str) -> str | None:
        """Return the domain in a property: None if it is absent, empty if it stands twice."""
        values = [value.rpartition("@")[2] for key, value in self.properties if key == name]
        if not values:
            return None
        return values[0] if len(values) == 1 else ""


class Unreadable(Exception):
    """The header does not follow the grammar."""


def read(header: str) -> tuple[str | None, list[Result]]:
    """Return the server's name, None where it gives none, and its results.

    Raises:
        Unreadable: where the grammar does not hold, or a cap is passed.
    """
    text = _without_comments(header).rstrip("; \t")
    server = _SERVER.match(text)
    position = server.end() if server else 0
    results: list[Result] = []
    while position < len(text) and not (not results and _NO_RESULT.fullmatch(text, position)):
        result, position = _read_result(text, position)
        results.append(result)
        if len(results) > MAX_RESULTS:
            raise Unreadable("holds too many results")
    return (_unquoted(server[1]) if server else None), results


def _read_result(text: str, position: int) -> tuple[Result, int]:
    method = _METHOD.match(text, position)
    if method is None:
        raise Unreadable("does not follow RFC 8601")
    position = method.end()
    properties: list[tuple[str, str]] = []
    while found := _PROPERTY.match(text, position):
        properties.append((re.sub(r"\s", "", found[1]).lower(), _unquoted(found[2])))
        position = found.end()
    if text[position : position + 1] not in {"", ";"}:
        raise Unreadable("does not follow RFC 8601")
    result = Result(method[1].lower(), _unquoted(method[2]), tuple(properties))
    return result, position + 1


def _without_comments(header: str) -> str:
    if len(header) > MAX_LENGTH:
        raise Unreadable("is too long")
    out: list[str] = []
    position = depth = 0
    while position < len(header):
        piece = (_INSIDE if depth else _OUTSIDE).match(header, position)
        if piece is None:
            raise Unreadable("does not follow RFC 8601")
        position = piece.end()
        if not depth:
            out.append(" " if piece[0] == "(" else piece[0])
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if not 0 <= depth <= MAX_COMMENT_DEPTH:
            raise Unreadable("holds comments that are not closed or too deep")
    if depth:
        raise Unreadable("holds comments that are not closed or too deep")
    return "".join(out)


def _unquoted(value: str) -> str:
    if value.startswith('"') and value.endswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return value.lower()
