"""A notification as it went out, and its words, to be found again in a reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from flexmail.mail.compose import MARKER_ABOVE
from flexmail.mail.html import visible_text
from flexmail.mail.pieces import Pieces, letters_of, spaced, words_of
from flexmail.mail.simple_page import simple_text


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification as it went out; `html` is source, `given` is what the requester wrote."""

    plain: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    given: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Known:
    """A notification ready to be compared, each view of it made when it is asked for."""

    sent: Sent

    @cached_property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """Return the words of its texts, those above the marker and those below it."""
        shown = visible_text(self.sent.html) if self.sent.html else ""
        parts = map(words_of, (*_at_marker(self.sent.plain), *_at_marker(shown)))
        return tuple(dict.fromkeys(filter(None, parts)))

    @cached_property
    def letters(self) -> str:
        """Return the letters of the parts, to look for a few words in; more may be in there.

        A page of ours is too simple to need a parser; all its words are then one part.
        """
        text = simple_text(self.sent.html)
        if text is None or "<" in text:  # a link in angles may end in another part
            return "\0".join(map("".join, self.parts))
        return "\0".join(map(letters_of, (*_at_marker(self.sent.plain), text)))

    @cached_property
    def by_requester(self) -> tuple[tuple[str, ...], ...]:
        """Return the words of each thing that the requester wrote, the longest first."""
        given = filter(None, map(words_of, self.sent.given))
        return tuple(sorted(given, key=len, reverse=True))

    @cached_property
    def pieces(self) -> Pieces:
        """Return the pieces of all parts."""
        return Pieces(self.parts)

    @cached_property
    def given(self) -> Pieces:
        """Return the pieces of the requester's words; title and details follow each other."""
        return Pieces([*self.by_requester, words_of("\n".join(self.sent.given))])

    @cached_property
    def frame(self) -> Pieces:
        """Return what stands around the requester's words; seldom asked for."""
        return Pieces([_frame(part, self.by_requester) for part in self.parts])


# Both texts of one reply are compared with the same notification.
known_of = lru_cache(maxsize=1)(Known)


def _at_marker(text: str) -> tuple[str, str]:
    """Return a text in two parts: the lines that a filled-in answer has too stand alone, for the
    word above them is the author's.
    """
    body, marker, below = text.rpartition(MARKER_ABOVE)
    return body, marker + below


def _frame(part: Sequence[str], given: Sequence[Sequence[str]]) -> list[str]:
    """Return what stands around the requester's words."""
    text = spaced(part)
    for words in given:
        text = text.replace(spaced(words), " \0 ", 1)
    return text.split()
