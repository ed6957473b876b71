"""What IMAP servers answer, taken apart with IMAPClient's parser; and sets of UIDs, to ask with."""

from __future__ import annotations

import contextlib
import imaplib
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


def records(data: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Parse untagged responses one by one."""
    # Takes a while to load, and an empty folder has no answer that needs it.
    from imapclient.exceptions import ProtocolError
    from imapclient.response_parser import parse_response

    try:
        yield from map(parse_response, _responses(data))
    except ProtocolError as error:  # for imaplib, a kind of refusal
        raise ValueError(str(error)) from error


def fetched_items(data: Iterable[Any]) -> Iterator[dict[bytes, Any]]:
    """Yield the items of each FETCH response that names its UID; others are unsolicited."""
    for record in records(data):
        items = record[1]
        named = {bytes(key).upper(): value for key, value in zip(*[iter(items)] * 2, strict=True)}
        if isinstance(named.get(b"UID"), int) and named[b"UID"] > 0:
            yield named


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
