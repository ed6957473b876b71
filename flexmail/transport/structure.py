"""What BODYSTRUCTURE tells of a mail of which only the beginning was read: where its texts end.

Counted are the parts that a reader may take for the author's text, and those that say what kind of
mail it is; of attachments and pictures it does not matter where they end. In doubt there is more.
RFC 9051, section 7.5.2; RFC 2183.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MAX_LEAVES, MAX_DEPTH = 50, 10

_HEADERS_END = re.compile(rb"\r?\n\r?\n")
# Boundary and headers of one part: those that mail programs write have a few hundred bytes.
_PART_HEADERS = 2 << 10
# Where the disposition stands in what is told of a part, by its kind.
_DISPOSITION_AT = {b"TEXT": 9, b"MESSAGE/RFC822": 11, b"MESSAGE/GLOBAL": 11}
_NEVER_TEXT = {b"APPLICATION", b"AUDIO", b"FONT", b"IMAGE", b"MODEL", b"VIDEO"}


@dataclass(frozen=True, slots=True)
class _Leaf:
    counts: bool
    octets: int


@dataclass(frozen=True, slots=True)
class Texts:
    """Where the last text of a mail begins, and where all end: both at the latest."""

    last_begins: int
    end: int


def texts_in(structure: Any, head: bytes, size: int) -> Texts | None:
    """Return where the texts of a mail are, None if nobody knows or there is none.

    What belongs to no part, such as headers of parts and an epilogue, may all stand before the end
    of the last text.

    Args:
        structure: as the server gave it, parsed.
        head: the beginning of the mail, its headers at least.
        size: of the whole mail, in bytes.
    """
    end = _HEADERS_END.search(head)
    try:
        leaves = list(_leaves(structure, 0))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    counted = [number for number, leaf in enumerate(leaves, 1) if leaf.counts]
    if end is None or not counted or len(leaves) > MAX_LEAVES:
        return None
    before = [leaf.octets for leaf in leaves[: counted[-1]]]
    between = size - end.end() - sum(leaf.octets for leaf in leaves)
    return Texts(
        last_begins=end.end() + sum(before[:-1]) + max(between, 0),
        end=end.end() + sum(before) + max(between, _PART_HEADERS * len(before)),
    )


def _leaves(part: Sequence[Any], depth: int) -> Iterator[_Leaf]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if not isinstance(part[0], tuple):
        yield _leaf(part)
        return
    for child in part:
        if not isinstance(child, tuple):
            return
        yield from _leaves(child, depth + 1)


def _leaf(part: Sequence[Any]) -> _Leaf:
    kind = part[0].upper()
    full = kind + b"/" + part[1].upper()
    at = _DISPOSITION_AT.get(full, _DISPOSITION_AT.get(kind, 8))
    disposition = part[at] if len(part) > at and isinstance(part[at], tuple) else (b"", None)
    named = _has(part[2], b"NAME") or _has(disposition[1], b"FILENAME")
    attached = disposition[0].upper() == b"ATTACHMENT" or named
    never = kind in _NEVER_TEXT or (kind == b"TEXT" and attached)
    return _Leaf(counts=not never, octets=int(part[6]))


def _has(parameters: Any, name: bytes) -> bool:
    """Tell whether a parameter is there, also in the spellings of RFC 2231."""
    keys = parameters[::2] if isinstance(parameters, tuple) else ()
    return any(key.upper().partition(b"*")[0] == name for key in keys)
