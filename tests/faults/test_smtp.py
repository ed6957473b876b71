"""Mail goes out through a real server over a line with faults: at least once, under one name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from flexmail.db import db, transaction
from flexmail.models import Channel, OutboxMail
from flexmail.services import outbox, settings
from flexmail.services.delivery import Report, deliver_due
from flexmail.transport.smtp import SmtpAccount, open_session
from flexmail.transport.tls import Endpoint
from tests.faults.acts import Act, Fault, changed, cut, instead
from tests.faults.proxy import Link, Proxy, Tls
from tests.servers import PASSWORD, Exim
from tests.services import stage
from tests.services.stage import opened, queued, read

pytestmark = [pytest.mark.dovecot, pytest.mark.exim]

NewProxy = Callable[..., Proxy]
TAKEN, RECIPIENT_TAKEN = rb"^250 OK id=", rb"^250 Accepted"
REFUSED = "nobody@example.test"


@dataclass
class Post:
    """An outbox with twenty mails, one of them to nobody, and a proxy on the way to Exim."""

    exim: Exim
    proxy: Proxy
    user: str
    caplog: pytest.LogCaptureFixture
    refused: dict[str, str] = field(default_factory=lambda: {REFUSED: "no such mailbox"})

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.connect()
        with transaction():
            for number in range(20):
                to = REFUSED if number == 4 else f"to{number}-{self.user}"
                outbox.queue("test", to, {}, now=now)
        self.names = {mail.id: str(read(opened(mail))["Message-ID"]) for mail in self.mails()}

    def connect(self, **given: object) -> None:
        values = {
            "smtp_host_name": self.proxy.host,
            "smtp_host_port": self.proxy.port,
            "smtp_user": self.user,
            "smtp_password": PASSWORD,
            "smtp_implicit_tls": self.proxy.tls == "implicit",
            "smtp_enable_starttls": self.proxy.tls == "starttls",
            "tls_ca_certificates": self.exim.ca_pem,
            "enable_email_approval": False,
        }
        settings.save(stage.fill_in(**(values | given)))

    def mails(self) -> list[OutboxMail]:
        db.session.rollback()
        return queued("test")

    def deliver(self, minutes: int = 0) -> Report:
        report = deliver_due(now=datetime.now(UTC) + timedelta(minutes=minutes))
        self.nothing_is_lost()
        return report

    def taken(self) -> list[str]:
        """Return the Message-ID of each mail that the server took, once for every time."""
        return re.findall(r"<= \S+ .*? id=(\S+)", self.exim.log())

    def nothing_is_lost(self) -> None:
        """Check what must hold at any moment."""
        taken = set(self.taken())
        for mail in self.mails():
            name = self.names[mail.id]
            assert str(read(opened(mail))["Message-ID"]) == name
            assert mail.state != "sent" or name.strip("<>") in taken
            assert mail.state in ("sent", "queued", "failed")
            assert (mail.state == "failed") <= (mail.recipient in self.refused)
        told = " ".join([db.session.get_one(Channel, "outbox").error, self.caplog.text])
        db.session.rollback()
        assert PASSWORD not in told

    def claims_run_out(self) -> None:
        """What a dead sender claimed comes back in time; here it has."""
        with transaction():
            claimed = update(OutboxMail).where(OutboxMail.state == "sending")
            long_ago = datetime.now(UTC) - timedelta(minutes=10)
            db.session.execute(claimed.values(claimed_until=long_ago))

    def clear(self) -> None:
        """Lift the faults; within the hour all has gone, and only what was refused failed."""
        self.proxy.lift()
        for minutes in (10, 30, 60):
            self.deliver(minutes)
        for mail in self.mails():
            wanted = "failed" if mail.recipient in self.refused else "sent"
            assert mail.state == wanted, mail.recipient
            if wanted == "failed":
                assert self.refused[mail.recipient] in mail.answer
        assert db.session.get_one(Channel, "outbox").error == ""
        db.session.rollback()


@pytest.fixture
def new_post(
    context: Flask, exim: Exim, new_proxy: NewProxy, caplog: pytest.LogCaptureFixture
) -> Callable[..., Post]:
    caplog.set_level("DEBUG", logger="flexmail")

    def make(tls: Tls = "implicit") -> Post:
        proxy = new_proxy(tls, server=(exim.host, exim.smtps_port))
        return Post(exim, proxy, f"post{proxy.port}@example.test", caplog)

    return make


@pytest.fixture
def post(new_post: Callable[..., Post]) -> Post:
    return new_post()


def times(post: Post, recipient_number: int) -> int:
    """Return how often the server took one mail."""
    mail = post.mails()[recipient_number]
    return post.taken().count(post.names[mail.id].strip("<>"))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_without_a_fault_all_goes_at_once_and_once(tls: Tls, new_post: Callable[..., Post]) -> None:
    post = new_post(tls)
    report = post.deliver()
    assert (report.sent, report.failed, report.deferred, report.error) == (19, 1, 0, "")
    post.clear()
    assert [times(post, number) for number in range(20)] == [1] * 4 + [0] + [1] * 15


def test_a_server_that_refuses_the_connection(post: Post) -> None:
    post.proxy.refuse()

    assert "refused the connection" in post.deliver().error

    assert {mail.attempts for mail in post.mails()} == {0}
    post.proxy.listen()
    post.clear()


def test_451_twice(post: Post) -> None:
    again = changed(TAKEN + rb".*", b"451 4.3.0 try again later\r")
    post.proxy.put(fault := Fault("server", TAKEN, again, times=2))

    first = post.deliver()

    assert fault.fired == 2
    assert first.failed == 1
    post.clear()


def test_550_at_rcpt_blocks_no_other(post: Post) -> None:
    report = post.deliver()

    assert (report.sent, report.failed, report.error) == (19, 1, "")
    assert "550" in post.mails()[4].answer
    post.clear()


def test_554_after_the_dot_blocks_no_other(post: Post) -> None:
    spam = changed(TAKEN + rb".*", b"554 5.7.1 this looks like spam\r")
    post.proxy.put(fault := Fault("server", TAKEN, spam, skip=7))
    refused = post.mails()[8].recipient
    post.refused[refused] = "this looks like spam"

    report = post.deliver()

    assert fault.fired == 1
    assert (report.sent, report.failed) == (18, 2)
    post.clear()


@pytest.mark.parametrize(
    ("at", "act", "words"),
    [
        (rb"^220 .*ESMTP", instead(b"421 4.3.2 going down\r\n", then_cut=True), "going down"),
        (RECIPIENT_TAKEN, instead(b"421 4.3.2 going down\r\n", then_cut=True), "going down"),
        (TAKEN, instead(b"421 4.3.2 going down\r\n", then_cut=True), "going down"),
    ],
    ids=["in the greeting", "at RCPT", "after the dot"],
)
def test_421(at: bytes, act: Act, words: str, post: Post) -> None:
    post.proxy.put(fault := Fault("server", at, act, skip=0 if at[:4] == b"^220" else 3))

    report = post.deliver()

    assert fault.fired == 1
    assert words in report.error
    assert report.failed == 0
    post.clear()


def test_cut_inside_the_message(post: Post) -> None:
    post.proxy.put(fault := Fault("flexmail", rb"^Subject:", cut, skip=5))

    report = post.deliver()

    assert fault.fired == 1
    assert "closed" in report.error
    post.clear()
    assert all(times(post, number) <= 1 for number in range(20))  # the server took no half mail


def test_a_250_that_is_lost_sends_the_same_mail_again(post: Post) -> None:
    post.proxy.put(fault := Fault("server", TAKEN, cut, skip=3))

    report = post.deliver()

    assert fault.fired == 1
    assert "closed" in report.error
    post.clear()
    assert sorted(times(post, number) for number in range(20)) == [0] + [1] * 18 + [2]


def test_535_costs_no_mail_a_try(post: Post) -> None:
    post.connect(smtp_password="wrong by one letter")

    report = post.deliver()

    assert "535" in report.error
    assert "SMTP Password" in report.error
    assert "wrong by one letter" not in report.error
    assert {(mail.state, mail.attempts) for mail in post.mails()} == {("queued", 0)}
    post.connect()
    post.clear()
    assert [mail.attempts for mail in post.mails()] == [1] * 20


def test_432_slows_down_and_loses_nothing(post: Post) -> None:
    slower = changed(TAKEN + rb".*", b"432 4.3.2 too many messages, slow down\r")
    post.proxy.put(fault := Fault("server", TAKEN, slower, times=0, skip=2))

    report = post.deliver()

    assert fault.fired
    assert (report.sent, report.failed) in ((2, 0), (2, 1))
    post.clear()


def test_a_slow_250_is_waited_for(exim: Exim, post: Post) -> None:
    def late(link: Link, line: bytes) -> bytes:
        link.over.wait(0.7)
        return line

    post.proxy.put(fault := Fault("server", TAKEN, late))
    endpoint = Endpoint(post.proxy.host, post.proxy.port, False, True, exim.ca_pem)
    mail = post.mails()[0]
    began = time.monotonic()
    with open_session(SmtpAccount(endpoint, post.user, PASSWORD), step_seconds=0.5) as session:
        assert session.send(post.user, mail.recipient, opened(mail)).startswith("250")

    assert fault.fired == 1
    assert time.monotonic() - began > 0.7
    post.clear()
