"""Whether an author takes an approval back in the lines below it.

A comment may hold any word; what counts is how a sentence starts, and a negated approval. What is
missed here is an approval by the letter of the grammar: its first word stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import dropwhile, zip_longest

from flexmail.mail.decision import ALONE, Words, negates, plain_letters, says_any
from flexmail.mail.lines import is_blank, may_be_wrapped

_HOLDS = (
    *("wait", "please wait", "stop", "please stop", "hold", "hold on", "please hold", "hang on"),
    *("cancel", "correction", "scratch that", "not yet", "not now"),
    *("on second thought", "on second thoughts"),
)
_HESITATES = ("actually", "ah", "hm", "hmm", "oh", "ok", "okay", "oops", "sorry", "well")
_CONDITIONS = ("unless", "until", "but")
_ENDS = (".", "!", "?", ":")
_PAUSE = re.compile(r"[*.!?,:;–—()]|(?<!\S)-+(?!\S)")


def taken_back(lines: Sequence[str], words: Words) -> str:
    """Say how the lines below an approving one take it back, or return nothing."""
    lines = [plain_letters(line) for line in lines]
    alone = [[word] for word in words.reject]
    if any(_parts(line) in alone for line in lines):
        return "A word that rejects stands below the one that approves."
    for number, sentence in enumerate(_sentences(lines)):
        first, then, *_ = [*_parts(sentence), "", ""]
        if _rejects(first, then, words):
            return "A line that rejects stands below the one that approves."
        if negates(sentence) and says_any(sentence, words.approve - ALONE):
            return "A line below the one that approves says not to."
        if first in _HOLDS or (number == 0 and first.partition(" ")[0] in _CONDITIONS):
            return "A line below the one that approves holds it back or sets a condition."
        if number == 0 and not first and "?" in sentence:
            return "The line below the one that approves asks something."
    return ""


def _sentences(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines, a line that a client may have broken together with the next."""
    whole: list[str] = []
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        whole += line.split()
        goes_on = may_be_wrapped(line, following) and not line.endswith(_ENDS)
        if whole and (is_blank(following) or not goes_on):
            yield " ".join(whole)
            whole.clear()


def _parts(sentence: str) -> list[str]:
    """Return what stands between the pauses of a sentence, from the first that says something."""
    parts = (" ".join(part.split()) for part in _PAUSE.split(sentence))
    return list(dropwhile(_HESITATES.__contains__, filter(None, parts)))


def _rejects(first: str, then: str, words: Words) -> bool:
    """Tell whether a sentence begins by rejecting; "No objections" and "No. 5" do not."""
    if first in ALONE:
        return first in words.reject and not then[:1].isdigit()
    word = first.partition(" ")[0]
    return word in words.reject and word not in ALONE
