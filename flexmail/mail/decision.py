"""The grammar of the one line that decides.

Strict on purpose: approving needs a clean line, rejecting, the safe direction, only the word in
first place. Whatever could be meant otherwise decides nothing and says why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from flexmail.mail.lines import is_blank, may_be_wrapped
from flexmail.mail.word_list import Words

# Words that turn an approving line into something else; "n't" may have lost its apostrophe.
_NEGATIONS_AND_CONDITIONS = (
    "not cannot never unless until but aint cant couldnt didnt doesnt dont hadnt hasnt havent isnt"
    " mustnt shouldnt wasnt wont wouldnt"
)
NEGATIONS = frozenset(_NEGATIONS_AND_CONDITIONS.split())
# These decide only where nothing else stands on their line.
ALONE = frozenset({"yes", "no"})
_FIRST_WORD = re.compile(
    r"(?P<star>\*{0,2})(?P<word>[A-Za-z]{1,40})(?P<end>[.!?,:;…–—-]{0,20})(?P=star)"
    r"(?P<more>[.!?,:;…–—-]{0,20})(?P<rest>.*)",
    re.DOTALL,
)
_SEPARATOR = re.compile(r"[.!,:;…–—-]{1,20}(?=\s|$)")
_MARKS = " \t*.!,:;…–—-"
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_QUESTION_MARKS = frozenset("?\u00bf\u203d\u037e\u061f\u055e\u2753\u2754\u2370\U0001f914")
# Crosses, signs that forbid, a thumb down: one says no with them.
_REFUSING = frozenset(
    "\u274c\u274e\u2716\u2717\u2718\u2612\u26d4\U0001f6ab\U0001f6d1\U0001f44e\U0001f645"
)
_APOSTROPHES = dict.fromkeys(
    map(ord, "\u2019\u2018\u201b\u2032\u2035\u02b9\u02bb\u02bc\u02bd\u00b4`"), "'"
)
_LOOK_ALIKES = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "FULLWIDTH", "MATHEMATICAL", "COPTIC")
# Letters in a form that no comment needs, and that plain_letters() leaves as it is.
_ODD_LETTERS = ("LATIN LETTER SMALL CAPITAL", "NEGATIVE SQUARED LATIN", "NEGATIVE CIRCLED LATIN")
_SPACED = re.compile(r"(?<![a-z])[a-z](?:[^a-z0-9]{1,3}[a-z](?![a-z])){1,20}")
# Without width or shape though Unicode calls them letters, marks or symbols.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

Verdict = Literal["approve", "reject"]


DEFAULT_WORDS = Words(
    approve=frozenset({"approve", "approved", "yes"}),
    reject=frozenset({"reject", "rejected", "no"}),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a line decides. `comment` is its rest; `set_off` if nothing but a mark follows the word.

    `has_word` is whether a deciding word stands in first place at all, whatever became of it.
    """

    verdict: Verdict | None
    reason: str
    comment: str = ""
    has_word: bool = False
    set_off: bool = False


def decide(lines: Sequence[str], words: Words) -> Decision:
    """Read the first of `lines`; those after it count as far as a client may have broken it."""
    line = lines[0].strip(" \t")
    found = _FIRST_WORD.match(line)
    word = found["word"].lower() if found else ""
    if found is None or word not in words.approve | words.reject or not _ends_word(found):
        return Decision(None, "The first line does not begin with a word that decides.")
    if _is_deceptive(line):
        reason = "The first line holds characters that do not show or that imitate letters."
        return Decision(None, reason, has_word=True)
    rest = found["rest"].strip()
    if word in ALONE and ("?" in line or rest.strip(_MARKS)):
        reason = f"The word {word!r} decides only when it stands alone on its line."
        return Decision(None, reason, has_word=True)
    set_off = bool(not rest or found["end"] or found["more"] or _SEPARATOR.match(rest))
    comment = _SEPARATOR.sub("", rest, count=1).strip() if _SEPARATOR.match(rest) else rest
    reason = f"The first line begins with {found['word']!r}."
    if word in words.reject:
        return Decision("reject", reason, comment, has_word=True, set_off=set_off)
    if doubt := _doubt(_unbroken(lines), words):
        return Decision(None, doubt, has_word=True)
    return Decision("approve", reason, comment, has_word=True, set_off=set_off)


def says_any(line: str, among: frozenset[str]) -> bool:
    """Tell whether one of the words stands anywhere on a line."""
    return not among.isdisjoint(_TOKEN.findall(line.lower()))


def plain_letters(text: str) -> str:
    """Return text in lower case and without the letters' and apostrophes' typographic forms."""
    text = text.translate(_APOSTROPHES)
    if not text.isascii():
        # One by one: normalising a long run of combining marks takes quadratic time.
        text = "".join(unicodedata.normalize("NFKC", char) for char in text)
    return text.lower()


def negates(plain: str) -> bool:
    """Tell whether a negation or a condition stands in a text of plain letters."""
    return any(map(is_negation, _TOKEN.findall(plain)))


def is_negation(token: str) -> bool:
    """Tell whether a word in lower case negates or sets a condition."""
    return token in NEGATIONS or token.endswith("n't")


def asks(text: str) -> bool:
    """Tell whether a text asks something, in whatever form of the mark."""
    return not _QUESTION_MARKS.isdisjoint(text) or "?" in plain_letters(text)


def _ends_word(found: re.Match[str]) -> bool:
    """Tell whether the word ends where it seems to: "approval", "approve/reject" do not."""
    rest = found["rest"]
    marks = found["end"] + found["more"]
    return not rest or rest[0] in " \t" or marks.endswith((",", ":", "!"))


def _is_deceptive(line: str) -> bool:
    if any(
        char in _UNSEEN or (char != "\t" and unicodedata.category(char) in _UNSEEN_KINDS)
        for char in line
    ):
        return True
    if any(_is_struck(char) for char in line if not char.isascii()):
        return True
    return any(
        any(char.isascii() for char in token)
        and any(unicodedata.name(char, "").startswith(_LOOK_ALIKES) for char in token)
        for token in _LETTERS.findall(line)
    )


def _is_struck(char: str) -> bool:
    """Tell whether a character strikes out its neighbour, or is a letter in an odd form."""
    return unicodedata.combining(char) == 1 or unicodedata.name(char, "").startswith(_ODD_LETTERS)


def _unbroken(lines: Sequence[str]) -> str:
    """The first line as its author may have written it, before a client broke it."""
    whole = [lines[0]]
    for line, following in pairwise(lines):
        if is_blank(following) or not may_be_wrapped(line, following):
            break
        whole.append(following)
    return " ".join(whole)


def _doubt(line: str, words: Words) -> str:
    """Say why an approving line is not clean, or nothing."""
    plain = plain_letters(line)
    if asks(line):
        return "The line that approves also asks something."
    if not _REFUSING.isdisjoint(line):
        return "The line that approves also holds a sign that refuses."
    if negates(plain) or _spells(plain, NEGATIONS | words.reject):
        return "The line that approves also holds a negation or a condition."
    if says_any(plain, words.reject):
        return "The line that approves also holds a word that rejects."
    return ""


def _spells(plain: str, among: frozenset[str]) -> bool:
    """Tell whether one of the words is spelled out letter by letter: "n.o.t"."""
    spelled = ("".join(_TOKEN.findall(run)) for run in _SPACED.findall(plain))
    return any(run.replace("'", "") in among for run in spelled)
