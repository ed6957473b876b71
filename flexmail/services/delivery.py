"""Send what is due from the outbox: at least once, over one connection.

1. Claim a batch by one conditional UPDATE and commit; a sender that dies leaves claims that run
   out, and its mail goes again under the same Message-ID.
2. Send outside any transaction; what the server said is stored some mails at a time (`receipts`).

What the server says about one recipient never holds back another; what it says about the
connection or the login costs no mail a try. A server that wants mail slower gets it slower: where
two mails in a row are met with that wish, or the connection is closed with 421, the rest waits.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from flexmail.db import db, transaction
from flexmail.errors import FlexmailError, MailServerError, Refused
from flexmail.mail.address import parse_mailbox
from flexmail.services import channels, claims, installation, pace, settings
from flexmail.services.batches import Batch, takes_another
from flexmail.services.receipts import Receipts
from flexmail.transport.smtp import SmtpAccount, SmtpSession, open_session

log = logging.getLogger(__name__)

CHANNEL = "outbox"
RUN_SECONDS = 240.0
"""Shorter than a claim, so that a mail under way is never somebody else's."""


@dataclass(slots=True)
class Report:
    """What one call of `deliver_due` did, in mails."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    error: str = ""


def deliver_due(
    *, now: datetime, at_once: bool = False, keep_going: Callable[[], bool] = lambda: True
) -> Report:
    """Send the mails that are due, batch by batch, for some minutes at most; commits as it goes.

    Args:
        at_once: all of them, whatever pause or retry time is set (somebody asked for it by hand).
        keep_going: asked between mails; False ends the call and gives the rest back.
    """
    report, row = Report(), settings.load()
    revision = row.revision
    paused = not at_once and channels.is_paused(CHANNEL, revision=revision, now=now)
    if paused or not claims.anything_due(now, at_once=at_once):
        return report
    if reason := installation.objection():
        report.error = reason
        return report
    run = _Run(now, revision, at_once, keep_going)
    try:
        account = settings.smtp_account(row)
        sender = parse_mailbox(row.smtp_from_address).addr_spec
        db.session.rollback()  # no transaction is open while the network is used
        run.send_all(account, sender)
    except FlexmailError as error:
        log.warning("outbox: %s", error)
        report.error = channels.explain(error)
        run.count(report)
        run.failed(error, report)
    else:
        run.count(report)
        run.finished(report)
    return report


@dataclass(slots=True)
class _Run:
    """One call: what it was asked for, what has become of its mails, and whether it goes on."""

    now: datetime
    revision: int
    at_once: bool
    keep_going: Callable[[], bool]
    receipts: Receipts = field(default_factory=Receipts)
    size: int = 0
    held_back: bool = False
    over: bool = False
    _began: float = field(default_factory=time.monotonic)

    def clock(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._began)

    def send_all(self, account: SmtpAccount, sender: str) -> None:
        """Send over one connection, and over another where the server hung up after a no.

        Raises:
            MailServerError: the connection, or a server that wants mail slower; what became of each
                mail is stored, and the rest given back.
        """
        while self._goes_on():
            with open_session(account, run_seconds=RUN_SECONDS) as session:
                while self._goes_on() and takes_another(session):
                    self._send_batch(session, sender)
                hung_up = not session.usable
            self.over |= not (self.at_once or hung_up)

    def _goes_on(self) -> bool:
        return not self.over

    def _may_send(self) -> bool:
        self.over |= not self.keep_going()
        return not self.over

    def _send_batch(self, session: SmtpSession, sender: str) -> None:
        size = self.size = self.size or pace.batch_size(CHANNEL)
        claimed = claims.claim(
            self.now,
            self.clock(),
            at_once=self.at_once,
            already=self.receipts.deferred,
            at_most=size,
        )
        batch = Batch(claimed, self.receipts, self.clock)
        complaints: list[Refused | None] = [None]
        try:
            if claimed and self._may_send():
                with contextlib.closing(batch.send(session, sender)) as answers:
                    for complaint in answers:
                        if complaint and complaints[-1]:
                            raise complaint
                        complaints.append(complaint)
                        if not self._may_send():
                            break
        finally:
            self.receipts.store()
            claims.give_back(list(batch.waiting))
        self.over |= not claimed
        if claimed and size < claims.BATCH:
            self._go_slowly(well=not any(complaints))

    def _go_slowly(self, *, well: bool) -> None:
        if well:
            with transaction():
                pace.faster(CHANNEL)
        self.size = 0
        self.held_back = True
        self.over |= not self.at_once

    def count(self, report: Report) -> None:
        counts = self.receipts.counts
        report.sent, report.deferred, report.failed = (
            counts[state] for state in ("sent", "queued", "failed")
        )

    def failed(self, error: FlexmailError, report: Report) -> None:
        """Note why the call ended; a server that took some mail and wants the rest slower works."""
        throttled = isinstance(error, MailServerError) and pace.throttles(error)
        if not (throttled and report.sent):
            channels.failed(CHANNEL, error, revision=self.revision, now=self.now)
        else:
            self.finished(report)
        if throttled:
            with transaction():
                pace.slower(CHANNEL)
                pace.rest(CHANNEL, revision=self.revision, now=self.clock())

    def finished(self, report: Report) -> None:
        with transaction():
            channels.started(CHANNEL, now=self.now)
            channels.finished(CHANNEL, asdict(report))
            if self.held_back:
                pace.breathe(CHANNEL, revision=self.revision, now=self.clock())
