"""A mail's text as lines: where they end, which are blank, which a client may have broken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

MAX_LINES = 2000
# How much of a line the recognisers look at.
MAX_SEEN = 300
# Clients break lines from here on: a shorter line was ended by its author.
WRAP_WIDTH = 60

# A time of day, and a year: what attributions and headers of mail hold.
CLOCK = re.compile(r"(?<!\d)\d{1,2}[:.h]\d\d(?!\d|[.:/-]\d{4})")
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")

_ARMOUR = re.compile(
    r"\s*-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\n"
    r"(?:(?:Hash|Charset|NotDashEscaped):[^\n]*\n)*[ \t]*\n"
)
_ARMOURED_SIGNATURE = re.compile(
    r"^-----BEGIN PGP SIGNATURE-----[ \t]*$(?s:.*?)(?:^-----END PGP SIGNATURE-----[ \t]*$|\Z)",
    re.MULTILINE,
)


def split_lines(text: str) -> list[str]:
    """Split at line ends only, and at no other character; what lies below the cap is left out."""
    return list(_lines(text))


@lru_cache(maxsize=2)  # each text of a mail is looked at line by line more than once
def _lines(text: str) -> tuple[str, ...]:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.replace("\u00a0", " ").split("\n", MAX_LINES)[:MAX_LINES]
    return tuple([line.rstrip(" \t") for line in lines])


def without_armour(text: str) -> str:
    """Return a text without the frame of an OpenPGP signature that it starts with (RFC 9580, 7).

    The signature proves nothing here. What stands below it stays: its reader sees that too.
    """
    frame = _ARMOUR.match(text)
    if frame is None:
        return text
    signature = _ARMOURED_SIGNATURE.search(text, frame.end())
    end, after = signature.span() if signature else (len(text), len(text))
    signed = re.sub(r"^- ", "", text[frame.end() : end], flags=re.MULTILINE)
    return signed + text[after:].removeprefix("\n")


def is_blank(line: str) -> bool:
    """Tell whether nothing shows on a line; characters without width show nothing."""
    if line.isascii():
        return not line.strip()
    return all(char.isspace() or unicodedata.category(char) == "Cf" for char in line)


def next_written(lines: Sequence[str], at: int) -> int:
    """Return the first line at or below `at` that is not blank; the end if there is none."""
    while at < len(lines) and is_blank(lines[at]):
        at += 1
    return at


def bare(line: str) -> str:
    """Return a line without the characters that only steer how it shows, and with plain spaces.

    For recognising what a client wrote, which embeds names in marks of direction; never for words
    that decide.
    """
    if line.isascii():
        return line
    kept = (char for char in line if unicodedata.category(char) != "Cf")
    return "".join(" " if char.isspace() and char != "\n" else char for char in kept)


def may_be_wrapped(line: str, following: str) -> bool:
    """Tell whether a client, not the author, may have ended `line`: the next word had no room."""
    first, *_ = following.split(maxsplit=1) or [""]
    return len(line) + 1 + len(first) > WRAP_WIDTH
