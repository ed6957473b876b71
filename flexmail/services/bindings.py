"""What the mails of one commit are bound to: references of ours, their requests and people.

Looked up at once for all of them, inside the caller's write transaction, and locked in one order:
people, then requests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from sqlalchemy import BindParameter, Table, bindparam, select

from flexmail.db import execute
from flexmail.models import ApprovalReference, Reply
from flexmail.services import cases, closing
from flexmail.services.cases import Case, Person

_REFERENCES = cast(Table, ApprovalReference.__table__).c
_DIGESTS: BindParameter[Any] = bindparam("digests", expanding=True)
_LEAD_TO = select(
    _REFERENCES.id,
    _REFERENCES.approval_id,
    _REFERENCES.user_id,
    _REFERENCES.reference_digest,
    _REFERENCES.message_id_digest,
).where(_REFERENCES.reference_digest.in_(_DIGESTS) | _REFERENCES.message_id_digest.in_(_DIGESTS))
EARLIER = (
    Reply.sha256.in_(_DIGESTS),
    Reply.id.not_in(bindparam("entries", expanding=True)),
    Reply.restored_at.is_(None),
    Reply.outcome.not_in(("failed", "duplicate")),
)
"""The conditions of a row that makes mails with these digests duplicates; see `repeats`.

A `duplicate` makes none: the mail that it repeats does, and may be processed again. Nor does one
that failed, or was put back into the folder.
"""
_SEEN = select(cast(Table, Reply.__table__).c.sha256).where(*EARLIER)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a mail before it is read: its row, its digest, and which try this is."""

    id: int
    sha256: str
    tries: int

    @classmethod
    def of(cls, row: Reply) -> Self:
        """Return the entry that a row is."""
        return cls(row.id, row.sha256, row.tries)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference of ours, by the digests of its two secrets, and what it binds a reply to."""

    id: int
    digest: str
    message_id_digest: str
    case: Case
    person: Person


@dataclass(frozen=True, slots=True)
class Bindings:
    """References by their digest or that of the Message-ID; `seen` are the digests of the mails
    that have an outcome, those of this commit too.
    """

    references: dict[str, Reference]
    seen: set[str]

    def find(self, digests: Iterable[str]) -> list[Reference]:
        """Return the references that these digests lead to, each once, the oldest first."""
        found = {
            reference.id: reference
            for each in digests
            if (reference := self.references.get(each)) is not None
        }
        return [found[number] for number in sorted(found)]


def look_up(digests: Collection[str], entries: Collection[Entry]) -> Bindings:
    """Look up what these digests lead to, as it is at this moment, and which mails are repeats."""
    closing.store()  # what was decided in this transaction counts
    rows: Sequence[Any] = execute(_LEAD_TO, digests=list(digests)).all() if digests else []
    held, people = cases.hold({row.approval_id for row in rows}, {row.user_id for row in rows})
    found: dict[str, Reference] = {}
    for number, approval_id, user_id, secret, message_id in rows:
        case, person = held[approval_id], people[user_id]
        reference = Reference(number, secret, message_id, case, person)
        found |= {secret: reference, message_id: reference}
    return Bindings(found, set(execute(_SEEN, **repeats(entries)).scalars()))


def repeats(entries: Collection[Entry]) -> Mapping[str, Any]:
    """Return what `EARLIER` asks about these mails."""
    return {
        "digests": [entry.sha256 for entry in entries],
        "entries": [entry.id for entry in entries],
    }
