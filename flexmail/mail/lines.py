"""A mail's text as lines: where they end, which are blank, which a client may have broken."""

from __future__ import annotations

import re
import unicodedata

MAX_LINES = 2000
# How much of a line the recognisers look at.
MAX_SEEN = 300
# Clients break lines from here on: a shorter line was ended by its author.
WRAP_WIDTH = 60

_LINE_END = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """Split at line ends only, and at no other character; what lies below the cap is left out."""
    lines = _LINE_END.split(text, maxsplit=MAX_LINES)[:MAX_LINES]
    return [line.replace("\u00a0", " ").rstrip(" \t") for line in lines]


def is_blank(line: str) -> bool:
    """Tell whether nothing shows on a line; characters without width show nothing."""
    return all(char.isspace() or unicodedata.category(char) == "Cf" for char in line)


def may_be_wrapped(line: str, following: str) -> bool:
    """Tell whether a client, not the author, may have ended `line`: the next word had no room."""
    first, *_ = following.split(maxsplit=1) or [""]
    return len(line) + 1 + len(first) > WRAP_WIDTH
