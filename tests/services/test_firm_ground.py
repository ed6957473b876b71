"""What changes under a run: settings, clocks, the words of who asks; none of it decides wrongly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.errors import OwnershipLost, Unreachable
from flexmail.mail.desk import Told
from flexmail.mail.html import visible_text
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reply import DEFAULT_WORDS, read
from flexmail.models import Channel
from flexmail.services import (
    approval_requests,
    approvals,
    channels,
    inbox,
    leases,
    status,
    understanding,
)
from flexmail.services import settings as stored_settings
from flexmail.services.apart import Apart
from flexmail.services.approval_requests import NewApproval
from flexmail.transport.imap import Fetched
from tests.conftest import NOW
from tests.services.stage import (
    APPROVALS,
    BOB,
    ask,
    asked,
    connect,
    fill_in,
    reply,
    set_up,
    text_of,
)

MINUTE = timedelta(minutes=1)


@pytest.mark.usefixtures("people")
def test_settings_that_change_under_a_run_end_it_undecided(
    context: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server)
    request = ask()
    server.deliver(APPROVALS, reply(request))

    real = understanding.told_of

    def change_meanwhile(desk: Apart, mail: Fetched) -> Told:
        stored_settings.save(
            fill_in(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
        )
        return real(desk, mail)

    with monkeypatch.context() as patch:
        patch.setattr(understanding, "told_of", change_meanwhile)
        report = inbox.process_replies(now=NOW, at_once=True)
    assert "settings were changed" in report.error
    assert approvals.get(request.approval_id).status == "pending"
    assert "canary" in inbox.process_replies(now=NOW + MINUTE, at_once=True).waits_for


@pytest.mark.parametrize("submitter", ["Approve", "approved: CI", "Yes"])
@pytest.mark.usefixtures("people")
def test_who_asks_cannot_put_a_deciding_word_first(context: Flask, submitter: str) -> None:
    set_up()
    wanted = NewApproval("Approve", (BOB,), details="Approve", submitter=submitter)
    raw = asked(approval_requests.request(wanted, now=NOW).id).raw
    for parsed in (
        Parsed(plain=text_of(raw)),
        Parsed(html=text_of(raw, "html")),
        Parsed(plain=visible_text(text_of(raw, "html"))),
    ):
        assert read(parsed, DEFAULT_WORDS).verdict is None


@pytest.mark.usefixtures("people")
def test_references_in_two_inline_texts_have_to_agree(context: Flask, server: MailServer) -> None:
    connect(server)
    first, second = ask(), ask(title="Deploy shop 2.4")
    body = (
        f"From: {BOB}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\nApprove\r\n\r\n> Reference: {first.reference}\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n> Reference: {second.reference}\r\n--b--\r\n"
    )
    server.deliver(APPROVALS, body.encode())
    assert inbox.process_replies(now=NOW).by_outcome == {"unknown_reference": 1}


def test_a_from_line_is_read_to_its_end() -> None:
    padding = "\r\n " * 6000
    raw = f"From: Bob <{BOB}>{padding}, Charlie <charlie@evil.test>\r\n\r\nApprove\r\n"
    assert parse(raw.encode()).author is None


def test_no_half_character_and_no_nul_is_text() -> None:
    raw = b"From: a@b.test\r\nContent-Type: text/plain; charset=utf-7\r\n\r\nApprove +2AA- x\0y\r\n"
    text = parse(raw).plain or ""
    assert "\ufffd" in text
    text.encode()


@pytest.mark.usefixtures("people")
def test_a_clock_that_was_ahead_blocks_nothing(context: Flask) -> None:
    set_up()
    ahead = NOW + timedelta(days=30)
    assert leases.acquire("jobs", "dead:1:0", now=ahead, seconds=9) == 1
    assert leases.acquire("jobs", "alive:2:0", now=NOW, seconds=9) == 2
    row = stored_settings.load()
    wrong = Channel(name="replies", error="", started_at=ahead)
    due = status.next_run_at(row, wrong, now=NOW)
    assert due == NOW
    channels.failed("replies", Unreachable("gone"), revision=row.revision, now=ahead)
    assert not channels.is_paused("replies", revision=row.revision, now=NOW)


@pytest.mark.usefixtures("people")
def test_a_lease_that_ran_out_commits_nothing_even_when_nobody_took_it(context: Flask) -> None:
    fence = leases.acquire("replies", "me:1:0", now=NOW, seconds=12)
    assert fence is not None
    leases.check("replies", fence, now=NOW + timedelta(seconds=11))
    with pytest.raises(OwnershipLost):
        leases.check("replies", fence, now=NOW + timedelta(seconds=13))
