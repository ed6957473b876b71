"""What an answer says: approve, reject, or nothing that may be acted on.

Reads the author's own words only, in the plain and the HTML text; where the two differ, nothing is
decided. Who wrote the mail, and whether they may decide, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flexmail.mail.decision import (
    DEFAULT_WORDS,
    NEGATIONS,
    Verdict,
    Words,
    decide,
    parse_words,
    says_any,
    stands_alone,
)
from flexmail.mail.html import visible_text
from flexmail.mail.lines import is_blank
from flexmail.mail.parse import Parsed
from flexmail.mail.phrases import BANNER_PHRASES, BANNER_STARTS, GOODBYES, GREETINGS, NAMELESS
from flexmail.mail.quote import own_lines

__all__ = ["DEFAULT_WORDS", "Reading", "Words", "author_text", "parse_words", "read"]

MAX_COMMENT = 10_000

_MAX_SHOWN = 200
_MAX_GREETING = 50
_MAX_NAMES = 3
_MAX_BANNER_LINES = 6
_MAX_LINES_AFTER_GOODBYE = 4

_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says; `reason` tells why, in a sentence, and `words_read` on which words."""

    verdict: Verdict | None
    comment: str
    reason: str
    words_read: str


def author_text(plain: str) -> str:
    """Return the author's own lines: nothing quoted, no attribution, marker or signature."""
    return "\n".join(own_lines(plain).lines).strip("\n")


def read(parsed: Parsed, words: Words) -> Reading:
    """Read the answer in a mail; parts that read differently decide nothing."""
    texts = [parsed.plain or "", visible_text(parsed.html) if parsed.html else ""]
    readings = [_read_text(text, words) for text in texts if not is_blank(text)]
    if not readings:
        return Reading(None, "", "The mail holds no text.", "")
    first, last = readings[0], readings[-1]
    if first.verdict != last.verdict:
        reason = "The plain text and the HTML text of the mail do not say the same."
        return Reading(None, "", reason, first.words_read or last.words_read)
    return first


def _read_text(text: str, words: Words) -> Reading:
    own = own_lines(text)
    lines = list(own.lines)
    at = _next_written(lines, 0)
    if at == len(lines):
        return Reading(None, "", "Nothing was written above the quoted mail.", "")
    decision = decide(lines[at:], words)
    must_be_set_off = own.under_quote
    if not decision.has_word and (below := _below_opening(lines, at, words)) < len(lines):
        at, must_be_set_off = below, True
        decision = decide(lines[at:], words)
    shown = lines[at].strip()[:_MAX_SHOWN]
    if decision.verdict is None:
        return Reading(None, "", decision.reason, shown)
    if must_be_set_off and not decision.set_off:
        reason = "Below a greeting or a quote, a comment on the same line needs a mark before it."
        return Reading(None, "", reason, shown)
    if decision.verdict == "approve" and any(
        stands_alone(line, words.reject) for line in lines[at + 1 :]
    ):
        return Reading(None, "", "A word that rejects stands below the one that approves.", shown)
    comment = _comment(decision.comment, lines[at + 1 :])
    return Reading(decision.verdict, comment, decision.reason, shown)


def _next_written(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and is_blank(lines[at]):
        at += 1
    return at


def _below_opening(lines: Sequence[str], at: int, words: Words) -> int:
    """Return the first line written below a gateway's banner and a greeting; the end if neither."""
    said = words.approve | words.reject | NEGATIONS
    after_banner = _after_banner(lines, at, words)
    begin = _next_written(lines, after_banner)
    if begin < len(lines) and _is_greeting(lines[begin]) and not says_any(lines[begin], said):
        return _next_written(lines, begin + 1)
    return begin if after_banner > at else len(lines)


def _after_banner(lines: Sequence[str], at: int, words: Words) -> int:
    """Return the blank line that ends a banner starting at `at`, or `at`."""
    if not lines[at].lower().lstrip(" [(*!").startswith(BANNER_STARTS):
        return at
    end = at
    while end < len(lines) and not is_blank(lines[end]):
        end += 1
    text = " ".join(lines[at:end][:_MAX_BANNER_LINES]).lower()
    is_banner = (
        end - at <= _MAX_BANNER_LINES
        and any(phrase in text for phrase in BANNER_PHRASES)
        and not says_any(text, words.approve | words.reject)
    )
    return end if is_banner and end < len(lines) else at


def _is_greeting(line: str) -> bool:
    """Tell whether a line is "Hello", alone or with names: capitalised, or "all" and the like."""
    said = line.strip().rstrip(" ,.!")
    hello = next((hello for hello in GREETINGS if _starts_with_word(said.lower(), hello)), None)
    if hello is None or len(said) > _MAX_GREETING:
        return False
    names = said[len(hello) :].split()
    return len(names) <= _MAX_NAMES and all(
        name.lower() in NAMELESS or (name[0].isupper() and name.strip(".").isalpha())
        for name in names
    )


def _starts_with_word(text: str, word: str) -> bool:
    return text.startswith(word) and text[len(word) : len(word) + 1] in {"", " "}


def _comment(head: str, below: Sequence[str]) -> str:
    end = len(below)
    after = 0
    for at in range(len(below) - 1, -1, -1):
        if is_blank(below[at]):
            continue
        if below[at].strip(" ,.!:").lower() in GOODBYES:
            end = at
        elif (after := after + 1) > _MAX_LINES_AFTER_GOODBYE:
            break
    text = "\n".join([head, *(line.strip() for line in below[:end])]).strip()
    return _BLANK_LINES.sub("\n\n", text)[:MAX_COMMENT]
