"""Lines beside an unmarked quote of our mail that lacks its beginning or its end.

Where a client cut or garbled the quote, what is left of the missing part may stand alone beside
it, the requester's words among it. Whether the author wrote such a line too, nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from flexmail.mail.lines import is_blank
from flexmail.mail.pieces import Run, Word, spaced
from flexmail.mail.quote import find_boundary, is_quoted

# A line of fewer letters is compared as words: it stands in the middle of too many others.
_MIN_LETTERS = 8
_NO_LETTERS = re.compile(r"[^a-z0-9]+")


def torn_lines(
    lines: Sequence[str],
    words: Sequence[Word],
    runs: Sequence[Run],
    parts: Sequence[Sequence[str]],
    given: Sequence[str],
) -> set[int]:
    """Return the numbers of the lines that may belong to what is missing of an unmarked quote.

    Args:
        words: those of the lines.
        runs: the pieces of our mail among them, at least one.
        parts: the words of our mail.
        given: what the requester wrote into it.
    """
    top, bottom = words[runs[0].start].line, words[runs[-1].end - 1].line
    by_line = {
        number: spaced([word.text for word in group])
        for number, group in groupby(words, lambda word: word.line)
    }
    texts = [spaced(part) for part in parts]

    def stretch(run: Run) -> tuple[str, Sequence[str]]:
        of_run = words[run.start : run.end]
        return spaced([word.text for word in of_run]), lines[of_run[0].line : of_run[-1].line + 1]

    found: set[int] = set()
    first, first_lines = stretch(runs[0])
    if not (_are_marked(first_lines) or _is_set_off(lines[:top], given)):
        missing = [text[: text.rfind(first) + 1] for text in texts if first in text]
        found.update(_among(missing, by_line, range(top)))
    last, last_lines = stretch(runs[-1])
    if not _are_marked(last_lines):
        missing = [text[text.find(last) + len(last) - 1 :] for text in texts if last in text]
        found.update(_among(missing, by_line, range(bottom + 1, len(lines))))
    return found


def _are_marked(lines: Sequence[str]) -> bool:
    """Tell whether a client marked lines of ours as a quote; the requester can mark some only."""
    return all(is_quoted(line) for line in lines if not is_blank(line))


def _is_set_off(above: Sequence[str], given: Sequence[str]) -> bool:
    """Tell whether a client, not the requester, put a heading or a line above an unmarked quote."""
    found = find_boundary(above, 0)
    if found is None or found.kind == "quote":
        return False
    heading = " ".join(above[found.start : found.end + 1])
    if letters := _letters(heading):
        return not any(letters in _letters(text) for text in given)
    return not any(heading.strip() in text for text in given)


def _among(missing: Sequence[str], by_line: Mapping[int, str], numbers: range) -> Iterator[int]:
    letters_missing = [_letters(text) for text in missing]
    for number in numbers:
        said = by_line.get(number)
        if said is None:
            continue
        letters = _letters(said)
        if any(said in text for text in missing) or (
            len(letters) >= _MIN_LETTERS and any(letters in text for text in letters_missing)
        ):
            yield number


def _letters(text: str) -> str:
    """Return what is left of a text when a client breaks words and loses what is not ASCII."""
    return _NO_LETTERS.sub("", text.lower())
