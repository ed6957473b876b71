"""The watch over the reply folder, against a real IMAP server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.errors import Unreachable
from flexmail.services import channels, inbox, reply_log, settings, watching
from tests.conftest import NOW
from tests.rogue import Peer, RogueServer, imap_script
from tests.services.stage import APPROVALS, BOB, SECRET, connect, set_up

DEADLINE_SECONDS = 20
MAIL = f"From: {BOB}\r\nTo: {APPROVALS}\r\nSubject: Hello\r\n\r\nHello\r\n".encode()


def process(now: datetime) -> bool:
    return not inbox.process_replies(now=now).busy


def watched(app: Flask, until: Callable[[], bool]) -> threading.Thread:
    """Watch in a thread of its own until told to stop."""

    def work() -> None:
        with app.app_context():
            watching.watch(process, lambda: not until())

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def outcomes() -> int:
    return len(reply_log.listing().items)


@pytest.mark.usefixtures("cast")
def test_mail_is_processed_as_it_arrives(context: Flask, server: MailServer) -> None:
    connect(server, process_as_they_arrive=True)
    server.deliver(APPROVALS, MAIL)
    stop, first, second = threading.Event(), threading.Event(), threading.Event()

    def until() -> bool:
        found = outcomes()
        if found >= 1:
            first.set()
        if found >= 2:
            second.set()
        return stop.is_set()

    thread = watched(context, until)
    try:
        assert first.wait(DEADLINE_SECONDS), "what waited before the watch began"
        server.deliver(APPROVALS, MAIL.replace(b"Hello", b"Again"))
        assert second.wait(DEADLINE_SECONDS), "what arrived during it"
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()
    assert server.mailbox(APPROVALS) == []


@pytest.mark.usefixtures("cast")
def test_new_settings_end_the_watch(context: Flask, server: MailServer) -> None:
    connect(server, process_as_they_arrive=True)
    asked = threading.Event()

    def until() -> bool:
        asked.set()
        return False

    thread = watched(context, until)
    assert asked.wait(DEADLINE_SECONDS)
    connect(server, process_as_they_arrive=False)
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def refuse(_now: datetime) -> bool:
    pytest.fail("there was nothing to process")


@pytest.mark.usefixtures("cast")
def test_without_the_setting_nothing_is_opened(context: Flask, server: MailServer) -> None:
    connect(server, imap_host_port=1)
    watching.watch(refuse, lambda: True)
    assert channels.get(inbox.CHANNEL).error == ""


@pytest.mark.usefixtures("cast")
def test_a_server_that_is_away_is_noted_and_given_a_pause(
    context: Flask, server: MailServer
) -> None:
    connect(server, process_as_they_arrive=True, imap_host_port=1)
    watching.watch(refuse, lambda: True)
    now, revision = datetime.now(UTC), settings.load().revision
    assert channels.get(inbox.CHANNEL).failing_since is not None
    assert channels.is_paused(inbox.CHANNEL, revision=revision, now=now)
    connect(server, process_as_they_arrive=True, imap_host_port=1, keep_processed_days=7)
    assert not channels.is_paused(inbox.CHANNEL, revision=settings.load().revision, now=now)


EMPTY = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\nTAG OK open\r\n"


def watch_rogue(
    idle: Callable[[Peer, bytes], None] | bytes,
    *,
    until: Callable[[list[bytes]], bool],
    capability: bytes = b"IMAP4rev1 UIDPLUS IDLE",
    renew_seconds: float = 0.1,
) -> tuple[list[bytes], int]:
    """Watch a server that answers IDLE so; return what it heard, and how often the job ran."""
    heard: list[bytes] = []
    runs: list[datetime] = []
    script = imap_script({"IDLE": idle, "EXAMINE": EMPTY}, capability=capability, heard=heard)

    def run(now: datetime) -> bool:
        runs.append(now)
        return True

    with RogueServer(script) as rogue:
        connect_to(rogue)
        watching.watch(
            run,
            lambda: not (until(heard) or runs),
            renew_seconds=renew_seconds,
            step_seconds=0.5,
        )
    return heard, len(runs)


def connect_to(rogue: RogueServer) -> None:
    values = {"imap_host_name": rogue.host, "imap_host_port": rogue.port}
    set_up(**values, imap_user=APPROVALS, imap_password=SECRET, process_as_they_arrive=True)


def idle_until_done(peer: Peer, line: bytes) -> None:
    peer.send(b"+ idling\r\n")
    while peer.line() != b"DONE":
        pass
    peer.send(line.split()[0] + b" OK done\r\n")


def test_idle_is_renewed_long_before_a_router_forgets_the_connection(people: Flask) -> None:
    def twice(heard: list[bytes]) -> bool:
        return len([line for line in heard if line.endswith(b"IDLE")]) >= 3

    heard, runs = watch_rogue(idle_until_done, until=twice)
    commands = [line.split()[-1] for line in heard]
    first = commands.index(b"IDLE")
    assert commands[first : first + 5] == [b"IDLE", b"NOOP", b"IDLE", b"NOOP", b"IDLE"]
    assert runs == 0
    assert watching.RENEW_SECONDS < 4 * 60
    assert watching.REARM_SECONDS < 29 * 60


def silent_after_the_plus(peer: Peer, _line: bytes) -> None:
    peer.send(b"+ idling\r\n")
    peer.keep_silent()


def hang_up(peer: Peer, _line: bytes) -> None:
    peer.close()


@pytest.mark.parametrize(
    "idle",
    [silent_after_the_plus, hang_up, b"+ idling\r\n* BYE going down\r\n", b"TAG NO not now\r\n"],
    ids=["silent", "cut", "BYE", "NO"],
)
def test_a_watch_that_dies_reads_at_once_what_came_meanwhile(
    idle: Callable[[Peer, bytes], None] | bytes, people: Flask
) -> None:
    _, runs = watch_rogue(idle, until=lambda _: False)
    assert runs == 1
    assert channels.get(inbox.CHANNEL).failing_since is None  # the run would know


def test_a_server_without_idle_is_left_to_the_interval(people: Flask) -> None:
    asked: list[bool] = []

    def a_while(_heard: list[bytes]) -> bool:
        asked.append(True)
        return len(asked) > 2

    heard, runs = watch_rogue(b"TAG BAD what?\r\n", until=a_while, capability=b"IMAP4rev1 UIDPLUS")
    assert runs == 0
    assert not any(line.endswith(b"IDLE") for line in heard)


def test_a_server_that_is_back_is_read_so_that_everybody_knows(people: Flask) -> None:
    script = imap_script(
        {"IDLE": idle_until_done, "EXAMINE": EMPTY},
        capability=b"IMAP4rev1 UIDPLUS IDLE",
    )
    runs: list[datetime] = []
    with RogueServer(script) as rogue:
        connect_to(rogue)
        revision = settings.load().revision
        channels.failed(inbox.CHANNEL, Unreachable("Gone."), revision=revision, now=NOW)

        def run(now: datetime) -> bool:
            runs.append(now)
            return True

        watching.watch(run, lambda: not runs)
    assert len(runs) == 1
