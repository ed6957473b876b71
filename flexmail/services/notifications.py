"""What we had sent when an answer comes in: the notifications that its keys lead to.

Reads only; the caller ends the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from sqlalchemy import BindParameter, Table, bindparam, select

from flexmail.crypto import KeyRing, key_ring
from flexmail.db import execute
from flexmail.errors import SecretUnreadable
from flexmail.mail.compose import texts_of
from flexmail.mail.desk import Known, answered
from flexmail.mail.ours import Sent
from flexmail.mail.reference import digest
from flexmail.models import Approval, ApprovalReference, OutboxContent, OutboxMail
from flexmail.services import sealed_mail

_REFERENCES = cast(Table, ApprovalReference.__table__)
_APPROVALS = cast(Table, Approval.__table__)
_MAILS = cast(Table, OutboxMail.__table__)
_CONTENTS = cast(Table, OutboxContent.__table__)
_DIGESTS: BindParameter[Any] = bindparam("digests", expanding=True)
_SENT = (
    select(
        _REFERENCES.c.id,
        _REFERENCES.c.reference_digest,
        _REFERENCES.c.message_id_digest,
        _CONTENTS.c.sealed_content,
        _APPROVALS.c.title,
        _APPROVALS.c.details,
        _APPROVALS.c.submitter,
        _APPROVALS.c.link,
    )
    .join_from(_REFERENCES, _APPROVALS, _APPROVALS.c.id == _REFERENCES.c.approval_id)
    .outerjoin(_MAILS, _MAILS.c.message_id_digest == _REFERENCES.c.message_id_digest)
    .outerjoin(_CONTENTS, _CONTENTS.c.id == _MAILS.c.id)
    .where(
        _REFERENCES.c.reference_digest.in_(_DIGESTS) | _REFERENCES.c.message_id_digest.in_(_DIGESTS)
    )
)


def known_by(keys: Collection[str]) -> dict[int, Known]:
    """Return the notifications that references and Message-IDs lead to, by approval reference.

    One whose text is gone, or that no key of the ring opens, is there without it: the answer is
    then read without.
    """
    if not keys:
        return {}
    by_digest = {digest(key): key for key in keys}
    ring = key_ring()
    rows: Iterable[Any] = execute(_SENT, digests=list(by_digest))
    return {
        row.id: Known(
            frozenset(by_digest[each] for each in row[1:3] if each in by_digest),
            _sent(row.sealed_content, row[4:], ring),
        )
        for row in rows
    }


def sent_for(keys: Collection[str]) -> Sent | None:
    """Return the one notification that these keys lead to, with its text; None for no or more."""
    return answered(frozenset(keys), known_by(keys).values())


def _sent(sealed: bytes | None, given: Sequence[str], ring: KeyRing) -> Sent | None:
    try:
        texts = texts_of(sealed_mail.opened(sealed, ring)) if sealed else None
    except SecretUnreadable:
        return None
    if texts is None:
        return None
    return Sent(texts.get("plain", ""), texts.get("html", ""), tuple(filter(None, given)))
