"""What we had sent when an answer comes in: the notifications that its keys lead to.

Reads only; the caller ends the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select

from flexmail.crypto import key_ring
from flexmail.db import db
from flexmail.errors import SecretUnreadable
from flexmail.mail.compose import texts_of
from flexmail.mail.desk import Known, answered
from flexmail.mail.ours import Sent
from flexmail.mail.reference import digest
from flexmail.models import Approval, ApprovalReference, OutboxContent, OutboxMail

_SENT = (
    select(
        ApprovalReference.id,
        ApprovalReference.reference_digest,
        ApprovalReference.message_id_digest,
        OutboxContent.sealed_content,
        Approval.title,
        Approval.details,
        Approval.submitter,
        Approval.link,
    )
    .join(Approval, Approval.id == ApprovalReference.approval_id)
    .join(
        OutboxMail,
        OutboxMail.message_id_digest == ApprovalReference.message_id_digest,
        isouter=True,
    )
    .join(OutboxContent, OutboxContent.id == OutboxMail.id, isouter=True)
)


def known_by(keys: Collection[str]) -> dict[int, Known]:
    """Return the notifications that references and Message-IDs lead to, by approval reference.

    One whose text is gone, or that no key of the ring opens, is there without it: the answer is
    then read without.
    """
    if not keys:
        return {}
    by_digest = {digest(key): key for key in keys}
    wanted = _SENT.where(
        ApprovalReference.reference_digest.in_(by_digest)
        | ApprovalReference.message_id_digest.in_(by_digest)
    )
    return {
        row.id: Known(
            frozenset(by_digest[each] for each in row[1:3] if each in by_digest),
            _sent(row.sealed_content, row[4:]),
        )
        for row in db.session.execute(wanted)
    }


def sent_for(keys: Collection[str]) -> Sent | None:
    """Return the one notification that these keys lead to, with its text; None for no or more."""
    return answered(frozenset(keys), known_by(keys).values())


def _sent(sealed: bytes | None, given: Sequence[str]) -> Sent | None:
    try:
        texts = texts_of(key_ring().open(sealed)) if sealed else None
    except SecretUnreadable:
        return None
    if texts is None:
        return None
    return Sent(texts.get("plain", ""), texts.get("html", ""), tuple(filter(None, given)))
