"""What may stand above the word without being meant: a gateway's banner, a greeting.

Passed over only where nothing else could be meant. A banner begins as one, says what gateways say,
names no deciding word, and ends at a blank line or right above a word that stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flexmail.mail.decision import ALONE, NEGATIONS, decide, says_any
from flexmail.mail.lines import bare, is_blank, next_written
from flexmail.mail.phrases import (
    AND,
    BANNER_PHRASES,
    BANNER_STARTS,
    GREETINGS,
    HONORIFICS,
    NAMELESS,
)
from flexmail.mail.word_list import Words

_MAX_GREETING = 50
_MAX_NAMES = 3
_MAX_BANNERS = 2
_MAX_BANNER_LINES = 6

_BEFORE = " \t[(*!<-_\"'"
_SENTENCE_ENDS = (".", "!", "]", ")", ">", "*")
_NAME = re.compile(r"[^\W\d_]+(?:[-'\u2019.][^\W\d_]+)*\.?")


def below_opening(lines: Sequence[str], at: int, words: Words) -> int:
    """Return the first line written below banners and a greeting; the end if there is neither."""
    begin = at
    for _ in range(_MAX_BANNERS):
        after = _after_banner(lines, begin, words) if begin < len(lines) else begin
        if after == begin:
            break
        begin = next_written(lines, after)
    said = words.approve | words.reject | NEGATIONS
    if begin < len(lines) and _is_greeting(lines[begin]) and not says_any(lines[begin], said):
        return next_written(lines, begin + 1)
    return begin if begin > at else len(lines)


def _after_banner(lines: Sequence[str], at: int, words: Words) -> int:
    """Return the line at which a banner that starts at `at` has ended, or `at`."""
    if not _plain(lines[at]).lstrip(_BEFORE).startswith(BANNER_STARTS):
        return at
    deciding = words.approve | words.reject
    last = min(len(lines), at + 1 + _MAX_BANNER_LINES)
    end = next((n for n in range(at + 1, last) if _ends_banner(lines, n, words)), len(lines))
    if end == len(lines):
        return at
    text = _plain(" ".join(lines[at:end]))
    # "No" in a sentence ("No haga clic") decides nothing: it counts only alone on its line.
    is_banner = any(phrase in text for phrase in BANNER_PHRASES)
    return end if is_banner and not says_any(text, deciding - ALONE) else at


def _ends_banner(lines: Sequence[str], at: int, words: Words) -> bool:
    if is_blank(lines[at]):
        return True
    if not lines[at - 1].endswith(_SENTENCE_ENDS):
        return False
    decision = decide(lines[at : at + 1], words)
    return decision.set_off and not decision.comment  # what decides nothing is never set off


def _plain(text: str) -> str:
    return bare(text).lower().replace("\u2019", "'")


def _is_greeting(line: str) -> bool:
    """Tell whether a line is "Hello", alone or with names: capitalised, or "all" and the like."""
    said = line.strip().rstrip(" ,.!:;-\u2013\u2014")
    hello = next((hello for hello in GREETINGS if _starts_with_word(said.lower(), hello)), None)
    if hello is None or len(said) > _MAX_GREETING:
        return False
    names = [name for name in said[len(hello) :].split() if name.lower() not in AND]
    return len(names) <= _MAX_NAMES and all(_is_name(name.rstrip(",")) for name in names)


def _is_name(name: str) -> bool:
    if name.lower() in NAMELESS or name.endswith(HONORIFICS):
        return True
    return name[:1].isupper() and bool(_NAME.fullmatch(name))


def _starts_with_word(text: str, word: str) -> bool:
    return text.startswith(word) and text[len(word) : len(word) + 1] in {"", " "}
