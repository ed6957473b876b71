"""One batch of claimed mails over an open connection; what becomes of each is noted, not stored."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import datetime

from flexmail.crypto import key_ring
from flexmail.db import db
from flexmail.errors import MailServerError, Refused, SecretUnreadable
from flexmail.services import pace, withdrawals
from flexmail.services.claims import Claimed
from flexmail.services.receipts import Receipt, Receipts
from flexmail.transport.smtp import Mail, SmtpSession

_CLOSING = 421
"""The server ends the connection for reasons of its own (RFC 5321, section 3.8)."""

_MAIL_SECONDS = 70.0
"""No mail is begun with less than that left: a server may take so long over one."""

_WITHDRAWN_SECONDS = 0.2
_LOST = "What this mail said is missing in the database: it cannot be sent. Ask once more instead."


def takes_another(session: SmtpSession) -> bool:
    """Tell whether a connection is good for one more mail."""
    return session.usable and session.seconds_left > _MAIL_SECONDS


class Batch:
    """Mails that are ours for now; `waiting` holds, by id, those that were not tried yet."""

    def __init__(
        self, claimed: Iterable[Claimed], receipts: Receipts, clock: Callable[[], datetime]
    ) -> None:
        self.waiting = {mail.id: mail for mail in claimed}
        self._receipts = receipts
        self._clock = clock
        self._fetched: deque[int] = deque()
        self._closed: frozenset[int] = frozenset()
        self._asked_at = -math.inf

    def send(self, session: SmtpSession, sender: str) -> Generator[Refused | None, None, None]:
        """Send one after the other; yield after each, the server's no if it asks for less mail.

        Raises:
            MailServerError: the connection; the mail that was under way is noted.
        """
        with contextlib.closing(session.send_each(sender, self._opened(session))) as answers:
            try:
                for answer in answers:
                    yield self._took(self._fetched.popleft(), answer, session.encrypted)
                    self._receipts.store_due()
            except MailServerError as error:
                if self._fetched:
                    counted = error.code != _CLOSING
                    self._note(self._fetched[0], str(error), temporary=True, counted=counted)
                raise

    def _opened(self, session: SmtpSession) -> Iterator[Mail]:
        """Open mail after mail as they are fetched; one that no key opens blocks no other."""
        ring = key_ring()  # opens whatever was stored when the batch was claimed
        for mail in list(self.waiting.values()):
            if not takes_another(session):
                return
            if mail.id in self._withdrawn():
                self._note(mail.id, withdrawals.REASON, counted=False, withdrawn=True)
                continue
            if mail.sealed_content is None:
                self._note(mail.id, _LOST)
                continue
            try:
                content = ring.open(mail.sealed_content)
            except SecretUnreadable as error:
                self._note(mail.id, str(error), temporary=True)
            else:
                self._fetched.append(mail.id)
                yield Mail(mail.recipient, content)

    def _withdrawn(self) -> frozenset[int]:
        """Return which of the mails nobody wants any more, as it was a moment ago at most."""
        if time.monotonic() - self._asked_at > _WITHDRAWN_SECONDS:
            self._closed = withdrawals.among(list(self.waiting))
            db.session.rollback()  # no transaction is open while the network is used
            self._asked_at = time.monotonic()
        return self._closed

    def _took(self, mail_id: int, answer: str | Refused, encrypted: bool) -> Refused | None:
        if not isinstance(answer, Refused):
            self._note(mail_id, answer, encrypted=encrypted)
            return None
        self._note(mail_id, str(answer), temporary=answer.temporary)
        return answer if pace.throttles(answer) else None

    def _note(self, mail_id: int, answer: str, **what: bool) -> None:
        del self.waiting[mail_id]
        self._receipts.add(Receipt(mail_id, self._clock(), answer, **what))
