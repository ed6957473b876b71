"""What happens to the jobs under gunicorn when processes end, by request or by force."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.rogue import Peer, RogueServer
from tests.servers import Dovecot, Exim
from tests.story.office import PostOffice
from tests.story.serving import ROUNDING, Gunicorn
from tests.story.waiting import wait_for

pytestmark = [pytest.mark.dovecot, pytest.mark.exim, pytest.mark.slow]

NewAddress = Callable[[], str]


@pytest.fixture
def office(exim: Exim, dovecot: Dovecot) -> PostOffice:
    return PostOffice(exim, dovecot)


@pytest.fixture
def own(office: PostOffice, tmp_path: Path, new_address: NewAddress) -> Iterator[Gunicorn]:
    """Two workers with approval on, and a first run behind them."""
    with Gunicorn(tmp_path, "-w", "2") as running:
        running.save(**office.settings(new_address()))
        running.wait_for_run(after=None, seconds=10)
        yield running


def test_a_killed_owner_is_followed_within_fifteen_seconds_and_no_run_is_lost_or_repeated(
    own: Gunicorn,
) -> None:
    before, owner, last = own.workers(), own.owner(), own.last_run_at()
    assert owner is not None
    due = own.let_last_run_be(timedelta(minutes=5) - timedelta(seconds=12)) + timedelta(minutes=5)

    killed_at = time.monotonic()
    os.kill(int(owner.rpartition(":")[2]), signal.SIGKILL)
    wait_for(lambda: own.owner() in own.names() - {owner}, seconds=15, what="another owner")
    assert time.monotonic() - killed_at < 15
    assert own.last_run_at() == last
    next_run = own.next_run_at()
    assert next_run is not None
    assert abs(next_run - due) <= ROUNDING

    ran_at = own.wait_for_run(after=last, seconds=15)
    assert due - ROUNDING <= ran_at <= due + 2 * ROUNDING
    next_run = own.next_run_at()
    assert next_run is not None
    assert abs(next_run - (ran_at + timedelta(minutes=5))) <= ROUNDING
    wait_for(lambda: len(own.workers()) == 2, seconds=10, what="two workers again")
    assert len(own.workers() - before) == 1


def test_a_stop_ends_master_and_workers_within_25_seconds_and_gives_the_lease_up(
    own: Gunicorn,
) -> None:
    workers = own.workers()

    own.master.send_signal(signal.SIGTERM)
    assert own.master.wait(25) == 0

    wait_for(lambda: not any(alive(pid) for pid in workers), seconds=1, what="no worker lives")
    assert own.lease_holder() == ""


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@dataclass
class SlowLine:
    """A line to Dovecot on which every answer takes so long; it can become fast."""

    dovecot: Dovecot
    every_seconds: float = 0.3

    def __call__(self, peer: Peer) -> None:
        context = ssl.create_default_context(cadata=self.dovecot.ca_pem)
        address = (self.dovecot.host, self.dovecot.imaps_port)
        with (
            socket.create_connection(address) as raw,
            context.wrap_socket(raw, server_hostname=self.dovecot.host) as server,
        ):
            threading.Thread(target=self._answer, args=(server, peer), daemon=True).start()
            for line in iter(peer.line, None):
                server.sendall(line + b"\r\n")

    def _answer(self, server: ssl.SSLSocket, peer: Peer) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                threading.Event().wait(self.every_seconds)
                peer.send(data)


def begin_a_long_run(own: Gunicorn, office: PostOffice, line: RogueServer, user: str) -> int:
    """Let a run begin that settles five batches over a slow line; return how many mails wait.

    When this returns, the first batch is settled and the run goes on.
    """
    mails = 150
    office.dovecot.deliver(user, *(junk(number) for number in range(mails)))
    in_clear = {"imap_enable_starttls": False}
    there = {"imap_host_name": line.host, "imap_host_port": line.port}
    much = {"email_reply_process_count": 1000, "email_reply_process_interval": 6}
    own.save(**office.settings(user) | there | in_clear | much)
    own.let_last_run_be(timedelta(days=1))
    wait_for(lambda: own.replies()["held"] == mails, seconds=20, what="old mail is held back")
    own.save(confirm_deletion=True)
    own.let_last_run_be(timedelta(days=1))
    wait_for(lambda: own.settled() >= 30, seconds=20, what="a first batch is settled")
    return mails


def junk(number: int) -> bytes:
    return b"From: x@elsewhere.test\r\nSubject: junk %d\r\n\r\nbuy\r\n" % number


def test_a_stop_during_a_long_run_ends_it_between_two_batches_and_loses_no_mail(
    own: Gunicorn, office: PostOffice, new_address: NewAddress
) -> None:
    approvals = new_address()
    with RogueServer(SlowLine(office.dovecot)) as line:
        mails = begin_a_long_run(own, office, line, approvals)
        own.master.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        assert own.master.wait(25) == 0
        took_seconds = time.monotonic() - asked_at

    assert 30 <= own.settled() < mails
    assert len(office.mails(approvals)) == mails - own.settled()
    assert own.lease_holder() == ""
    assert took_seconds < 15  # gunicorn kills after 20


def test_an_owner_killed_in_the_middle_of_a_run_loses_no_mail_and_settles_none_twice(
    own: Gunicorn, office: PostOffice, new_address: NewAddress
) -> None:
    approvals, slow = new_address(), SlowLine(office.dovecot)
    with RogueServer(slow) as line:
        mails = begin_a_long_run(own, office, line, approvals)
        owner = own.owner()
        assert owner is not None
        os.kill(int(owner.rpartition(":")[2]), signal.SIGKILL)
        slow.every_seconds = 0.0
        wait_for(lambda: own.owner() not in (None, owner), seconds=15, what="another owner")
        assert 30 <= own.settled() < mails
        wait_for(lambda: not own.lease_holder("replies"), seconds=15, what="a free folder")

        own.save(email_reply_process_interval=7)
        own.let_last_run_be(timedelta(days=1))
        wait_for(lambda: office.mails(approvals) == [], seconds=15, what="an empty folder")

    assert own.settled() == mails
