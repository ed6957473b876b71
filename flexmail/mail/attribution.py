"""Lines such as "On 3 November 2026 at 12:54, Bob wrote:", in any common language.

Recognised by what they hold, whatever the language: an address, a date and a colon; a verb of
writing and a date; and right above a quote any one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from flexmail.mail.lines import CLOCK, MAX_SEEN, YEAR, bare, is_blank
from flexmail.mail.wordings import MID_OPENERS, OPENERS, QUOTING, WROTE, WROTE_UNSPACED

_MAX_LINES = 4
_MAX_GAP = 3
_MAX_ABOVE_A_QUOTE = 120

_IN_ANGLES = re.compile(r"<[^<>]{0,200}>?")
_NUMERIC_DATE = re.compile(r"(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}\s")
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d GMT[+-]\d\d:\d\d ")
# Lotus Notes: "Bob Smith---02.11.2026 09:14:00---Subject".
_BETWEEN_STROKES = re.compile(r"\S.{0,100}---\d[\d./-]{5,9} \d\d:\d\d.{0,12}---")
_OPENER = re.compile(rf"(?:{'|'.join(map(re.escape, OPENERS))})\s")
_QUOTING = re.compile(rf"(?:{'|'.join(map(re.escape, QUOTING))})\s")
_ENDS_WITH_ADDRESS = re.compile(r"@[^\s@]{1,250}(?: ?\[[^\[\]]{1,40}\])?\s?[:\uff1a]$")
_AUTHOR = re.compile(r"[<(]\S{1,200}@\S{1,200}[>)]|^\S{1,200}@\S{1,200}\s")
_COLONS = (":", "\uff1a")
_AROUND = " -_*>"


def attribution_start(lines: Sequence[str], at: int, begin: int) -> int | None:
    """Return where the attribution that ends at line `at` starts: the shortest that reads as one.

    A date decides where it starts, for names and addresses may fill the lines after it; one that
    starts as such lines do is preferred over a shorter one.
    """
    if not _may_end_one(lines[at][-MAX_SEEN:]):
        return None
    above_quote = _is_above_a_quote(lines, at)
    best = None
    for start in range(at, max(begin, at - _MAX_LINES + 1) - 1, -1):
        if is_blank(lines[start]):
            break
        text = " ".join(bare(line[:MAX_SEEN]).strip() for line in lines[start : at + 1])
        if not _is_attribution(text, above_quote=above_quote and start == at):
            continue
        opener = _dated_opener(lines[start])
        if opener and opener not in MID_OPENERS:
            return start
        best = start if opener or best is None else best
    return best


@lru_cache(maxsize=64)  # the line that decides is mostly the same, in both texts and in all mails
def _may_end_one(line: str) -> bool:
    line = bare(line).rstrip(_AROUND + ")")
    return line.endswith(_COLONS) or "@" in line or _wrote(_words(line)) or _is_dated(line)


def _is_above_a_quote(lines: Sequence[str], at: int) -> bool:
    for line in lines[at + 1 : at + 1 + _MAX_GAP]:
        if not is_blank(line):
            return line.lstrip().startswith(">")
    return False


def _dated_opener(line: str) -> str:
    """Return the word or digit by which a line with a date opens an attribution, or nothing."""
    line = bare(line[:MAX_SEEN]).lower().lstrip(_AROUND)
    dated = CLOCK.search(line) or YEAR.search(line)
    if line[:1].isdigit() and dated:
        return line[0]
    opener = _OPENER.match(line)
    word = opener[0].strip() if opener else ""
    return word if dated or (word not in MID_OPENERS and any(map(str.isdigit, line))) else ""


def _is_dated(text: str) -> bool:
    """Tell whether a line shows by its date alone, in the form of some client, what it is."""
    return bool(_ISO_MOMENT.match(text) or _BETWEEN_STROKES.match(text))


def _opens(text: str) -> bool:
    return bool(_OPENER.match(text.lower().lstrip(_AROUND)))


def _words(text: str) -> list[str]:
    """The words of a line without addresses, for those may hold any letter and digit."""
    words = _IN_ANGLES.sub(" ", text.lower()).split()
    return [word.strip(" :\uff1a-_*,;\"'«»") for word in words if "@" not in word]


def _wrote(words: list[str]) -> bool:
    if not WROTE.isdisjoint(words):
        return True
    text = " ".join(words)
    return any(phrase in text for phrase in WROTE_UNSPACED)


def _is_attribution(text: str, *, above_quote: bool) -> bool:
    text = text.strip(_AROUND)
    words = _words(text)
    shown = " ".join(words)
    if _is_dated(text) or (_NUMERIC_DATE.match(text) and re.search(r"<\S+@\S+$", text)):
        return True
    if not text.endswith(_COLONS):
        starts_so = _opens(text) or text[:1].isdigit()
        has_digit = any(char.isdigit() for char in shown)
        return has_digit and starts_so and _wrote(words[-1:])
    clock, year = bool(CLOCK.search(shown)), bool(YEAR.search(shown))
    starts_so = _opens(text) or text[:1].isdigit()
    if "@" in text and (clock or year) and (starts_so or _ENDS_WITH_ADDRESS.search(text)):
        return True
    if "@" in text and _QUOTING.match(text.lower()):
        return True
    if _wrote(words) and _says_when_or_who(text, words, clock=clock, year=year):
        return True
    is_short = len(text) <= _MAX_ABOVE_A_QUOTE
    return (
        above_quote and is_short and ("@" in text or any(map(str.isdigit, shown)) or _wrote(words))
    )


def _says_when_or_who(text: str, words: list[str], *, clock: bool, year: bool) -> bool:
    """Tell whether a line with a verb of writing and a colon names a time or an author."""
    says_so_last = _wrote(words[-1:])
    if clock or (says_so_last and _AUTHOR.search(text)):
        return True
    has_digit = any(char.isdigit() for word in words for char in word)
    starts_so = _opens(text) or text[:1].isdigit()
    return has_digit and (starts_so or (year and says_so_last))
