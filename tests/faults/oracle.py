"""Twenty good replies in flight, and what must be true of them after whatever went wrong.

`begin` builds the requests and replies once; each test gets a copy of the database and a mailbox
of its own, with mails of others in it and beside it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from flask import Flask
from imapclient import IMAPClient
from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import undefer

from flexmail.db import db, transaction
from flexmail.models import Approval, Channel, Decision, Lease, OutboxMail, Reply, User
from flexmail.services import accounts, inbox, kept_mail, settings
from flexmail.services.reply_run import Patience, Report
from tests.faults.proxy import Proxy
from tests.servers import PASSWORD, Dovecot
from tests.services import stage
from tests.services.stage import ADA, BOB, CHARLIE
from tests.story.waiting import wait_for

_PATIENCE = Patience()
HASTY = Patience(step_seconds=1.0, late_seconds=3.0, run_seconds=4.0)
FOLDER, ASIDE = "INBOX", "Private"

_VERDICTS = {"approve": "approved", "reject": "rejected"}
_OF_OTHERS = b"From: x@elsewhere.test\r\nSubject: private\r\n\r\nApprove\r\n"


@dataclass(frozen=True)
class Mail:
    """A mail in flight; a good reply names its request and verdict, any other mail neither."""

    raw: bytes = field(repr=False)
    approval_id: int = 0
    verdict: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True)
class InFlight:
    """What the tests begin with; `untouched` is a request that nobody entitled has answered."""

    replies: tuple[Mail, ...]
    junk: tuple[Mail, ...]
    untouched: int
    secrets: tuple[str, ...] = field(repr=False)


def begin(replies: int = 20) -> InFlight:
    """Ask Bob for so many approvals and one more, and write his answers; commits."""
    now = datetime.now(UTC)
    accounts.add(ADA, role="admin", name="Ada", now=now)
    accounts.add(BOB, role="approver", name="Bob", now=now)
    stage.set_up(email_reply_process_count=50)
    good, secrets = [], []
    for verdict in itertools.islice(itertools.cycle(_VERDICTS), replies):
        asked = stage.ask(now=now)
        raw = stage.reply(asked, f"{verdict.title()} as discussed")
        good.append(Mail(raw, asked.approval_id, verdict))
        secrets.append(asked.reference)
    asked = stage.ask(now=now)
    secrets.append(asked.reference)
    stolen = stage.reply(asked, "Approve", sender=f"Charlie <{CHARLIE}>")
    with transaction():
        db.session.execute(update(OutboxMail).values(state="sent", sent_at=now))
    junk = (Mail(stolen), Mail(stage.reply(None, "Approve")))
    return InFlight(tuple(good), junk, asked.approval_id, tuple(secrets))


@dataclass
class Scene:
    """A folder with mail in flight behind a proxy, and the runs over it.

    `lost` are mails that somebody else expunged; `kept` may stay in the folder although they are
    settled; `unreported` means that a run ended without telling what it did.
    """

    app: Flask
    dovecot: Dovecot
    proxy: Proxy
    user: str
    flight: InFlight
    log: io.StringIO
    mails: list[Mail] = field(default_factory=list)
    lost: list[Mail] = field(default_factory=list)
    kept: list[Mail] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    unreported: bool = False
    marked: bool = True

    def begin(self) -> None:
        """Connect, and run once while nothing is there: what comes later is new mail."""
        self.connect()
        report = inbox.process_replies(now=datetime.now(UTC), at_once=True)
        assert (report.error, report.waits_for, report.held, report.left) == ("", "", 0, 0)
        self.proxy.lift()
        self.proxy.heard.clear()

    def deliver(self, count: int = 20, *, marked: bool = True, junk: bool = True) -> None:
        """Fill the folder: replies with junk between them, a mail marked by others, one aside."""
        self.marked = marked
        half = count // 2
        good, (first, second) = self.flight.replies[:count], self.flight.junk
        self.mails = [*good[:half], first, *good[half:], second] if junk else [*good]
        with self.dovecot.client(self.user) as client:
            client.multiappend(FOLDER, [mail.raw for mail in self.mails])
            client.create_folder(ASIDE)
            client.append(ASIDE, _OF_OTHERS, flags=[b"\\Flagged", b"\\Deleted"])
            if marked:
                client.append(FOLDER, _OF_OTHERS, flags=[b"\\Deleted"])
        self._aside = self.look(ASIDE)

    def deliver_another(self, *mails: Mail) -> None:
        """More mail comes; some of it may have been there before."""
        with self.dovecot.client(self.user) as client:
            client.multiappend(FOLDER, [mail.raw for mail in mails])
        self.mails += [mail for mail in mails if mail not in self.mails]

    def begin_again(self, restore: Callable[[], object]) -> None:
        """Put the mails back into the empty folder, and the database to what it was before."""
        restore()
        self.reports.clear()
        self.unreported = False
        self.deliver_another(*self.mails)

    def expunge(self, mail: Mail) -> None:
        """Another client removes a mail."""
        with self.dovecot.client(self.user) as client:
            client.select_folder(FOLDER)
            uid = next(uid for uid, (_, raw) in self._fetch(client).items() if raw == mail.raw)
            client.add_flags([uid], [b"\\Deleted"], silent=True)
            client.uid_expunge([uid])
        self.lost.append(mail)

    def expunge_what_others_marked(self) -> None:
        """The client that marked its mail deleted expunges it, and no other."""
        with self.dovecot.client(self.user) as client:
            client.select_folder(FOLDER)
            found = self._fetch(client)
            client.uid_expunge([uid for uid, (_, raw) in found.items() if raw == _OF_OTHERS])
        self.marked = False

    def uid_of(self, mail: Mail) -> int:
        return next(uid for uid, (_, raw) in self.look().items() if raw == mail.raw)

    def save(self, **given: object) -> None:
        settings.save(stage.fill_in(**given))
        stage.own_folder()

    def connect(self, **given: object) -> None:
        """Save settings that lead through the proxy."""
        self.save(
            imap_host_name=self.proxy.host,
            imap_host_port=self.proxy.port,
            imap_user=self.user,
            imap_password=PASSWORD,
            imap_implicit_tls=self.proxy.tls == "implicit",
            imap_enable_starttls=self.proxy.tls == "starttls",
            tls_ca_certificates=self.dovecot.ca_pem,
            **given,
        )

    def look(self, folder: str = FOLDER) -> dict[int, tuple[frozenset[bytes], bytes]]:
        """Return flags and bytes of what is in a folder, by UID; nothing in it changes."""
        self._watcher.select_folder(folder, readonly=True)
        found = self._fetch(self._watcher)
        self._watcher.unselect_folder()
        return found

    @cached_property
    def _watcher(self) -> IMAPClient:
        """A mail program of our own that only looks; it stays logged in, for that is quick."""
        return self.dovecot.client(self.user)

    def renumber(self) -> None:
        """The server forgets the number of each mail, and changes UIDVALIDITY."""
        self.close()
        self.dovecot.renumber(self.user)

    def close(self) -> None:
        self._watcher.logout()
        del self._watcher

    def _fetch(self, client: Any) -> dict[int, tuple[frozenset[bytes], bytes]]:
        found = client.fetch(client.search(), ["FLAGS", "BODY.PEEK[]"])
        return {
            uid: (frozenset(items[b"FLAGS"]) - {b"\\Recent"}, items[b"BODY[]"])
            for uid, items in found.items()
        }

    def run(
        self,
        patience: Patience = _PATIENCE,
        *,
        after: timedelta = timedelta(),
        at_once: bool = True,
        checked: bool = True,
    ) -> Report:
        """Run the reply job once; nothing may be lost by it, whatever happened."""
        report = inbox.process_replies(
            now=datetime.now(UTC) + after, at_once=at_once, patience=patience
        )
        self.reports.append(report)
        if checked:
            self.nothing_is_lost()
        return report

    def run_into_trouble(self) -> SQLAlchemyError | None:
        """Run the reply job once where the database may fail it; return how it did."""
        try:
            self.run(checked=False)
        except SQLAlchemyError as error:
            self.unreported = True
            db.session.rollback()
            return error
        return None

    def wait_for(self, condition: Callable[[], object]) -> None:
        wait_for(condition, seconds=60, what="the fault fired")

    def let_leases_run_out(self) -> None:
        """What a dead owner holds runs out in time; here it has."""
        with transaction():
            long_ago = datetime.now(UTC) - timedelta(minutes=1)
            db.session.execute(update(Lease).values(expires_at=long_ago))

    def clear(self, *, after: timedelta = timedelta()) -> None:
        """Lift the faults; then at most two runs must take the backlog, and all must be well.

        Args:
            after: how much time has gone by.
        """
        self.proxy.lift()
        report = self.run(after=after)
        if report.error or self._waiting():
            report = self.run(after=after)
        assert (report.error, self._waiting()) == ("", [])
        self.all_is_well()

    def _waiting(self) -> list[bytes]:
        kept = {mail.raw for mail in self.kept}
        return [raw for _, raw in self.look().values() if raw != _OF_OTHERS and raw not in kept]

    def nothing_is_lost(self) -> None:
        """Check what must hold at any moment between two runs."""
        there = self.look()
        rows = self.rows()
        settled = {row.sha256: row for row in rows if row.outcome}
        present = {raw for _, raw in there.values()}
        for mail in self.mails:
            if mail.raw not in present and mail not in self.lost:
                assert mail.sha256 in settled, "a mail is gone and nobody knows what became of it"
                assert kept_mail.raw_of(settled[mail.sha256]) == mail.raw
        of_others = [flags for flags, raw in there.values() if raw == _OF_OTHERS]
        assert of_others == [frozenset({b"\\Deleted"})] * self.marked
        assert self.look(ASIDE) == self._aside
        self._decisions_are_as_written()
        for report in self.reports:
            assert report.looked_at == sum(report.by_outcome.values()) == len(report.reply_ids)
        told = sum(report.looked_at for report in self.reports)
        assert self.unreported or told == sum(1 for row in rows if row.outcome)
        self._no_secret_is_told()

    def all_is_well(self) -> None:
        """Check what must hold once the backlog is gone."""
        db.session.rollback()
        statuses = _table(select(Approval.id, Approval.status))
        told = select(OutboxMail.approval_id, func.count()).filter_by(kind="reply_confirmation")
        confirmations = _table(told.group_by(OutboxMail.approval_id))
        for mail in self.mails:
            if mail.approval_id and mail not in self.lost:
                assert statuses[mail.approval_id] == _VERDICTS[mail.verdict], mail
                assert confirmations[mail.approval_id] == 1
        job = db.session.get_one(Channel, inbox.CHANNEL)
        assert (job.error, job.failing_since) == ("", None)
        db.session.rollback()

    def rows(self) -> list[Reply]:
        db.session.rollback()
        wanted = select(Reply).order_by(Reply.id).options(undefer(Reply.sealed_raw))
        return list(db.session.scalars(wanted.execution_options(populate_existing=True)))

    def outcomes(self) -> dict[str | None, int]:
        db.session.rollback()
        return _table(select(Reply.outcome, func.count()).group_by(Reply.outcome))

    def _decisions_are_as_written(self) -> None:
        db.session.rollback()
        written = {mail.approval_id: (BOB, mail.verdict, "email") for mail in self.mails}
        asked = select(Decision.approval_id, User.email, Decision.verdict, Decision.channel)
        decided = [(row[0], tuple(row[1:])) for row in db.session.execute(asked.join(User))]
        assert len(dict(decided)) == len(decided), "two decisions about one request"
        for approval_id, decision in decided:
            assert decision == written[approval_id]
        statuses = _table(select(Approval.id, Approval.status))
        assert {key for key in statuses if statuses[key] != "pending"} == set(dict(decided))
        assert statuses[self.flight.untouched] == "pending"
        db.session.rollback()

    def _no_secret_is_told(self) -> None:
        db.session.rollback()
        channels = [channel.error for channel in db.session.scalars(select(Channel))]
        reports = [report.error + report.waits_for for report in self.reports]
        told = "\n".join([*channels, *reports, self.log.getvalue()])
        token = base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode()).decode()
        for secret in (PASSWORD, token, *self.flight.secrets):
            assert secret not in told
        assert not re.search(r"FM-[A-Z2-7]{26}", told)
        db.session.rollback()


def _table(wanted: Select[Any, Any]) -> dict[Any, Any]:
    return {row[0]: row[1] for row in db.session.execute(wanted)}
