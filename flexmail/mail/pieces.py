"""Which pieces of one text stand in another, word by word.

Line breaks, quote marks and markup are no words, nor are links, which clients rewrite. All of it
takes time linear in the texts: the pieces are those of a suffix automaton, so that none is missed
however often its words are repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

# It begins with its first characters, whatever their case, for which a search is quick.
_LINK = re.compile(
    r"[<MmHh\[](?:(?<=<)(?i:mailto:|https?://)[^<>]{0,4000}>"
    r"|(?:(?<=[Mm])(?i:ailto:)|(?<=[Hh])(?i:ttps?://))[^\s<>()\[\]]*"
    r"|(?<=\[)\d{1,3}\])"
)
# The one that may go on below its line.
_LINK_IN_ANGLES = re.compile("<(?i:mailto:|https?://)")
# What is left of a link that a client broke.
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_PART = re.compile(r"\S+")
# Scripts without spaces, which a client breaks anywhere: each character is a word.
_UNSPACED = "\u2e80-\ud7ff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")

# Each byte in lower case, and those that are no part of an ASCII word.
_LOWER = bytes(range(128)).lower() + bytes(range(128, 256))
_NO_LETTERS = bytes(byte for byte in range(128) if not chr(byte).isalnum())

# Between two sequences; no word is it.
_GAP = "\0"


class Word(NamedTuple):
    """A word in lower case, and where it stands: the line and its first column, from 0."""

    text: str
    line: int
    column: int


class Run(NamedTuple):
    """The words from `start` to before `end` of a text, which stand so in another one."""

    start: int
    end: int


def find_words(lines: Sequence[str]) -> Iterator[Word]:
    """Yield the words of some lines."""
    for number, line in enumerate(_without_links("\n".join(lines)).split("\n")):
        for word in _WORD.finditer(line):
            yield Word(word[0].lower(), number, word.start())


def words_by_line(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of each line; those that are not asked for mostly cost nothing."""
    text = "\n".join(lines)
    if _LINK_IN_ANGLES.search(text):
        return map(_words, _without_links(text).split("\n"))
    return map(_words_in, lines)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(_words_in(text))


def letters_of(text: str) -> str:
    """Return the words of a text without what is between them."""
    text = _without_links(text, " ")
    if text.isascii():
        return text.encode("ascii").translate(_LOWER, _NO_LETTERS).decode("ascii")
    return "".join(_words(text))


def _words_in(text: str) -> list[str]:
    return _words(_without_links(text, " "))


def _words(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return list(map(str.lower, _WORD.findall(text)))


def _blanked(link: re.Match[str]) -> str:
    return "\n".join(" " * len(line) for line in link[0].split("\n"))


def _without_links(text: str, link: str | Callable[[re.Match[str]], str] = _blanked) -> str:
    """Return a text with spaces where links are; all else is where it was, unless a `link` is one
    space.
    """
    text = _LINK.sub(link, text)
    if "%" not in text:
        return text
    lines = text.split("\n")
    return "\n".join(_PART.sub(_without_escapes, one) if "%" in one else one for one in lines)


def _without_escapes(part: re.Match[str]) -> str:
    return " " * len(part[0]) if _ESCAPE.search(part[0]) else part[0]


def spaced(words: Sequence[str]) -> str:
    """Return words as a text in which only whole words are found."""
    return f" {' '.join(words)} "


class Pieces:
    """Every piece of some sequences of words."""

    def __init__(self, sequences: Iterable[Sequence[str]]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._shorter = [-1]
        self._length = [0]
        last = 0
        for sequence in sequences:
            for word in (*sequence, _GAP):
                last = self._add(last, word)

    def longest(self, words: Sequence[str]) -> list[int]:
        """Return for each word how long the longest piece is that ends with it."""
        found: list[int] = []
        state = length = 0
        for word in words:
            while state and word not in self._next[state]:
                state = self._shorter[state]
                length = self._length[state]
            if word in self._next[state]:
                state = self._next[state][word]
                length += 1
            found.append(length)
        return found

    def _add(self, last: int, word: str) -> int:
        """Append a word to the text that ends in state `last`; return the state of the whole."""
        whole = self._state({}, self._length[last] + 1, 0)
        at = last
        while at >= 0 and word not in self._next[at]:
            self._next[at][word] = whole
            at = self._shorter[at]
        if at < 0:
            return whole
        known = self._next[at][word]
        if self._length[known] > self._length[at] + 1:
            copy = self._state(dict(self._next[known]), self._length[at] + 1, self._shorter[known])
            while at >= 0 and self._next[at].get(word) == known:
                self._next[at][word] = copy
                at = self._shorter[at]
            self._shorter[known] = copy
            known = copy
        self._shorter[whole] = known
        return whole

    def _state(self, following: dict[str, int], length: int, shorter: int) -> int:
        self._next.append(following)
        self._length.append(length)
        self._shorter.append(shorter)
        return len(self._next) - 1
