"""What an answer says: approve, reject, or nothing that may be acted on.

Reads the author's own words only, in the plain and the HTML text; where the two differ, nothing is
decided. Who wrote the mail, and whether they may decide, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from flexmail.mail.decision import (
    DEFAULT_WORDS,
    Verdict,
    decide,
    negates,
    plain_letters,
    says_any,
)
from flexmail.mail.html import goes_on, visible_text
from flexmail.mail.lines import MAX_LINES, is_blank, next_written, split_lines
from flexmail.mail.openings import below_opening
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed
from flexmail.mail.phrases import GOODBYES
from flexmail.mail.quote import OwnLines, own_lines
from flexmail.mail.reference import mask
from flexmail.mail.second_thoughts import taken_back
from flexmail.mail.text import Text, cut_off, take_apart
from flexmail.mail.word_list import Words, parse_words

__all__ = ["DEFAULT_WORDS", "Reading", "Words", "author_text", "parse_words", "read"]

MAX_COMMENT = 10_000

_MAX_SHOWN = 200
_MAX_REST = 4000
_MAX_LINES_AFTER_GOODBYE = 4

_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says; `reason` tells why, in a sentence, and `words_read` on which words.

    `cut_off` says where the author's own words ended, and by what, for people; `own_text` are those
    words, `rest` the beginning of what follows them.
    """

    verdict: Verdict | None
    comment: str
    reason: str
    words_read: str
    cut_off: str = ""
    own_text: str = field(default="", repr=False, compare=False)
    rest: str = field(default="", repr=False, compare=False)


def author_text(plain: str) -> str:
    """Return the author's own lines: nothing quoted, no attribution, marker or signature."""
    return "\n".join(own_lines(plain).lines).strip("\n")


def read(parsed: Parsed, words: Words, sent: Sent | None = None) -> Reading:
    """Read the answer in a mail; parts that read differently decide nothing.

    Args:
        sent: the notification that the mail answers, if we know it; no line of it is the author's.
    """
    shown = [parsed.plain or "", visible_text(parsed.html) if parsed.html else ""]
    texts = [take_apart(text, sent) for text in shown if not is_blank(text)]
    if not texts:
        return Reading(None, "", "The mail holds no text.", "")
    readings = [_read_text(text, words) for text in texts]
    return _with_the_rest(_agreed(readings, parsed, words, sent), texts[0])


def _read_text(text: Text, words: Words) -> Reading:
    own = text.own
    reading = _read_own(own.lines, words, own.under_quote, is_whole=own.boundary is None)
    if reading.verdict == "approve" and own.under_quote and _is_doubted(own, text.marked, words):
        reason = "The line above the quote may be the author's, and does not approve."
        reading = replace(reading, verdict=None, comment="", reason=reason)
    return reading


def _agreed(
    readings: Sequence[Reading], parsed: Parsed, words: Words, sent: Sent | None
) -> Reading:
    """Return what the texts of a mail say, unless another one or a part beside them disagrees."""
    first, last = readings[0], readings[-1]
    if first.verdict != last.verdict:
        reason = "The plain text and the HTML text of the mail do not say the same."
        words_read = first.words_read or last.words_read
        return replace(first, verdict=None, comment="", reason=reason, words_read=words_read)
    if any(_speaks_against(page, first.verdict, words, sent) for page in parsed.beside):
        reason = "A part of the mail beside its text may say something else."
        return replace(first, verdict=None, comment="", reason=reason)
    if first.verdict == "approve" and parsed.html and goes_on(parsed.html):
        reason = "The HTML of the mail goes on beyond what is read."
        return replace(first, verdict=None, comment="", reason=reason)
    return first


def _with_the_rest(reading: Reading, text: Text) -> Reading:
    """Return a reading with what else people want to see of the text."""
    return replace(
        reading,
        cut_off=cut_off(text),
        own_text=mask("\n".join(text.own.lines).strip("\n"))[:MAX_COMMENT],
        rest=mask(text.below)[:_MAX_REST],
    )


def _speaks_against(page: str, verdict: Verdict | None, words: Words, sent: Sent | None) -> bool:
    """Tell whether a page decides otherwise, or holds a word that an approval must not have."""
    text = take_apart(visible_text(page), sent)
    if _read_text(text, words).verdict not in {None, verdict}:
        return True
    lines = text.own.lines
    said = [plain_letters(line) for line in lines]
    doubt = any(negates(line) or says_any(line, words.reject) for line in said)
    return verdict == "approve" and (doubt or goes_on(page) or bool(taken_back(lines, words)))


def _is_doubted(own: OwnLines, text: str, words: Words) -> bool:
    """Tell whether what introduces the quote above an answer may be an answer itself."""
    if own.boundary is None or own.boundary.kind != "attribution":
        return False
    heading = " ".join(split_lines(text)[own.boundary.start : own.boundary.end + 1])
    return bool(taken_back([heading], words)) or negates(plain_letters(heading))


@lru_cache(maxsize=1)  # both texts of a mail mostly say the same
def _read_own(
    lines: tuple[str, ...], words: Words, under_quote: bool, *, is_whole: bool
) -> Reading:
    """Read the author's lines; `is_whole` where nothing else is in their text."""
    at = next_written(lines, 0)
    if at == len(lines):
        return Reading(None, "", "Nothing was written above the quoted mail.", "")
    decision = decide(lines[at:], words)
    must_be_set_off = under_quote
    if not decision.has_word and (below := below_opening(lines, at, words)) < len(lines):
        at, must_be_set_off = below, True
        decision = decide(lines[at:], words)
    # Masked before it is cut: most of a reference is as good as all of it.
    shown = mask(lines[at].strip())[:_MAX_SHOWN]
    if decision.verdict is None:
        return Reading(None, "", decision.reason, shown)
    if must_be_set_off and not decision.set_off:
        reason = "Below a greeting or a quote, a comment on the same line needs a mark before it."
        return Reading(None, "", reason, shown)
    if decision.verdict == "approve" and is_whole and len(lines) >= MAX_LINES:
        return Reading(None, "", "The mail has more lines than are read.", shown)
    if decision.verdict == "approve" and (doubt := taken_back(lines[at + 1 :], words)):
        return Reading(None, "", doubt, shown)
    comment = _comment(decision.comment, lines[at + 1 :])
    return Reading(decision.verdict, comment, decision.reason, shown)


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
    return mask(_BLANK_LINES.sub("\n\n", text))[:MAX_COMMENT]
