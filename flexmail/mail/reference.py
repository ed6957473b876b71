"""References: the secrets that bind a reply to one approval and one approver.

A reference stands in the mail's text, our Message-ID in its header. Both are random secrets of at
least 128 bits, looked up by their digest only. RFC 4648 (base32), RFC 5322 section 3.6.4.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from functools import cache
from itertools import accumulate, chain, islice

LENGTH = 26
MAX_LENGTH = 64
MAX_FOUND = 100
MASKED = "FM-…(masked)"
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""Characters that no client shows, as a range of a regular expression."""

_FIVE_BITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * (256 // 32)
"""The letter that each byte becomes: of its eight bits five count, and all letters alike."""

# What stands before it is looked at last: a pattern that begins with letters is found quicker.
_START = re.compile(r"FM-(?:(?<![A-Za-z0-9]FM-)|(?<=%[0-9A-Fa-f]{2}FM-))")
_WHOLE = re.compile(rf"[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}(?![A-Za-z0-9])")
# What clients put inside a long word: a line break, with quote marks before the rest.
_BREAK = r"=?[ \t]{0,8}\r?\n[>| \t]{0,40}"
_WRAPPED = re.compile(
    rf"[A-Z2-7]{{0,{LENGTH}}}(?:{_BREAK}[A-Z2-7]{{1,{LENGTH}}}){{1,2}}(?![A-Za-z0-9])"
)
_IN_PLAIN_SIGHT = (
    rf"FM-(?:{_BREAK})?(?:[A-Z2-7](?:{_BREAK})?){{{LENGTH - 1}}}[A-Z2-7]{{1,{MAX_LENGTH}}}"
)
_SECRET_BYTES = re.compile(_IN_PLAIN_SIGHT.encode(), re.IGNORECASE)
_UNSEEN = f"[{INVISIBLE}]{{0,8}}"
_GAP = f"(?:{_UNSEEN}(?:{_BREAK}{_UNSEEN})?)"
_SECRET = (
    rf"F{_UNSEEN}M{_UNSEEN}-{_GAP}(?:[A-Z2-7]{_GAP}){{{LENGTH - 1}}}"
    rf"[A-Z2-7](?:{_UNSEEN}[A-Z2-7]){{0,{MAX_LENGTH}}}"
)
# The same for ASCII, where nothing is unseen: a search that ignores no case begins quicker.
_LETTERS = "[A-Za-z2-7]"
_SECRET_IN_ASCII = re.compile(
    rf"[Ff][Mm]-(?:{_LETTERS}{{{LENGTH},{LENGTH + MAX_LENGTH}}}"
    rf"|(?:{_BREAK})?(?:{_LETTERS}(?:{_BREAK})?){{{LENGTH - 1}}}{_LETTERS}{{1,{1 + MAX_LENGTH}}})"
)
_LETTER = re.compile(rb"[A-Za-z2-7]")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_OWN_MESSAGE_ID = re.compile(rf"<fm-[a-z2-7]{{{LENGTH}}}@[!-;=?-~]{{1,200}}>")
_SOURCE_LOOKED_AT = 64 << 10
# What must not stand before it is looked at behind its first letters: those are searched for fast.
_PLAIN_KEY = re.compile(rf"FM-(?<!\wFM-)[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}\b")


def new_reference() -> str:
    """Make a reference of 130 random bits."""
    return "FM-" + _random_word()


def new_message_id(domain: str) -> str:
    """Make one of our Message-IDs, with 130 random bits of its own."""
    return f"<fm-{_random_word().lower()}@{domain}>"


def digest(secret: str) -> str:
    """Return how a reference or Message-ID of ours is stored and looked up: SHA-256, hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def find_keys(raw: bytes) -> frozenset[str]:
    """Return what looks like a reference or a Message-ID of ours in the source of a mail.

    For looking up beforehand what the mail may be about, never for judging it: encoded text is not
    decoded here.
    """
    text = raw[:_SOURCE_LOOKED_AT].decode("latin-1")
    found = chain(_OWN_MESSAGE_ID.findall(text), _PLAIN_KEY.findall(text))
    return frozenset(islice(found, MAX_FOUND))


def find_references(text: str) -> frozenset[str]:
    """Return every reference in the text, also where a client broke it over two or three lines."""
    found: set[str] = set()
    for start in _START.finditer(text):
        word = _at(text, start.end())
        if word:
            found.add("FM-" + word)
        if len(found) == MAX_FOUND:
            break
    return frozenset(found)


def mask(text: str) -> str:
    """Return the text with every reference unreadable, in whatever case or wrapping it stands.

    Our own Message-IDs are secrets of the same form and are masked too.
    """
    return (_SECRET_IN_ASCII if text.isascii() else _secret()).sub(MASKED, text)


@cache
def _secret() -> re.Pattern[str]:
    # Takes as long to compile as all others here together, and most runs have no use for it.
    return re.compile(_SECRET, re.IGNORECASE)


def mask_bytes(raw: bytes) -> bytes:
    """Return the bytes with every reference in plain sight unreadable, and nothing moved."""
    return _SECRET_BYTES.sub(lambda found: found[0][:3] + _LETTER.sub(b"*", found[0][3:]), raw)


def find_message_ids(header_values: Iterable[str]) -> tuple[str, ...]:
    """Return the message ids of In-Reply-To or References values, each once, in their order."""
    found: dict[str, None] = {}
    for value in header_values:
        for match in _MESSAGE_ID.finditer(value):
            found[match[0]] = None
            if len(found) == MAX_FOUND:
                return tuple(found)
    return tuple(found)


def find_own_message_ids(text: str) -> tuple[str, ...]:
    """Return the Message-IDs in the text that have the form of ours, each once."""
    found = dict.fromkeys(match[0] for match in islice(_OWN_MESSAGE_ID.finditer(text), MAX_FOUND))
    return tuple(found)


def _random_word() -> str:
    return secrets.token_bytes(LENGTH).translate(_FIVE_BITS).decode("ascii")


def _at(text: str, position: int) -> str:
    """Return the reference that starts here, or nothing.

    Only pieces that add up to the length we make are joined: a whole reference at the end of a
    line must not swallow the next line's first word.
    """
    whole = _WHOLE.match(text, position)
    if whole:
        return whole[0]
    wrapped = _WRAPPED.match(text, position)
    pieces = re.findall(r"[A-Z2-7]+", wrapped[0]) if wrapped else []
    return next((word for word in accumulate(pieces) if len(word) == LENGTH), "")
