"""What stands between an answer and history: the header of a mail, a title, a line drawn.

Headers are known by their labels; a block of four labels with an address and a date is one in any
language. Every test looks at a bounded piece of a few lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from flexmail.mail.lines import CLOCK, MAX_SEEN, YEAR, bare, is_blank
from flexmail.mail.wordings import FORWARD_INTRODUCTIONS, HEADER_LABELS, TITLES

_MAX_TITLE = 100
_HEADER_LINES = 7
_UNKNOWN_LABELS = 4
_MIN_STROKES = 3

_LABEL = re.compile(r"[\s>*_]{0,20}([^\W\d_][^:\uff1a*_]{0,30}?)[\s*_]{0,6}[:\uff1a]")
_NAMES_AN_ADDRESS = re.compile(
    r"(?:[:\uff1a]\s?|[<\[](?:mailto:)?)[^\s<>\[\]:]{1,250}@[^\s<>\[\]]{1,250}[>\]]{0,2}$"
)
_LABELS = {label: kind for kind, labels in HEADER_LABELS.items() for label in labels}
_TITLES = frozenset(TITLES)
# Dashes, and the lines and blocks of which people draw: U+2500 to U+257F, wide forms.
_DASH = r"\-\u058a\u05be\u2010-\u2015\u2212\u2500-\u257f\u2e3a\u2e3b\u301c\u3030\uff0d"
_DRAWN = re.compile(rf"[ {_DASH}_=~*#+\u30fc\uff1d\uff3f\uff0a]+")
_EDGE = re.compile(rf"[{_DASH}_=~#]*")
_COLON = re.compile("[:\uff1a]")


def starts_history(lines: Sequence[str], at: int, begin: int) -> bool:
    """Tell whether the header of another mail starts at a line; nothing above `begin` counts."""
    if not _LABEL.match(lines[at][:80]) and lines[at].isascii():
        return False
    first = _kinds(lines[at])
    if len(first) > 2 or ("from" in first and _NAMES_AN_ADDRESS.search(lines[at][:MAX_SEEN])):
        return True
    block = _block(lines, at)
    kinds = {kind for line in block for kind in _kinds(line)} if first else set()
    if len(kinds) >= 2 and ("from" in kinds or _has_address_and_date(block)):
        return True
    if first and _is_spaced_header(lines, at):
        return True
    return _is_header_in_any_language(block) and _stands_below(lines, at, begin)


def is_drawn(line: str) -> bool:
    """Tell whether a line is drawn, alone or on both sides of a title, or is such a title."""
    return _is_drawn(line[:MAX_SEEN])


@lru_cache(maxsize=64)  # the line that decides is mostly the same, in both texts and in all mails
def _is_drawn(line: str) -> bool:
    line = bare(line).strip()
    title = line.strip("*:\uff1a \t").strip()
    if title.lower() in _TITLES or line.lower().startswith(FORWARD_INTRODUCTIONS):
        return line.endswith((":", "\uff1a")) or title.lower() in _TITLES
    if _DRAWN.fullmatch(line):
        return len(line.replace(" ", "")) >= _MIN_STROKES
    return _is_title_between_strokes(title)


def _is_title_between_strokes(line: str) -> bool:
    before, after = _EDGE.match(line), _EDGE.match(line[::-1])
    width = min(before.end() if before else 0, after.end() if after else 0)
    title = line.strip("".join({*line[:width], *line[len(line) - width :], " "})).lower()
    if width < 2 or len(title) > _MAX_TITLE:
        return False
    return width >= _MIN_STROKES or title in _TITLES or line[0] == line[-1] == "#"


def _block(lines: Sequence[str], at: int) -> Sequence[str]:
    """Return the lines from `at` to the next blank one, at most as many as a header has."""
    end = at
    while end < min(len(lines), at + _HEADER_LINES) and not is_blank(lines[end]):
        end += 1
    return lines[at:end]


@lru_cache(maxsize=4 * _HEADER_LINES)
def _kinds(line: str) -> frozenset[str]:
    """Return what the labels of a line name: from, to and so on; none if it starts with none."""
    line = bare(line[:MAX_SEEN])
    found = _LABEL.match(line[:80])
    kind = _LABELS.get(found[1].strip().lower()) if found else None
    if found is None or kind is None:
        return frozenset()
    inner = _COLON.split(line[found.end() :].lower(), maxsplit=_HEADER_LINES)[:-1]
    if len(inner) < 2:  # "From 5 to: 10" has one
        return frozenset({kind})
    words = [piece.replace("*", "").split()[-2:] for piece in inner]
    names = {name for pair in words for name in (" ".join(pair), *pair[-1:])}
    return frozenset({kind, *(_LABELS[name] for name in names if name in _LABELS)})


def _stands_below(lines: Sequence[str], at: int, begin: int) -> bool:
    """Tell whether something is written above a line, and then nothing on the line above it.

    What could be the author's own first line ("Rejected: ...") is no header of a mail.
    """
    above = next((n for n in range(at - 1, begin - 1, -1) if not is_blank(lines[n])), at)
    return above < at - 1


def _is_header_in_any_language(block: Sequence[str]) -> bool:
    labelled = [line for line in block if _LABEL.match(bare(line[:80]))]
    if len(labelled) < _UNKNOWN_LABELS or any(map(_kinds, labelled)):
        return False
    return _has_address_and_date(labelled)


def _has_address_and_date(block: Sequence[str]) -> bool:
    text = "\n".join(line[:MAX_SEEN] for line in block)
    return "@" in text and bool(CLOCK.search(text) or YEAR.search(text))


def _is_spaced_header(lines: Sequence[str], at: int) -> bool:
    """Tell whether the labels of a header stand on every other line, three kinds at least."""
    kinds: set[str] = set()
    for line in lines[at : at + 2 * _HEADER_LINES]:
        if not is_blank(line):
            found = _kinds(line)
            if not found:
                break
            kinds |= found
    return "from" in kinds and len(kinds) >= 3
