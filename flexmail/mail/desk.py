"""What is asked about one mail, and what answers: the desk at which hostile bytes are read.

`Desk` answers in the process that it is in; `apart` makes a whole process a desk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from flexmail.mail.html import visible_text
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reference import find_message_ids, find_references
from flexmail.mail.reply import Reading, Words, read
from flexmail.mail.sizes import HEAD_BYTES

Place = Literal["text", "HTML", "other text"]


@dataclass(frozen=True, slots=True)
class Found:
    """A reference, and the texts of the mail that hold it."""

    reference: str = field(repr=False)
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a mail says about itself, without its texts, and the references in them.

    A text that the mail has is "" here, one that it has not is None.
    """

    parsed: Parsed
    found: tuple[Found, ...]

    @property
    def references(self) -> frozenset[str]:
        """Return every reference that stands anywhere in the mail's texts."""
        return frozenset(found.reference for found in self.found)

    @property
    def keys(self) -> frozenset[str]:
        """Return by what it leads to a request: its references, and the Message-IDs it answers."""
        threads = find_message_ids((*self.parsed.in_reply_to, *self.parsed.references))
        return self.references.union(threads)


@dataclass(frozen=True, slots=True)
class Known:
    """A notification that a mail may answer, and the keys that lead there; see `Looked.keys`."""

    keys: frozenset[str] = field(repr=False)
    sent: Sent | None


@dataclass(frozen=True, slots=True)
class Told:
    """All about one mail in one answer: what it says about itself, and what its author wrote."""

    number: int
    looked: Looked
    reading: Reading


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What it takes to tell all about a mail at once, besides its bytes, whole or `partial`.

    The answer carries the same number.
    """

    number: int
    partial: bool
    words: Words
    known: tuple[Known, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What reading takes besides the mail: the words that decide, and what we had sent."""

    words: Words
    sent: Sent | None


class Reader(Protocol):
    """Who answers about one mail at a time: a `Desk`, or one in a process of its own."""

    def look(self, raw: bytes, *, partial: bool) -> Looked:
        """Parse a mail, whole or (`partial`) its first bytes; its texts are kept for `read`."""

    def read(self, words: Words, sent: Sent | None) -> Reading:
        """Read what the author of the mail looked at last wrote."""


class Desk:
    """Reads in the process that it is in."""

    def __init__(self) -> None:
        self._parsed: Parsed | None = None

    def look(self, raw: bytes, *, partial: bool) -> Looked:
        """Parse a mail, whole or (`partial`) its first bytes; its texts are kept for `read`."""
        self._parsed = None
        parsed = parse(raw, partial=partial, whole_text=len(raw) <= HEAD_BYTES)
        texts: dict[Place, str] = {
            "text": parsed.plain or "",
            "HTML": visible_text(parsed.html) if parsed.html else "",
            "other text": parsed.more_text,
        }
        places: dict[str, tuple[Place, ...]] = {}
        for place, text in texts.items():
            for reference in sorted(find_references(text)):
                places[reference] = (*places.get(reference, ()), place)
        self._parsed = parsed
        return Looked(_without_texts(parsed), tuple(Found(*each) for each in places.items()))

    def read(self, words: Words, sent: Sent | None) -> Reading:
        """Read what the author of the mail looked at last wrote.

        Raises:
            LookupError: no mail was looked at.
        """
        if self._parsed is None:
            raise LookupError("No mail was looked at.")
        return read(self._parsed, words, sent)


def tell(desk: Reader, raw: bytes, enquiry: Enquiry) -> Told:
    """Look at a mail, and read it beside the one notification that it answers."""
    looked = desk.look(raw, partial=enquiry.partial)
    sent = answered(looked.keys, enquiry.known)
    return Told(enquiry.number, looked, desk.read(enquiry.words, sent))


def answered(keys: frozenset[str], known: Iterable[Known]) -> Sent | None:
    """Return the notification that keys lead to, None for none or more than one."""
    found = [one.sent for one in known if not keys.isdisjoint(one.keys)]
    return found[0] if len(found) == 1 else None


def _without_texts(parsed: Parsed) -> Parsed:
    plain = None if parsed.plain is None else ""
    html = None if parsed.html is None else ""
    return replace(parsed, plain=plain, html=html, beside=(), more_text="")
