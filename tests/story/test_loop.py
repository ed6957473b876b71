"""The whole loop with a real mail server: set up, ask, answer, decide, confirm, and once more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flexmail.db import Base, db
from flexmail.demo.mailserver import MailServer
from flexmail.services import approvals, delivery, inbox, reply_log, tokens
from tests.conftest import NOW, PASSWORD, Cast
from tests.story import pages, post

APPROVALS = "approvals@corp.test"
PASSWORDS = {
    "ada@corp.test": "ada's mail",
    "bob@corp.test": "bob's mail",
    "charlie@evil.test": "charlie's mail",
    APPROVALS: "the mail of flexmail",
}

LATER = datetime.now(UTC) + timedelta(hours=1)
SOON_AFTER = LATER + timedelta(minutes=1)
"""The pages and the API go by the clock; all that these tests call themselves happens then."""

Answer = Callable[[bytes, str, str], bytes]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer(PASSWORDS) as running:
        yield running


@pytest.fixture
def ada(client: FlaskClient, cast: Cast) -> FlaskClient:
    """Ada's browser, signed in."""
    pages.sign_in(client, cast.ada, PASSWORD)
    return client


@pytest.fixture
def settings(server: MailServer) -> pages.Values:
    """What Ada types into the settings page."""
    return {
        "smtp_host_name": server.host,
        "smtp_host_port": server.smtp_port,
        "smtp_user": APPROVALS,
        "smtp_password": PASSWORDS[APPROVALS],
        "smtp_from_address": f"Deployments <{APPROVALS}>",
        "enable_email_approval": True,
        "imap_host_name": server.host,
        "imap_host_port": server.imap_port,
        "tls_ca_certificates": server.ca_pem,
    }


def mails_of(server: MailServer, address: str) -> list[bytes]:
    return [raw for _, raw in server.mailbox(address)]


