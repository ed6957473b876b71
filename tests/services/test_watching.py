"""The watch over the reply folder, against a real IMAP server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.services import channels, inbox, reply_log, settings, watching
from tests.services.stage import APPROVALS, BOB, connect

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
