"""Read what our own mail server found out about a sender (Authentication-Results, RFC 8601).

Anybody can write such a header, so only the topmost one that carries the configured authserv-id
counts. Fails closed: what is missing, odd, contradictory or over a cap is not authenticated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_HEADERS = 50
MAX_LENGTH = 8192
MAX_RESULTS = 50
MAX_COMMENT_DEPTH = 10

# Microsoft 365 writes no authserv-id. An admin who types this word trusts that form instead.
MICROSOFT_365 = "microsoft365"

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_OUTSIDE = re.compile(rf'{_QUOTED}|[^"()\\]+|[()]', re.DOTALL)
_INSIDE = re.compile(r"(?:[^()\\]|\\.)+|[()]", re.DOTALL)
_VALUE = rf'((?:{_QUOTED}|[^\s;"])+)\s*'
_SERVER = re.compile(rf'\s*({_QUOTED}|[^\s;="]+)(?:\s+[0-9]{{1,9}})?\s*(?:;|$)')
_METHOD = re.compile(rf"\s*([a-z][a-z0-9_-]*)\s*(?:/\s*[0-9]+\s*)?=\s*{_VALUE}", re.IGNORECASE)
_PROPERTY = re.compile(
    rf"([a-z][a-z0-9_-]*(?:\s*\.\s*[a-z0-9_.-]+)?)\s*=\s*{_VALUE}", re.IGNORECASE
)
_NO_RESULT = re.compile(r"\s*none\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Whether our mail server vouches for the From domain, and why or why not."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    result: str
    properties: tuple[tuple[str, str], ...]

    def domain(self, name: str) -> str | None:
        """Return the domain in a property: None if it is absent, empty if it stands twice."""
        values = [value.rpartition("@")[2] for key, value in self.properties if key == name]
        if not values:
            return None
        return values[0] if len(values) == 1 else ""


class _Unreadable(Exception):
    """The header does not follow the grammar."""


def authenticate(headers: Sequence[str], *, authserv_id: str, from_domain: str) -> Authentication:
    """Say whether the configured server authenticated the domain of the From address.

    Passed is `dmarc=pass` whose header.from is that very domain, or, where DMARC found no policy,
    `dkim=pass` whose header.d is that domain or a parent of it with at least two labels. A parent
    speaks for its subdomains, since it delegates them in DNS; a subdomain or a sibling does not
    speak for its parent, and a single label is a registry, not an organisation.

    Args:
        headers: every Authentication-Results value, unfolded, topmost first.
        authserv_id: compared whole, without regard to case; an empty one never matches.
        from_domain: in lower-case A-labels.
    """
    wanted, domain = authserv_id.strip().lower(), from_domain.lower()
    if not wanted or not domain:
        return Authentication(False, "No mail server is named, or the sender has no domain.")
    for header in headers[:MAX_HEADERS]:
        try:
            server, results = _read(header)
        except _Unreadable as error:
            if wanted in {MICROSOFT_365, *_words(header)}:
                return Authentication(False, f"The Authentication-Results header {error}.")
            continue
        if server == (None if wanted == MICROSOFT_365 else wanted):
            return _judge(results, domain)
    return Authentication(False, f"No Authentication-Results header of {wanted}.")


def _words(header: str) -> list[str]:
    return re.split(r'[\s;="()]+', header.lower())


def _read(header: str) -> tuple[str | None, list[_Result]]:
    """Return the server's name, None where it gives none, and its results.

    Raises:
        _Unreadable: where the grammar does not hold, or a cap is passed.
    """
    text = _without_comments(header).rstrip("; \t")
    server = _SERVER.match(text)
    position = server.end() if server else 0
    results: list[_Result] = []
    while position < len(text) and not (not results and _NO_RESULT.fullmatch(text, position)):
        result, position = _read_result(text, position)
        results.append(result)
        if len(results) > MAX_RESULTS:
            raise _Unreadable("holds too many results")
    return (_unquoted(server[1]) if server else None), results


def _read_result(text: str, position: int) -> tuple[_Result, int]:
    method = _METHOD.match(text, position)
    if method is None:
        raise _Unreadable("does not follow RFC 8601")
    position = method.end()
    properties: list[tuple[str, str]] = []
    while found := _PROPERTY.match(text, position):
        properties.append((re.sub(r"\s", "", found[1]).lower(), _unquoted(found[2])))
        position = found.end()
    if text[position : position + 1] not in {"", ";"}:
        raise _Unreadable("does not follow RFC 8601")
    result = _Result(method[1].lower(), _unquoted(method[2]), tuple(properties))
    return result, position + 1


def _without_comments(header: str) -> str:
    if len(header) > MAX_LENGTH:
        raise _Unreadable("is too long")
    out: list[str] = []
    position = depth = 0
    while position < len(header):
        piece = (_INSIDE if depth else _OUTSIDE).match(header, position)
        if piece is None:
            raise _Unreadable("does not follow RFC 8601")
        position = piece.end()
        if not depth:
            out.append(" " if piece[0] == "(" else piece[0])
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if not 0 <= depth <= MAX_COMMENT_DEPTH:
            raise _Unreadable("holds comments that are not closed or too deep")
    if depth:
        raise _Unreadable("holds comments that are not closed or too deep")
    return "".join(out)


def _unquoted(value: str) -> str:
    if value.startswith('"') and value.endswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return value.lower()


def _judge(results: list[_Result], domain: str) -> Authentication:
    dmarc = [result for result in results if result.method == "dmarc"]
    said = {result.result for result in dmarc}
    if len(said) > 1:
        return Authentication(False, "Its DMARC results contradict each other.")
    if any(result.domain("header.from") not in {None, domain} for result in dmarc):
        return Authentication(False, "Its DMARC result is about another From domain.")
    if said == {"pass"} and all(result.domain("header.from") for result in dmarc):
        return Authentication(True, f"dmarc=pass header.from={domain}")
    # bestguesspass is Microsoft's word for: no policy, though it would have passed.
    if not said <= {"pass", "none", "bestguesspass"}:
        return Authentication(False, f"dmarc={min(said)[:20]}")
    for result in results:
        signer = result.domain("header.d")
        if result.method == "dkim" and result.result == "pass" and _speaks_for(signer, domain):
            return Authentication(True, f"dkim=pass header.d={signer}")
    return Authentication(False, "Neither DMARC nor an aligned DKIM signature passed.")


def _speaks_for(signer: str | None, domain: str) -> bool:
    if not signer or "" in signer.split("."):
        return False
    return signer == domain or ("." in signer and domain.endswith(f".{signer}"))
