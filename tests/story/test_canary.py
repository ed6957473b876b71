"""Trust in a real mail server: Exim that guards its name, and Exim that lets anybody use it."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flexmail import jobs
from flexmail.db import db
from flexmail.demo.mailserver import MailServer
from flexmail.models import Approval
from flexmail.services import accounts, approval_requests, approvals, delivery, inbox, status
from flexmail.services.approval_requests import NewApproval
from tests.conftest import NOW, PASSWORD
from tests.fixtures_servers import EMBEDDED_USERS
from tests.servers import PASSWORD as MAIL_PASSWORD
from tests.servers import Dovecot, Exim
from tests.services import stage
from tests.story import pages, post
from tests.story.office import PostOffice
from tests.story.waiting import wait_for

MODE: pages.Values = {
    "reply_trust": "authenticated_sender",
    "trusted_authserv_id": "mx.example.test",
}
FORGED = b"Authentication-Results: mx.example.test; dmarc=pass header.from=example.test\r\n"
MINUTE = timedelta(minutes=1)

NewAddress = Callable[[], str]


@pytest.fixture(scope="module")
def guarded(exim: Exim, dovecot: Dovecot) -> Iterator[Exim]:
    with Exim(dovecot, guarded=True) as server:
        yield server


@pytest.fixture
def ada(context: Flask, client: FlaskClient, new_address: NewAddress) -> FlaskClient:
    person = accounts.add(new_address(), role="admin", name="Ada", password=PASSWORD, now=NOW)
    pages.sign_in(client, person.email, PASSWORD)
    return client


@pytest.fixture
def bob(context: Flask, new_address: NewAddress) -> str:
    return accounts.add(new_address(), role="approver", name="Bob", now=NOW).email


def ask(bob: str, office: PostOffice) -> tuple[Approval, bytes]:
    seen = len(office.mails(bob))
    wanted = NewApproval(title="Deploy billing 4.2", approvers=(bob,))
    approval = approval_requests.request(wanted, now=NOW)
    assert delivery.deliver_due(now=NOW).error == ""
    return approval, office.await_mails(bob, seen + 1)[-1]


def trust() -> dict[str, str]:
    return dict(status.overview(now=NOW)["reply_processing"]["trust"])


@pytest.mark.dovecot
@pytest.mark.exim
def test_a_server_that_removes_forged_headers_is_believed_and_only_it(
    ada: FlaskClient, bob: str, guarded: Exim, dovecot: Dovecot, new_address: NewAddress
) -> None:
    office, flexmail, charlie = PostOffice(guarded, dovecot), new_address(), new_address()
    pages.save_settings(ada, {**office.settings(flexmail), **MODE})
    stage.own_folder()
    first, first_question = ask(bob, office)
    second, second_question = ask(bob, office)
    office.send(bob, flexmail, post.top_posted(first_question, bob, "Approve"))
    office.send(charlie, flexmail, FORGED + post.top_posted(second_question, bob, "Approve"))
    office.await_mails(flexmail, 2)
    waiting = inbox.process_replies(now=NOW)
    assert (waiting.error, waiting.looked_at, waiting.left) == ("", 0, 2)
    assert "canary" in waiting.waits_for

    assert delivery.deliver_due(now=NOW).sent == 1
    office.await_mails(flexmail, 3)
    report = inbox.process_replies(now=NOW + MINUTE)

    assert (report.error, report.waits_for) == ("", "")
    assert report.by_outcome == {"approved": 1, "unauthenticated": 1}
    assert approvals.get(first.id).status == "approved"
    assert approvals.get(second.id).status == "pending"
    assert office.mails(flexmail) == []
    assert trust()["state"] == "passed"


@pytest.mark.dovecot
@pytest.mark.exim
def test_a_server_that_lets_forged_headers_through_is_refused_until_somebody_mends_it(
    ada: FlaskClient,
    bob: str,
    exim: Exim,
    guarded: Exim,
    dovecot: Dovecot,
    new_address: NewAddress,
) -> None:
    office, flexmail, charlie = PostOffice(exim, dovecot), new_address(), new_address()
    pages.save_settings(ada, {**office.settings(flexmail), **MODE})
    stage.own_folder()
    assert "canary" in html.unescape(pages.opened(ada, "/").text)
    approval, question = ask(bob, office)
    office.send(charlie, flexmail, FORGED + post.top_posted(question, bob, "Approve"))
    office.await_mails(flexmail, 1)
    inbox.process_replies(now=NOW)
    assert delivery.deliver_due(now=NOW).sent == 1
    office.await_mails(flexmail, 2)

    refused = inbox.process_replies(now=NOW + MINUTE)

    assert (refused.error, refused.looked_at, refused.left) == ("", 0, 1)
    assert trust() == {"state": "refused", "reason": refused.waits_for}
    assert refused.waits_for in html.unescape(pages.opened(ada, "/").text)
    assert approvals.get(approval.id).status == "pending"
    assert post.subjects(office.mails(flexmail)) == [f"Re: {post.opened(question)['Subject']}"]

    pages.save_settings(ada, {"smtp_host_port": guarded.smtp_port, "smtp_password": MAIL_PASSWORD})
    inbox.process_replies(now=NOW + 2 * MINUTE)
    assert delivery.deliver_due(now=NOW + 2 * MINUTE).sent == 1
    office.await_mails(flexmail, 2)
    report = inbox.process_replies(now=NOW + 3 * MINUTE)
    assert report.waits_for == ""
    assert trust()["state"] == "passed"


@pytest.mark.slow
def test_the_jobs_find_out_within_seconds_of_the_save_whatever_the_interval(
    context: Flask, ada: FlaskClient, embedded: MailServer
) -> None:
    owner = jobs.JobOwner(context)
    owner.start()
    try:
        pages.save_settings(
            ada,
            {
                **MODE,
                "smtp_host_name": embedded.host,
                "smtp_host_port": embedded.smtp_port,
                "smtp_user": EMBEDDED_USERS[0],
                "smtp_password": MAIL_PASSWORD,
                "smtp_from_address": EMBEDDED_USERS[0],
                "enable_email_approval": True,
                "imap_host_name": embedded.host,
                "imap_host_port": embedded.imap_port,
                "tls_ca_certificates": embedded.ca_pem,
                "email_reply_process_interval": 1440,
            },
        )

        def found_out() -> bool:
            db.session.rollback()
            return trust()["state"] == "refused"

        wait_for(found_out, seconds=40, what="the canary is found")
    finally:
        owner.stop()
    assert embedded.mailbox(EMBEDDED_USERS[0]) == []
