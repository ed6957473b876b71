"""What the mails of one commit are bound to: references of ours, their requests and people.

Looked up at once for all of them, inside the caller's write transaction, and locked in one order:
people, then requests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Self, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.interfaces import ORMOption

from flexmail.db import db
from flexmail.models import Approval, ApprovalApprover, ApprovalReference, Decision, Reply, User
from flexmail.services import closing

Row = TypeVar("Row", User, Approval)

_ALONE = (
    selectinload(Approval.approvers).lazyload(ApprovalApprover.user),
    selectinload(Approval.decisions).lazyload(Decision.user),
)
"""Of those who may decide and did, a decision needs the numbers only."""


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


@dataclass(slots=True)
class Bindings:
    """References by their digest or that of the Message-ID; `seen` are the digests of the mails
    that have an outcome, those of this commit too.
    """

    references: dict[str, ApprovalReference]
    seen: set[str]
    _kept: tuple[object, ...] = field(repr=False)

    def find(self, digests: Iterable[str]) -> list[ApprovalReference]:
        """Return the references that these digests lead to, each once, the oldest first."""
        found = {self.references[each] for each in digests if each in self.references}
        return sorted(found, key=lambda reference: reference.id)


def look_up(digests: Collection[str], entries: Collection[Entry]) -> Bindings:
    """Look up what these digests lead to, as it is at this moment, and which mails are repeats."""
    closing.store()  # what was decided in this transaction counts
    found = _references(digests)
    users = _locked(User, {reference.user_id for reference in found})
    approvals = _locked(Approval, {reference.approval_id for reference in found}, *_ALONE)
    by_digest = {reference.reference_digest: reference for reference in found}
    by_digest |= {reference.message_id_digest: reference for reference in found}
    return Bindings(by_digest, _seen_before(entries), (users, approvals))


def _references(digests: Collection[str]) -> Collection[ApprovalReference]:
    if not digests:
        return ()
    wanted = select(ApprovalReference).where(
        ApprovalReference.reference_digest.in_(digests)
        | ApprovalReference.message_id_digest.in_(digests)
    )
    return db.session.scalars(wanted).all()


def _locked(kind: type[Row], ids: Collection[int], *options: ORMOption) -> Collection[Row]:
    if not ids:
        return ()
    wanted = select(kind).where(kind.id.in_(ids)).order_by(kind.id).with_for_update()
    wanted = wanted.options(*options)
    return db.session.scalars(wanted.execution_options(populate_existing=True)).all()


def _seen_before(entries: Collection[Entry]) -> set[str]:
    """Return the digests among these that an earlier mail with an outcome had."""
    return set(db.session.scalars(select(Reply.sha256).where(*earlier_than(entries))))


def earlier_than(entries: Collection[Entry]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a row that makes mails of these ones duplicates.

    A `duplicate` makes none: the mail that it repeats does, and may be processed again. Nor does
    one that failed, or was put back into the folder.
    """
    ids = [entry.id for entry in entries]
    return (
        Reply.sha256.in_({entry.sha256 for entry in entries}),
        Reply.id.not_in(ids),
        Reply.restored_at.is_(None),
        Reply.outcome.not_in(("failed", "duplicate")),
    )
