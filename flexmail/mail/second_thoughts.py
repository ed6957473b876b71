"""Whether an author takes an approval back in the lines below it.

A comment may hold any word. What counts is how the first sentence below starts, whether it asks or
rejects; in the others, whether a line begins by rejecting, or says that something be rejected. Here
a doubt is enough: an approval that is asked for again does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import dropwhile, zip_longest

from flexmail.mail.decision import ALONE, asks, is_negation, negates, plain_letters, says_any
from flexmail.mail.lines import is_blank, may_be_wrapped
from flexmail.mail.word_list import Words

# Alone between two pauses they hold back an approval; of the first sentence, as its first words.
_HOLDS = frozenset({"wait", "stop", "hold", "cancel", "correction"})
# As the first words of any line.
_HOLDING = re.compile(
    r"(?:hold (?:on|off|it)|hang on|scratch that|strike that|not (?:yet|now|today)"
    r"|on second thoughts?|nope|nah|never ?mind|forget (?:it|that)"
    r"|(?:(?:but|actually|sorry) )+(?:no|not|don't))\b(?! the\b)"
)
# Anywhere.
_RECANTS = re.compile(
    r"\b(?:(?:take|took|taking) (?:this|that|it|my \w{1,20}) back|changed my mind"
    r"|i (?:withdraw|retract|revoke)|withdraw my approval)\b"
)
_SPOKEN_REFUSALS = (
    "decline declined denied deny disapprove disapproved refuse refused rejecting unapproved veto"
)
_REFUSALS = frozenset(_SPOKEN_REFUSALS.split())
_SAYS_LITTLE = "actually ah and edit hm hmm just oh ok okay oops please ps so sorry update well x"
_HESITATES = frozenset(_SAYS_LITTLE.split())
_SETS_CONDITIONS = "assuming but except if once only pending provided providing till unless until"
_CONDITIONS = frozenset(_SETS_CONDITIONS.split())
_THANKS = frozenset({"thanks", "thank", "you"})
_TAKES_BACK = _HOLDS | _CONDITIONS | frozenset({"actually", "nah", "nope", "sorry"})
# What one may begin with so and mean no harm.
_HARMLESS = re.compile(
    r"no (?:(?:further|more|other|new|real|big|major) )?(?:issues?|objections?|comments?|problems?"
    r"|concerns?|worries|further|more|other|need|rush|hurry|doubts?|changes?|questions?|dia)\b"
    r"|no-|sorry (?:for|about|to|i am late|i'm late|it took)\b"
    r"|(?:\w{1,20} )?\w{1,20} not (?:forget|worry|hesitate|mind|bother|need|(?:see|have) any)\b"
    r"|(?:\w{1,20} )?(?:\w{1,20} )?(?:not|isn't) (?:urgent|bad|a problem|a big)\b"
    r"|(?:\w{1,20} )?don'?t (?:forget|worry|hesitate|mind|bother|need|(?:see|have) any)\b"
)
_SAYING = re.compile(r"\b(?:i|we|please|meant|(?:should|must|to|will) be|edit|correction)$")
_SAID_NO = re.compile(r"\b(?:meant|edit|correction)\W{1,5}no\b")
_SPEAKERS = frozenset({"i", "we", "you", "let's"})
_ENDS = (".", "!", "?", ":")
_PAUSE = re.compile(r"[*.!?,:;–—()\[\]{}\"“”…]|(?<!\S)-+(?!\S)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")


def taken_back(lines: Sequence[str], words: Words) -> str:
    """Say how the lines below an approving one take it back, or return nothing."""
    lines = [plain_letters(line) for line in lines]
    alone = [[word] for word in words.reject]
    if any(_parts(line) in alone for line in lines):
        return "A word that rejects stands below the one that approves."
    is_first = True
    for sentence in _sentences(lines):
        first, then, *_ = parts = [*_parts(sentence), "", ""]
        if _rejects(first, then, words) or _says_rejected(sentence, words):
            return "A line that rejects stands below the one that approves."
        if negates(sentence) and says_any(sentence, words.approve - ALONE):
            return "A line below the one that approves says not to."
        if first in _HOLDS or _HOLDING.match(first) or _RECANTS.search(sentence):
            return "A line below the one that approves holds it back."
        if is_first and (doubt := _doubt(sentence, parts, words)):
            return doubt
        is_first = is_first and not first
    return ""


def _doubt(line: str, parts: Sequence[str], words: Words) -> str:
    """Say what the first sentence below makes doubtful; `parts` are those of its whole line."""
    said = [sentence for sentence in _SENTENCE_END.split(line) if _parts(sentence)]
    sentence = said[0] if said else line
    if asks(sentence):
        return "The line below the one that approves asks something."
    if says_any(sentence, (words.reject - ALONE) | _REFUSALS) or _says_no(parts):
        return "The line below the one that approves rejects."
    if _leads_away(sentence) or any(map(_HOLDING.match, parts)):
        return "The line below the one that approves holds it back or sets a condition."
    return ""


def _says_no(parts: Sequence[str]) -> bool:
    """Tell whether "no" stands first, or alone between pauses; "No objections" is none."""
    first = parts[0]
    if first.startswith("no ") and not _HARMLESS.match(first):
        return True
    return any(
        part == "no" and not then[:1].isdigit()
        for part, then in zip(parts, [*parts[1:], ""], strict=True)
    )


def _leads_away(sentence: str) -> bool:
    """Tell whether a sentence begins with a negation, a condition or a call to wait."""
    tokens = _WORD.findall(sentence)
    while tokens and tokens[0] in (_HESITATES | _THANKS) - _TAKES_BACK:
        del tokens[0]
    start = " ".join(tokens[:6])
    if not tokens or _HARMLESS.match(start):
        return False
    if tokens[0] in _TAKES_BACK or is_negation(tokens[0]):
        return True
    return tokens[0] in _SPEAKERS | {"do"} and any(map(is_negation, tokens[1:3]))


def _says_rejected(sentence: str, words: Words) -> bool:
    """Tell whether the author says of anything that it is rejected, or that this was meant."""
    tokens = _WORD.findall(sentence)
    for at, token in enumerate(tokens):
        if token in words.reject - ALONE and any(
            _SAYING.search(" ".join(tokens[max(0, end - 2) : end])) for end in (at, at - 1)
        ):
            return True
    return bool(_SAID_NO.search(sentence))


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
    return list(dropwhile(_says_nothing, filter(None, parts)))


def _says_nothing(part: str) -> bool:
    return part in _HESITATES or part.isdecimal()


def _rejects(first: str, then: str, words: Words) -> bool:
    """Tell whether a sentence begins by rejecting; "No objections" and "No. 5" do not."""
    if first in ALONE:
        return first in words.reject and not then[:1].isdigit()
    word = first.partition(" ")[0]
    return word in words.reject and word not in ALONE
