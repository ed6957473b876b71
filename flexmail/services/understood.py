"""What the bytes of a mail say, read before anybody believes it; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from flexmail.mail.desk import Desk, Found, Reader
from flexmail.mail.parse import Parsed
from flexmail.mail.reference import digest, find_message_ids
from flexmail.mail.reply import Reading
from flexmail.services import notifications
from flexmail.services.in_force import InForce
from flexmail.services.kept_mail import Copy


@dataclass(frozen=True)
class Understood:
    """What the bytes of a mail say, before anybody believes it; without its texts."""

    raw: bytes = field(repr=False)
    partial: bool
    parsed: Parsed
    found: tuple[Found, ...]
    reading: Reading
    sealed: Copy | None = field(default=None, repr=False)
    """Its copy, where it was sealed ahead of the transaction that stores it."""
    text_behind: bool = False
    """There is text behind what was fetched."""

    @cached_property
    def references(self) -> frozenset[str]:
        """Return every reference that stands anywhere in the mail's texts."""
        return frozenset(found.reference for found in self.found)

    @cached_property
    def threads(self) -> tuple[str, ...]:
        """Return the Message-IDs that the mail answers, or says it does."""
        return find_message_ids((*self.parsed.in_reply_to, *self.parsed.references))

    @cached_property
    def written(self) -> frozenset[str]:
        """Return the digests of its references."""
        return frozenset(map(digest, self.references))

    @cached_property
    def digests(self) -> frozenset[str]:
        """Return by what its references and Message-IDs are looked up."""
        return self.written.union(map(digest, self.threads))


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
