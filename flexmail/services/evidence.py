"""What a reply is judged by, looked up once for people: where it leads, and what came before it.

Reads only. The references are those that `receiving` goes by; here it is also said where each one
stands and where those lead that disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from flexmail.db import db
from flexmail.mail.address import normalise
from flexmail.mail.parse import Parsed
from flexmail.mail.reference import MAX_FOUND, digest, find_message_ids
from flexmail.models import ApprovalReference, Reply
from flexmail.services.bindings import EARLIER, Entry, repeats
from flexmail.services.in_force import InForce
from flexmail.services.understood import Understood

NOT_REACHED = "Not reached: no reference leads to one request."

Found = tuple[bool | None, str]
"""Whether a rule holds (None: it was not reached), and what it found, as a sentence."""


@dataclass(frozen=True, slots=True)
class Leads:
    """The references of a mail: where they stand, and whose they are.

    Other people's Message-IDs do not count. `strange` counts references that are not ours, `rows`
    are those that are; with `too_many` not all were looked at.
    """

    places: tuple[str, ...]
    strange: int
    too_many: bool
    rows: tuple[ApprovalReference, ...]

    @property
    def count(self) -> int:
        """Return how many different references there are."""
        return self.strange + len(self.rows)

    @property
    def bound(self) -> ApprovalReference | None:
        """Return the one that everything in the mail agrees on."""
        return self.rows[0] if self.count == 1 == len(self.rows) and not self.too_many else None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at: one mail, where it leads, what came before, and the settings.

    `earlier` are the mails with the very same bytes; `aside` means that they shall not count.
    `held` says why replies wait in the folder, if they do.
    """

    mail: Understood
    leads: Leads
    earlier: tuple[Reply, ...]
    aside: bool
    settings: InForce
    held: str
    now: datetime

    @property
    def parsed(self) -> Parsed:
        """Return what the mail says about itself."""
        return self.mail.parsed

    @property
    def bound(self) -> ApprovalReference | None:
        """Return the one reference that everything in the mail agrees on."""
        return self.leads.bound

    @property
    def is_theirs(self) -> bool:
        """Tell whether the author is who the reference was made for."""
        if self.bound is None or self.parsed.author is None:
            return False
        return self.parsed.author.addr_spec == normalise(self.bound.user.email)


def leads_of(mail: Understood) -> Leads:
    """Look up the references of a mail by their digests."""
    threads = {"In-Reply-To": mail.parsed.in_reply_to, "References": mail.parsed.references}
    ids = {place: set(map(digest, find_message_ids(at))) for place, at in threads.items()}
    written = {digest(found.reference): found.places for found in mail.found}
    rows = _rows(written, set().union(*ids.values()))
    ours = {row.message_id_digest for row in rows}
    places: dict[str, None] = dict.fromkeys(place for at in written.values() for place in at)
    places |= dict.fromkeys(place for place, at in ids.items() if at & ours)
    return Leads(
        places=tuple(places),
        strange=len(written.keys() - {row.reference_digest for row in rows}),
        too_many=max(len(set().union(*ids.values())), len(written)) >= MAX_FOUND,
        rows=rows,
    )


def same_bytes(row: Reply, *, all_of_them: bool) -> tuple[Reply, ...]:
    """Return the processed mails of the same bytes, or only those that make this a duplicate."""
    same = (Reply.sha256 == row.sha256, Reply.id != row.id, Reply.outcome.is_not(None))
    wanted = select(Reply).where(*(same if all_of_them else EARLIER)).order_by(Reply.id)
    return tuple(db.session.scalars(wanted, repeats([Entry.of(row)])))


def _rows(written: Iterable[str], threaded: Iterable[str]) -> tuple[ApprovalReference, ...]:
    found = select(ApprovalReference).where(
        ApprovalReference.reference_digest.in_(written)
        | ApprovalReference.message_id_digest.in_(threaded)
    )
    return tuple(db.session.scalars(found.order_by(ApprovalReference.id)))
