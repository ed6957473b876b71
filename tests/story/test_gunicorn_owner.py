"""The owner of the jobs among four workers: paused, ended, and never two runs at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flexmail.services import accounts
from tests.rogue import Peer, RogueServer
from tests.servers import Dovecot, Exim
from tests.story.office import PostOffice
from tests.story.serving import Browser, Gunicorn
from tests.story.test_gunicorn_ends import SlowLine, begin_a_long_run
from tests.story.waiting import wait_for

pytestmark = [pytest.mark.dovecot, pytest.mark.exim, pytest.mark.slow]

NewAddress = Callable[[], str]


@pytest.fixture
def office(exim: Exim, dovecot: Dovecot) -> PostOffice:
    return PostOffice(exim, dovecot)


@pytest.fixture
def four(office: PostOffice, tmp_path: Path, new_address: NewAddress) -> Iterator[Gunicorn]:
    """Four workers with approval on, and a first run behind them."""
    with Gunicorn(tmp_path, "-w", "4") as running:
        running.save(**office.settings(new_address()))
        running.wait_for_run(after=None, seconds=10)
        yield running


def owner_of(served: Gunicorn) -> int:
    owner = served.owner()
    assert owner in served.names()
    return int(str(owner).rpartition(":")[2])


def another_owns(served: Gunicorn, former: int) -> bool:
    return served.owner() in {name for name in served.names() if not name.endswith(f":{former}")}


class CountedLine(SlowLine):
    """Counts how many connections there are at a time."""

    def __init__(self, dovecot: Dovecot) -> None:
        super().__init__(dovecot)
        self.open = self.most = 0
        self._counting = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        with self._counting:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            with suppress(OSError):
                super().__call__(peer)
        finally:
            with self._counting:
                self.open -= 1


def run_again(served: Gunicorn, office: PostOffice, user: str) -> None:
    """Make a run due, and wait until it has emptied the folder."""
    wait_for(lambda: not served.lease_holder("replies"), seconds=15, what="a free folder")
    served.save(email_reply_process_interval=7)
    served.let_last_run_be(timedelta(days=1))
    wait_for(lambda: office.mails(user) == [], seconds=20, what="an empty folder")


def test_an_owner_that_sleeps_past_its_lease_is_followed_and_settles_nothing_when_it_wakes_up(
    four: Gunicorn, office: PostOffice, new_address: NewAddress
) -> None:
    approvals, slow = new_address(), SlowLine(office.dovecot)
    with RogueServer(slow) as line:
        mails = begin_a_long_run(four, office, line, approvals)
        owner = owner_of(four)
        os.kill(owner, signal.SIGSTOP)
        try:
            slow.every_seconds = 0.0
            wait_for(lambda: another_owns(four, owner), seconds=15, what="another owner")
            assert 30 <= four.settled() < mails
            run_again(four, office, approvals)
            assert four.settled() == mails
        finally:
            os.kill(owner, signal.SIGCONT)
        last = four.last_run_at()
        four.let_last_run_be(timedelta(days=1))
        four.save(email_reply_process_interval=8)
        four.wait_for_run(after=last, seconds=15)
        assert another_owns(four, owner)
        assert owner in four.workers()
    assert four.settled() == mails
    assert four.replies()["error"] == ""


def test_an_owner_that_is_asked_to_end_in_a_run_hands_over_and_loses_no_mail(
    four: Gunicorn, office: PostOffice, new_address: NewAddress
) -> None:
    approvals, slow = new_address(), SlowLine(office.dovecot)
    with RogueServer(slow) as line:
        mails = begin_a_long_run(four, office, line, approvals)
        owner = owner_of(four)
        os.kill(owner, signal.SIGTERM)
        wait_for(lambda: another_owns(four, owner), seconds=15, what="another owner")
        wait_for(lambda: owner not in four.workers(), seconds=25, what="its end")
        assert 30 <= four.settled() < mails
        assert len(office.mails(approvals)) == mails - four.settled()
        slow.every_seconds = 0.0
        run_again(four, office, approvals)
    assert four.settled() == mails
    wait_for(lambda: len(four.workers()) == 4, seconds=10, what="four workers again")


def test_one_run_at_a_time_reads_the_folder_whoever_asks(
    four: Gunicorn, office: PostOffice, new_address: NewAddress
) -> None:
    approvals, counted = new_address(), CountedLine(office.dovecot)
    with RogueServer(counted) as line:
        mails = begin_a_long_run(four, office, line, approvals)
        by_hand = flexmail(four, "replies", "process")
        assert by_hand.returncode == 1
        assert "Another run is reading the folder" in by_hand.stderr
        four.save(process_as_they_arrive=False, email_reply_process_interval=9)
        assert four.settled() < mails
        counted.every_seconds = 0.0
        run_again(four, office, approvals)
    assert counted.most == 1
    assert four.settled() == mails


def flexmail(served: Gunicorn, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flexmail", *command],
        env={"PATH": os.environ["PATH"], "FLEXMAIL_INSTANCE_PATH": str(served.instance)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_clients_that_wait_never_take_the_pages_away(four: Gunicorn) -> None:
    with four.rows():
        bob = accounts.add("bob@example.test", role="approver", now=datetime.now(UTC)).email
    asked = four.call("POST", "/approvals", {"title": "Deploy", "approvers": [bob]})
    path, clients, places = f"/approvals/{asked['id']}", 40, 4 * 2
    answered: list[Any] = []
    with ThreadPoolExecutor(clients) as pool:
        for _ in range(clients):
            pool.submit(lambda: answered.append(four.call("GET", f"{path}?wait=20")["status"]))
        wait_for(lambda: len(answered) >= clients - places, seconds=15, what="who finds no place")
        pages = [Browser(four.url).get("/login").status_code for _ in range(20)]
        assert len(answered) < clients
        four.call("POST", f"{path}/cancel")
    assert pages == [200] * 20
    assert answered[: clients - places] == ["pending"] * (clients - places)
    assert answered[-1] == "cancelled"
