"""What became of each mail that was tried: collected, and stored some at a time.

A commit for each would cost more than the sending. A process that dies keeps nothing of the last
fraction of a second: those mails are sent again when their claims run out, under the same
Message-ID. Whoever collects also stores, whatever ends the sending.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, update
from sqlalchemy.exc import OperationalError

from flexmail.db import db, transaction
from flexmail.mail.delivery_report import status_code_in
from flexmail.mail.reference import mask
from flexmail.models import OutboxMail
from flexmail.services import claims, withdrawals

GIVE_UP_AFTER = timedelta(days=4)
_RETRY_MINUTES = (1, 2, 5, 10, 15, 30)
_AT_MOST = 100
_SECONDS = 0.2
_STORE_TRIES = 3
"""A database that is locked for a while is waited for: what is known to be sent is worth it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The end of one try.

    `encrypted` is None where the server did not take the mail. A try that does not count
    (`counted`) was cut short by the server for reasons of its own. What is `withdrawn` was not
    tried.
    """

    mail_id: int
    at: datetime
    answer: str
    encrypted: bool | None = None
    temporary: bool = False
    counted: bool = True
    withdrawn: bool = False


class Receipts:
    """What is known and not stored yet."""

    def __init__(self) -> None:
        self.deferred: set[int] = set()
        self.counts = {"sent": 0, "queued": 0, "failed": 0}
        self._kept: list[Receipt] = []
        self._stored_at = time.monotonic()

    def add(self, receipt: Receipt) -> None:
        """Take up the end of one try; nothing is stored yet."""
        self._kept.append(receipt)

    def store_due(self) -> None:
        """Store what must not wait longer, before the next mail is begun; commits."""
        late = time.monotonic() - self._stored_at >= _SECONDS
        if late or len(self._kept) >= _AT_MOST:
            self.store()

    def store(self) -> None:
        """Store all of it; commits."""
        for tries_left in reversed(range(_STORE_TRIES)):
            try:
                self._store()
            except OperationalError:
                if not tries_left:
                    raise
            else:
                break
        self._kept.clear()
        self._stored_at = time.monotonic()

    def _store(self) -> None:
        if not self._kept:
            return
        sent = [receipt for receipt in self._kept if receipt.encrypted is not None]
        others = [receipt for receipt in self._kept if receipt.encrypted is None]
        with transaction(durable=False):  # at worst they are sent once more
            _store_sent(sent)
            states = {receipt.mail_id: _store_refused(receipt) for receipt in others}
        self.counts["sent"] += len(sent)
        for mail_id, state in states.items():
            self.counts[state] = self.counts.get(state, 0) + 1
            if state == "queued":
                self.deferred.add(mail_id)


def _unless_bounced(column: str, value: Any) -> Any:
    """What a report says that was quicker than the receipt stays: it knows more."""
    stored = OutboxMail.__table__.c
    return case((stored.bounced_at.is_(None), value), else_=stored[column])


_SENT = (
    update(OutboxMail.__table__)  # type: ignore[arg-type]
    .where(OutboxMail.__table__.c.id == bindparam("mail_id"))
    .values(
        claimed_by=None,
        claimed_until=None,
        sent_at=bindparam("at"),
        encrypted=bindparam("was_encrypted"),
        state=_unless_bounced("state", "sent"),
        answer=_unless_bounced("answer", bindparam("receipt")),
        status_code=_unless_bounced("status_code", ""),
    )
)


def _store_sent(receipts: list[Receipt]) -> None:
    """Mark mails sent, all in one statement: this is what is done most."""
    if receipts:
        db.session.execute(
            _SENT,
            [
                {
                    "mail_id": receipt.mail_id,
                    "at": receipt.at,
                    "was_encrypted": receipt.encrypted,
                    "receipt": mask(receipt.answer),
                }
                for receipt in receipts
            ],
        )


def _store_refused(receipt: Receipt) -> str:
    mail = db.session.get(OutboxMail, receipt.mail_id, with_for_update=True)
    if mail is None or mail.claimed_by != claims.sender():
        return "not ours"  # this claim ran out: what became of it since says somebody else
    mail.claimed_by, mail.claimed_until = None, None
    if not receipt.counted:
        mail.attempts -= 1
    if mail.bounced_at is not None:
        return mail.state
    mail.answer, mail.status_code = mask(receipt.answer), status_code_in(receipt.answer)
    if receipt.withdrawn or withdrawals.among([mail.id]):
        mail.state = "cancelled"
    elif receipt.temporary and mail.created_at + GIVE_UP_AFTER > receipt.at:
        minutes = _RETRY_MINUTES[max(0, min(mail.attempts, len(_RETRY_MINUTES)) - 1)]
        mail.state, mail.retry_at = "queued", receipt.at + timedelta(minutes=minutes)
    else:
        mail.state = "failed"
    return mail.state