def ask(client: FlaskClient, approver: str, title: str = "Deploy billing 4.2") -> int:
    """Ask for an approval as a program does, with a token."""
    _, secret = tokens.create("pipeline", ["approvals"], now=NOW)
    answer = pages.sent(
        client,
        "/api/v1/approvals",
        json={"title": title, "approvers": [approver], "expires_in": 86400},
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 201, answer.text
    asked = json.loads(answer.text)
    assert asked["status"] == "pending"
    return int(asked["id"])


def everything() -> dict[str, list]:
    """Return all rows of all tables, but for the clocks of the jobs."""
    db.session.rollback()
    return {
        table.name: [tuple(row) for row in db.session.execute(select(table))]
        for table in Base.metadata.sorted_tables
        if table.name not in ("channels", "leases")
    }


def test_ada_tests_the_settings_before_she_saves_them(
    ada: FlaskClient, server: MailServer, settings: pages.Values, cast: Cast
) -> None:
    server.deliver(APPROVALS, b"From: x@corp.test\r\nSubject: waits\r\n\r\nhello\r\n")

    results = pages.tried_settings(ada, settings)

    assert results["smtp"]["ok"], results
    assert results["imap"]["ok"], results
    assert results["imap"]["waiting"] == 1
    assert [step["name"] for step in results["imap"]["steps"]] == [
        "resolve",
        "connect",
        "tls",
        "login",
        "folder",
    ]
    assert post.subjects(mails_of(server, cast.ada)) == ["flexmail test mail"]
    assert len(mails_of(server, APPROVALS)) == 1
    assert PASSWORDS[APPROVALS] not in pages.opened(ada, "/settings/email").text


@pytest.mark.parametrize(
    ("answer", "words", "status"),
    [
        (post.top_posted, "Approve ship it", "approved"),
        (post.top_posted, "Rejected: not on a Friday", "rejected"),
        (post.from_link, "Approve ship it", "approved"),
        (post.from_link, "Reject not on a Friday", "rejected"),
        (post.html_only, "Approved, ship it", "approved"),
        (post.html_only, "Reject - not on a Friday", "rejected"),
        (post.multipart, "APPROVE ship it", "approved"),
        (post.multipart, "reject not on a Friday", "rejected"),
    ],
)
def test_bobs_answer_decides_once_and_the_second_run_changes_nothing(
    context: Flask,
    ada: FlaskClient,
    server: MailServer,
    settings: pages.Values,
    cast: Cast,
    answer: Answer,
    words: str,
    status: str,
) -> None:
    pages.save_settings(ada, settings)
    assert inbox.process_replies(now=NOW).error == ""
    approval_id = ask(ada, cast.bob)

    assert delivery.deliver_due(now=LATER).sent == 1
    (question,) = mails_of(server, cast.bob)
    assert post.reference_in(question).startswith("FM-")
    server.deliver(APPROVALS, answer(question, cast.bob, words))
    report = inbox.process_replies(now=LATER)

    assert (report.error, report.looked_at, report.left) == ("", 1, 0)
    assert report.by_outcome == {status: 1}
    decided = approvals.get(approval_id)
    assert decided.status == status
    (decision,) = decided.decisions
    assert (decision.user.email, decision.channel) == (cast.bob, "email")
    assert LATER <= decision.at < SOON_AFTER
    assert decision.comment.lower() == words.partition(" ")[2].strip("- ").lower()

    assert delivery.deliver_due(now=SOON_AFTER).sent == 1
    confirmation = post.opened(mails_of(server, cast.bob)[1])
    assert confirmation["Subject"] == f"{status.title()}: Deploy billing 4.2 [FM #{approval_id}]"
    assert confirmation["Auto-Submitted"] == "auto-replied"
    assert mails_of(server, APPROVALS) == []
    _nothing_changes_any_more(server)


def _nothing_changes_any_more(server: MailServer) -> None:
    rows = everything()
    mails = {address: server.mailbox(address) for address in PASSWORDS}
    for moment in (SOON_AFTER, LATER + timedelta(minutes=5)):
        assert inbox.process_replies(now=moment).looked_at == 0
        assert delivery.deliver_due(now=moment).sent == 0
    assert everything() == rows
    assert {address: server.mailbox(address) for address in PASSWORDS} == mails


def test_the_same_answer_sent_twice_decides_once(
    context: Flask, ada: FlaskClient, server: MailServer, settings: pages.Values, cast: Cast
) -> None:
    pages.save_settings(ada, settings)
    approval_id = ask(ada, cast.bob)
    delivery.deliver_due(now=LATER)
    (question,) = mails_of(server, cast.bob)
    reply = post.top_posted(question, cast.bob, "Approve")
    server.deliver(APPROVALS, reply)
    server.deliver(APPROVALS, reply)
    server.deliver(APPROVALS, post.top_posted(question, cast.bob, "Reject"))

    report = inbox.process_replies(now=LATER)

    assert report.by_outcome == {"approved": 1, "duplicate": 1, "already_decided": 1}
    assert approvals.get(approval_id).status == "approved"
    assert len(approvals.get(approval_id).decisions) == 1
    assert mails_of(server, APPROVALS) == []


def test_charlie_who_got_hold_of_the_mail_changes_nothing(
    context: Flask, ada: FlaskClient, server: MailServer, settings: pages.Values, cast: Cast
) -> None:
    pages.save_settings(ada, settings)
    approval_id = ask(ada, cast.bob)
    delivery.deliver_due(now=LATER)
    (question,) = mails_of(server, cast.bob)
    for answer in (post.top_posted, post.from_link, post.html_only, post.multipart):
        server.deliver(APPROVALS, answer(question, cast.charlie, "Approve now"))

    report = inbox.process_replies(now=LATER)
    delivery.deliver_due(now=SOON_AFTER)

    assert report.by_outcome == {"wrong_sender": 4}
    assert approvals.get(approval_id).status == "pending"
    assert mails_of(server, cast.charlie) == []
    assert mails_of(server, APPROVALS) == []


def test_an_unclear_answer_is_explained_and_a_clear_one_decides_then(
    context: Flask, ada: FlaskClient, server: MailServer, settings: pages.Values, cast: Cast
) -> None:
    pages.save_settings(ada, settings)
    approval_id = ask(ada, cast.bob)
    delivery.deliver_due(now=LATER)
    (question,) = mails_of(server, cast.bob)
    server.deliver(APPROVALS, post.top_posted(question, cast.bob, "Approve? I am not sure"))
    assert inbox.process_replies(now=LATER).by_outcome == {"unclear": 1}
    assert approvals.get(approval_id).status == "pending"
    delivery.deliver_due(now=SOON_AFTER)
    assert "was not counted" in post.subjects(mails_of(server, cast.bob))[1]

    server.deliver(APPROVALS, post.top_posted(question, cast.bob, "Approve"))
    inbox.process_replies(now=LATER)

    assert approvals.get(approval_id).status == "approved"
    outcomes = [reply.outcome for reply in reply_log.listing().items]
    assert outcomes == ["approved", "unclear"]
