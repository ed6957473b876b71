"""Store the mails that were queued in one transaction, all with a few statements.

They are sealed with the keys as they are inside that transaction. One that was queued and is not
stored yet is in no table: who looks there calls `store` first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import LargeBinary, Table, bindparam, insert, select

from flexmail.crypto import key_ring
from flexmail.db import at_end, db, do_now, left_to
from flexmail.mail.reference import digest
from flexmail.models import OutboxContent, OutboxMail
from flexmail.services import sealed_mail

_MAILS = cast(Table, OutboxMail.__table__)
_CONTENTS = cast(Table, OutboxContent.__table__)
_NEW_MAIL = insert(_MAILS)
_NEW_CONTENT = insert(_CONTENTS).from_select(
    ["id", "sealed_content"],
    select(_MAILS.c.id, bindparam("sealed", type_=LargeBinary)).where(
        _MAILS.c.message_id_digest == bindparam("digest")
    ),
)


@dataclass(frozen=True, slots=True)
class Queued:
    """A mail that the transaction under way will store."""

    kind: str
    recipient: str
    subject: str
    raw: bytes = field(repr=False)
    message_id: str = field(repr=False)
    created_at: datetime
    approval_id: int | None = None
    event_id: int | None = None


def leave(mail: Queued) -> None:
    """Have a mail stored with all the others of this transaction."""
    at_end(_store, mail)


def left_to_store() -> list[Queued]:
    """Return the mails that were queued in this transaction and are not stored yet."""
    return left_to(_store)


def store() -> None:
    """Store what was queued in this transaction so far, for whoever looks into the outbox next."""
    do_now(_store)


def _store(mails: list[Queued]) -> None:
    ring, connection = key_ring(), db.session.connection()
    digests = [digest(mail.message_id) for mail in mails]
    connection.execute(
        _NEW_MAIL,
        [
            {
                "kind": mail.kind,
                "recipient": mail.recipient,
                "subject": mail.subject,
                "message_id_digest": known_by,
                "retry_at": mail.created_at,
                "created_at": mail.created_at,
                "approval_id": mail.approval_id,
                "event_id": mail.event_id,
            }
            for mail, known_by in zip(mails, digests, strict=True)
        ],
    )
    contents = [
        {"digest": known_by, "sealed": sealed_mail.seal(mail.raw, ring)}
        for mail, known_by in zip(mails, digests, strict=True)
    ]
    connection.execute(_NEW_CONTENT, contents)
