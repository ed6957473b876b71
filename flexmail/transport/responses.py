"""What IMAP servers answer, taken apart; and sets of UIDs, to ask with.

Nearly all that a run is told of mails has the same few items in plain words: one expression takes
it apart. Everything else is IMAPClient's parser's, which looks at each character (RFC 9051 9).
"""

from __future__ import annotations

import contextlib
import imaplib
import re
from collections.abc import Iterable, Iterator
from typing import Any

PARSER_ERRORS = (
    imaplib.IMAP4.abort,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What is raised over answers that are none."""

MAX_NUMBER = (1 << 63) - 1
"""Of UIDs and the like; RFC 9051 knows none beyond 32 bits, some servers do, and the database ends
here."""

MAX_SIZE = (1 << 31) - 1
"""Of a mail, in bytes: what is said to be larger counts as this, for the database ends here too."""

_LITERAL8 = re.compile(rb"~(\{\d+\})$")
_PLAIN = re.compile(
    rb"\d{1,10} \((?:(?:UID (?P<uid>\d{1,10})|RFC822\.SIZE (?P<size>\d{1,10})"
    rb"|FLAGS \((?P<flags>[\w\\$. -]*)\))(?: |(?=\)))){0,4}"
    rb"(?:(?P<body>BODY\[[\w.() -]*\](?:<\d{1,10}>)?) ~?\{\d{1,10}\}|\))",
    re.IGNORECASE | re.ASCII,
)


def records(data: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Parse untagged responses one by one."""
    return map(_parsed, _responses(data))


def fetched_items(data: Iterable[Any]) -> Iterator[dict[bytes, Any]]:
    """Yield the items of each FETCH response that names its UID; others are unsolicited."""
    for response in _responses(data):
        named = _plain_items(response) or _parsed_items(response)
        if isinstance(named.get(b"UID"), int) and 0 < named[b"UID"] <= MAX_NUMBER:
            yield named


def _plain_items(response: list[Any]) -> dict[bytes, Any]:
    """Return the items of a response in plain words, none of any other."""
    (line, *literal), *rest = response if isinstance(response[0], tuple) else [response]
    found = _PLAIN.fullmatch(line)
    if not found or rest != [b")"] * len(literal) or (found["body"] is None) is bool(literal):
        return {}
    named: dict[bytes, Any] = {}
    if found["uid"] is not None:
        named[b"UID"] = int(found["uid"])
    if found["size"] is not None:
        named[b"RFC822.SIZE"] = int(found["size"])
    if found["flags"] is not None:
        named[b"FLAGS"] = tuple(found["flags"].split())
    if found["body"] is not None:
        named[found["body"].upper()] = literal[0]
    return named


def _parsed_items(response: list[Any]) -> dict[bytes, Any]:
    items = _parsed(response)[1]
    return {key.upper(): value for key, value in zip(*[iter(items)] * 2, strict=True)}


def _parsed(response: list[Any]) -> tuple[Any, ...]:
    # Takes a while to load, and most answers are in plain words.
    from imapclient.exceptions import ProtocolError
    from imapclient.response_parser import parse_response

    known = [
        (_LITERAL8.sub(rb"\1", piece[0]), *piece[1:]) if isinstance(piece, tuple) else piece
        for piece in response
    ]
    try:
        record: tuple[Any, ...] = parse_response(known)
    except ProtocolError as error:  # a kind of refusal, if imaplib is asked
        raise ValueError(str(error)) from error
    return record


def readable_items(data: Iterable[Any]) -> Iterator[dict[bytes, Any]]:
    """Yield the items of those FETCH responses that can be parsed, where none is needed."""
    for response in _responses(data):
        with contextlib.suppress(*PARSER_ERRORS):
            yield from list(fetched_items(response))


def _responses(data: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield response by response; imaplib hands one with literals in pieces."""
    pieces: list[Any] = []
    for piece in data:
        if piece is None:
            continue
        pieces.append(piece)
        if isinstance(piece, bytes):
            if any(pieces):
                yield pieces
            pieces = []


def uid_sets(uids: Iterable[int], at_most: int = 200) -> Iterator[str]:
    """Write UIDs as sequence sets (RFC 9051 9), ranges where they follow on, in short pieces."""
    ranges: list[tuple[int, int]] = []
    for uid in sorted(set(uids)):
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    for start in range(0, len(ranges), at_most):
        yield ",".join(
            f"{low}:{high}" if low < high else f"{low}"
            for low, high in ranges[start : start + at_most]
        )
