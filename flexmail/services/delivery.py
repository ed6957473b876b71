"""Send what is due from the outbox: at least once, one connection a batch.

Claim by one conditional UPDATE and commit; send outside any transaction; note the answer. A sender
that dies leaves claims that run out, and its mail goes again under the same Message-ID. What the
server says about one recipient never holds back another; what it says about the connection or the
login costs no mail a try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import undefer

from flexmail.crypto import key_ring
from flexmail.db import db, transaction
from flexmail.errors import FlexmailError, MailServerError, Refused, SecretUnreadable
from flexmail.mail.address import parse_mailbox
from flexmail.mail.delivery_report import status_code_in
from flexmail.mail.reference import mask
from flexmail.models import OutboxMail
from flexmail.services import channels, claims, settings
from flexmail.transport.smtp import SmtpAccount, SmtpSession, open_session

log = logging.getLogger(__name__)

CHANNEL = "outbox"
GIVE_UP_AFTER = timedelta(days=4)
_RETRY_MINUTES = (1, 2, 5, 10, 15, 30)


@dataclass(slots=True)
class Report:
    """What one call of `deliver_due` did, in mails."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    error: str = ""

    def count(self, state: str) -> None:
        """Add one mail by the state it ended in."""
        self.sent += state == "sent"
        self.deferred += state == "queued"
        self.failed += state == "failed"


def deliver_due(
    *, now: datetime, at_once: bool = False, keep_going: Callable[[], bool] = lambda: True
) -> Report:
    """Send every mail that is due, batch by batch; commits as it goes.

    Args:
        at_once: act whatever pause or retry time is set (somebody asked for it by hand).
        keep_going: asked between mails; False ends the call and gives the rest back.
    """
    began = time.monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    report, row = Report(), settings.load()
    revision = row.revision
    paused = not at_once and channels.is_paused(CHANNEL, revision=revision, now=now)
    if paused or not claims.anything_due(now, at_once=at_once):
        return report
    try:
        account = settings.smtp_account(row)
        sender = parse_mailbox(row.smtp_from_address).addr_spec
        db.session.rollback()  # no transaction is open while the network is used
        already: set[int] = set()
        while keep_going() and (
            claimed := claims.claim(now, clock(), at_once=at_once, already=already)
        ):
            already.update(claimed)
            _send_batch(account, sender, claimed, now, keep_going, report)
    except FlexmailError as error:
        log.warning("outbox: %s", error)
        report.error = channels.explain(error)
        channels.failed(CHANNEL, error, revision=revision, now=now)
        return report
    with transaction():
        channels.started(CHANNEL, now=now)
        channels.finished(CHANNEL, asdict(report))
    return report


def _send_batch(
    account: SmtpAccount,
    sender: str,
    claimed: list[int],
    now: datetime,
    keep_going: Callable[[], bool],
    report: Report,
) -> None:
    """Send claimed mails over one connection; those it did not come to are given back.

    Raises:
        MailServerError: the connection; the mail that was under way is noted already.
    """
    waiting = list(claimed)
    try:
        with open_session(account) as session:
            while waiting and keep_going():
                mail_id = waiting.pop(0)
                state, lost = _send_one(session, sender, mail_id, now)
                report.count(state)
                if lost:
                    raise lost
    finally:
        claims.give_back(waiting)


def _send_one(
    session: SmtpSession, sender: str, mail_id: int, now: datetime
) -> tuple[str, MailServerError | None]:
    """Try one mail; return its state, and what ended the connection if anything did."""
    mail = db.session.get_one(OutboxMail, mail_id, options=[undefer(OutboxMail.sealed_content)])
    recipient, sealed = mail.recipient, mail.sealed_content
    db.session.rollback()  # no transaction is open while the network is used
    try:
        answer = session.send(sender, recipient, key_ring().open(sealed))
    except Refused as error:
        return _note(mail_id, str(error), now, temporary=error.temporary), None
    except SecretUnreadable as error:
        return _note(mail_id, str(error), now, temporary=True), None
    except MailServerError as error:
        return _note(mail_id, str(error), now, temporary=True), error
    return _note(mail_id, answer, now, sent_encrypted=session.encrypted), None


def _note(
    mail_id: int,
    answer: str,
    now: datetime,
    *,
    temporary: bool = False,
    sent_encrypted: bool | None = None,
) -> str:
    """Store what became of one try; commits; returns the state."""
    with transaction():
        mail = db.session.get_one(OutboxMail, mail_id)
        mail.claimed_by, mail.claimed_until = None, None
        if sent_encrypted is not None:
            mail.sent_at, mail.encrypted = now, sent_encrypted
        if mail.bounced_at is not None:  # the report of this try was quicker, and knows more
            return mail.state
        mail.answer = mask(answer)
        mail.status_code = "" if sent_encrypted is not None else status_code_in(answer)
        if sent_encrypted is not None:
            mail.state = "sent"
        elif temporary and mail.created_at + GIVE_UP_AFTER > now:
            minutes = _RETRY_MINUTES[min(mail.attempts, len(_RETRY_MINUTES)) - 1]
            mail.state, mail.retry_at = "queued", now + timedelta(minutes=minutes)
        else:
            mail.state = "failed"
        return mail.state
