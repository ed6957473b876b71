"""What the bytes of a mail say, read before anybody believes it; touches nothing."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from flexmail.crypto import KeyRing, key_ring
from flexmail.mail.desk import Desk, Found, Reader
from flexmail.mail.parse import Parsed
from flexmail.mail.reference import digest, find_message_ids
from flexmail.mail.reply import Reading
from flexmail.services import notifications
from flexmail.services.in_force import InForce

_LEVEL = 3
"""How hard zlib tries: the default of 6 takes half as long again for 4 % less."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A sealed copy of a mail, and the keys it was sealed with."""

    sealed: bytes
    ring: KeyRing


@dataclass(frozen=True, slots=True)
class Understood:
    """What the bytes of a mail say, before anybody believes it; without its texts."""

    raw: bytes = field(repr=False)
    partial: bool
    parsed: Parsed
    found: tuple[Found, ...]
    reading: Reading
    sealed: Copy | None = field(default=None, repr=False)
    """Its copy, where it was sealed already; see `copy_of`."""
    text_behind: bool = False
    """There is text behind what was fetched."""

    @property
    def references(self) -> frozenset[str]:
        """Return every reference that stands anywhere in the mail's texts."""
        return frozenset(found.reference for found in self.found)

    @property
    def threads(self) -> tuple[str, ...]:
        """Return the Message-IDs that the mail answers, or says it does."""
        return find_message_ids((*self.parsed.in_reply_to, *self.parsed.references))

    @property
    def digests(self) -> set[str]:
        """Return by what its references and Message-IDs are looked up."""
        return set(map(digest, (*self.references, *self.threads)))


def understand(
    raw: bytes, *, partial: bool, settings: InForce, desk: Reader | None = None
) -> Understood:
    """Parse and read a mail; nothing is locked while it lasts, nothing is written.

    What we had sent is looked up in between; the caller ends the read transaction of that.

    Args:
        desk: who touches the bytes; without one that is this very process.
    """
    desk = desk or Desk()
    looked = desk.look(raw, partial=partial)
    parsed = looked.parsed
    reading = desk.read(settings.words, notifications.sent_for(looked.keys))
    return Understood(raw, partial, parsed, looked.found, reading)


def copy_of(mail: Understood) -> bytes:
    """Return the copy of a mail to be kept; sealed anew where its key went in the meantime.

    Keys go in a write transaction: inside one, what is open now can be opened after the commit.
    """
    copy, ring = mail.sealed, key_ring()
    if copy and (copy.ring is ring or ring.opens(copy.sealed)):
        return copy.sealed
    return sealed_copy(mail.raw)


def copied(raw: bytes) -> Copy:
    """Seal the copy of a mail ahead of the transaction that stores it."""
    ring = key_ring()
    return Copy(ring.seal(zlib.compress(raw, _LEVEL)), ring)


def sealed_copy(raw: bytes) -> bytes:
    """Return what is kept to be shown, put back or processed again later."""
    return copied(raw).sealed
