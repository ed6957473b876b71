"""Lines such as "On 3 November 2026 at 12:54, Bob wrote:", in any common language.

Recognised by what they hold: a verb of writing and a date, or an address, a date and a colon.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flexmail.mail.lines import MAX_SEEN, is_blank
from flexmail.mail.phrases import OPENERS, WROTE, WROTE_UNSPACED

_MAX_LINES = 4

_IN_ANGLES = re.compile(r"<[^<>]{0,200}>?")
_TIME_OR_YEAR = re.compile(r"\d{1,2}[:.]\d\d|(?<!\d)(?:19|20)\d\d(?!\d)")
_OPENER = re.compile(rf"(?:{'|'.join(map(re.escape, OPENERS))})\s")
_COLONS = (":", "\uff1a")


def attribution_start(lines: Sequence[str], at: int, begin: int) -> int | None:
    """Return where the attribution that ends at line `at` starts: the shortest that reads as one.

    A date decides where it starts, for names and addresses may fill the lines after it; one that
    starts as such lines do is preferred over a shorter one.
    """
    last = lines[at][-MAX_SEEN:].rstrip(" -_*")
    if not (last.endswith(_COLONS) or _wrote(_words(last)[-1:])):
        return None
    shortest = None
    for start in range(at, max(begin, at - _MAX_LINES + 1) - 1, -1):
        if is_blank(lines[start]):
            break
        text = " ".join(line[:MAX_SEEN].strip() for line in lines[start : at + 1])
        if not _is_attribution(text):
            continue
        if _opens(text):
            return start
        shortest = start if shortest is None else shortest
    return shortest


def _opens(text: str) -> bool:
    return bool(_OPENER.match(text.lower().lstrip(" -*>_")))


def _words(text: str) -> list[str]:
    """The words of a line without addresses, for those may hold any letter and digit."""
    words = _IN_ANGLES.sub(" ", text.lower()).split()
    return [word.strip(" :\uff1a-_*,;\"'") for word in words if "@" not in word]


def _wrote(words: list[str]) -> bool:
    return not WROTE.isdisjoint(words) or any(
        phrase in word for word in words for phrase in WROTE_UNSPACED
    )


def _is_attribution(text: str) -> bool:
    text = text.strip(" -_*>")
    words = _words(text)
    without_addresses = " ".join(words)
    has_digit = any(char.isdigit() for char in without_addresses)
    starts_so = _opens(text) or text[:1].isdigit()
    if text.endswith(_COLONS):
        if _wrote(words):
            return has_digit and (starts_so or "@" in text)
        return "@" in text and bool(_TIME_OR_YEAR.search(without_addresses))
    return has_digit and starts_so and _wrote(words[-1:])
