"""The whole loop through Exim and Dovecot, as far as real servers go: encrypted, with logins."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flexmail.models import Approval
from flexmail.services import accounts, approval_requests, approvals, delivery, inbox, status
from flexmail.services.approval_requests import NewApproval
from flexmail.services.moments import iso
from tests.conftest import NOW, PASSWORD
from tests.servers import PASSWORD as MAIL_PASSWORD
from tests.servers import Dovecot, Exim
from tests.story import pages, post
from tests.story.office import Interruptible, PostOffice

pytestmark = [pytest.mark.dovecot, pytest.mark.exim]

LATER = NOW + timedelta(minutes=5)
NON_ASCII_FOLDER = "Antworten/Größe & 承認"
WAITING_MAIL = b"From: x@elsewhere.test\r\nSubject: private\r\n\r\nhello\r\n"

NewAddress = Callable[[], str]


@pytest.fixture
def office(exim: Exim, dovecot: Dovecot) -> PostOffice:
    return PostOffice(exim, dovecot)


@pytest.fixture
def ada(context: Flask, client: FlaskClient, new_address: NewAddress) -> FlaskClient:
    """Ada's browser, signed in; her address is one that the servers deliver to."""
    person = accounts.add(new_address(), role="admin", name="Ada", password=PASSWORD, now=NOW)
    pages.sign_in(client, person.email, PASSWORD)
    return client


@pytest.fixture
def bob(context: Flask, new_address: NewAddress) -> str:
    """Bob's account, at an address that the servers deliver to."""
    return accounts.add(new_address(), role="approver", name="Bob", now=NOW).email


def ask(bob: str, office: PostOffice) -> tuple[Approval, bytes]:
    """Ask Bob, and return the approval and the mail that he gets."""
    seen = len(office.mails(bob))
    wanted = NewApproval(title="Deploy billing 4.2", approvers=(bob,))
    approval = approval_requests.request(wanted, now=NOW)
    assert delivery.deliver_due(now=LATER).error == ""
    return approval, office.await_mails(bob, seen + 1)[-1]


@pytest.mark.parametrize(
    ("answer", "words", "outcome"),
    [
        (post.top_posted, "Approve ship it", "approved"),
        (post.from_link, "Reject not on a Friday", "rejected"),
        (post.multipart, "Approved", "approved"),
    ],
)
def test_an_answer_through_real_servers_decides_once(
    ada: FlaskClient,
    bob: str,
    office: PostOffice,
    new_address: NewAddress,
    answer: Callable[[bytes, str, str], bytes],
    words: str,
    outcome: str,
) -> None:
    flexmail = new_address()
    pages.save_settings(ada, office.settings(flexmail))
    approval, question = ask(bob, office)

    office.send(bob, flexmail, answer(question, bob, words))
    office.await_mails(flexmail, 1)
    report = inbox.process_replies(now=LATER)

    assert (report.error, report.by_outcome, report.left) == ("", {outcome: 1}, 0)
    assert approvals.get(approval.id).status == outcome
    assert office.mails(flexmail) == []
    assert delivery.deliver_due(now=LATER + timedelta(minutes=1)).sent == 1
    confirmation = post.opened(office.await_mails(bob, 2)[1])
    assert confirmation["Subject"].startswith(f"{outcome.title()}: Deploy billing 4.2")
    assert inbox.process_replies(now=LATER + timedelta(minutes=5)).looked_at == 0
    assert delivery.deliver_due(now=LATER + timedelta(minutes=5)).sent == 0
    assert status.overview(now=LATER)["warnings"] == []


def test_the_settings_page_tests_both_servers_and_the_way_between_them(
    ada: FlaskClient, office: PostOffice, bob: str, new_address: NewAddress
) -> None:
    flexmail = new_address()
    office.dovecot.deliver(flexmail, WAITING_MAIL)

    results = pages.tried_settings(ada, {**office.settings(flexmail), "round_trip": True})

    assert results["smtp"]["ok"], results
    assert results["imap"]["ok"], results
    assert results["imap"]["waiting"] == 1
    assert results["imap"]["steps"][-1]["name"] == "round_trip"
    assert len(office.mails(flexmail)) == 1


def test_mail_that_another_program_marked_deleted_stays(
    ada: FlaskClient, bob: str, office: PostOffice, new_address: NewAddress
) -> None:
    flexmail = new_address()
    pages.save_settings(ada, office.settings(flexmail))
    approval, question = ask(bob, office)
    office.dovecot.deliver(flexmail, WAITING_MAIL)
    with office.dovecot.client(flexmail) as other:
        other.select_folder("INBOX")
        other.delete_messages(other.search("ALL"), silent=True)
    office.send(bob, flexmail, post.top_posted(question, bob, "Approve"))
    office.await_mails(flexmail, 2)

    report = inbox.process_replies(now=LATER)

    assert report.by_outcome == {"approved": 1}
    assert approvals.get(approval.id).status == "approved"
    assert post.subjects(office.mails(flexmail)) == ["private"]
    with office.dovecot.client(flexmail) as other:
        other.select_folder("INBOX", readonly=True)
        (flags,) = other.get_flags(other.search("ALL")).values()
        assert b"\\Deleted" in flags


def test_a_reply_folder_may_have_a_name_beyond_ascii(
    ada: FlaskClient, bob: str, office: PostOffice, new_address: NewAddress
) -> None:
    flexmail = new_address()
    with office.dovecot.client(flexmail) as other:
        other.create_folder(NON_ASCII_FOLDER)
    pages.save_settings(ada, {**office.settings(flexmail), "email_reply_folder": NON_ASCII_FOLDER})
    approval, question = ask(bob, office)
    office.dovecot.deliver(flexmail, WAITING_MAIL)
    with office.dovecot.client(flexmail) as other:
        other.append(NON_ASCII_FOLDER, post.top_posted(question, bob, "Approve"))

    report = inbox.process_replies(now=LATER)

    assert (report.error, report.by_outcome) == ("", {"approved": 1})
    assert approvals.get(approval.id).status == "approved"
    assert office.mails(flexmail, NON_ASCII_FOLDER) == []
    assert post.subjects(office.mails(flexmail)) == ["private"]


def test_a_folder_that_does_not_exist_is_an_error_and_no_other_is_touched(
    ada: FlaskClient, office: PostOffice, new_address: NewAddress
) -> None:
    flexmail = new_address()
    pages.save_settings(ada, {**office.settings(flexmail), "email_reply_folder": "Gone"})
    office.dovecot.deliver(flexmail, WAITING_MAIL)

    report = inbox.process_replies(now=LATER)

    assert "Gone" in report.error
    assert "INBOX" in report.error
    assert post.subjects(office.mails(flexmail)) == ["private"]


def test_a_wrong_password_shows_in_the_status_and_the_run_after_the_mend_takes_the_backlog(
    ada: FlaskClient, bob: str, office: PostOffice, new_address: NewAddress
) -> None:
    flexmail = new_address()
    pages.save_settings(ada, office.settings(flexmail))
    approval, question = ask(bob, office)
    pages.save_settings(ada, {"imap_password": "wrong by one letter"})
    office.dovecot.deliver(flexmail, post.top_posted(question, bob, "Approve"))

    inbox.process_replies(now=LATER)
    told = status.overview(now=LATER)["reply_processing"]

    assert told["failing_since"] == iso(LATER)
    assert "password" in told["error"].lower()
    assert "wrong by one letter" not in str(told)
    assert told["error"] in html.unescape(pages.opened(ada, "/").text)
    assert approvals.get(approval.id).status == "pending"
    assert len(office.mails(flexmail)) == 1

    pages.save_settings(ada, {"imap_password": MAIL_PASSWORD})
    next_run = LATER + timedelta(minutes=5)
    report = inbox.process_replies(now=next_run)

    assert (report.error, report.by_outcome) == ("", {"approved": 1})
    told = status.overview(now=next_run)["reply_processing"]
    assert (told["failing_since"], told["error"]) == (None, "")
    assert office.mails(flexmail) == []


@pytest.fixture
def shaky(exim: Exim) -> Iterator[tuple[PostOffice, Interruptible]]:
    """Servers of one's own, of which Dovecot can be stopped."""
    with Interruptible() as dovecot, Exim(dovecot) as own_exim:
        yield PostOffice(own_exim, dovecot), dovecot


def test_nothing_is_lost_while_the_imap_server_is_down(
    ada: FlaskClient, bob: str, shaky: tuple[PostOffice, Interruptible], new_address: NewAddress
) -> None:
    office, dovecot = shaky
    flexmail = new_address()
    pages.save_settings(ada, office.settings(flexmail))
    first, first_question = ask(bob, office)
    second, second_question = ask(bob, office)
    office.send(bob, flexmail, post.top_posted(first_question, bob, "Approve"))
    office.await_mails(flexmail, 1)

    with dovecot.down():
        office.send(bob, flexmail, post.top_posted(second_question, bob, "Reject"))
        report = inbox.process_replies(now=LATER)
        told = status.overview(now=LATER)["reply_processing"]
    assert report.looked_at == 0
    assert "refused" in told["error"]
    assert told["failing_since"] == iso(LATER)
    assert {approvals.get(asked.id).status for asked in (first, second)} == {"pending"}

    office.await_mails(flexmail, 2, seconds=30)
    report = inbox.process_replies(now=LATER + timedelta(minutes=5))
    assert (report.error, report.by_outcome) == ("", {"approved": 1, "rejected": 1})
    assert approvals.get(first.id).status == "approved"
    assert approvals.get(second.id).status == "rejected"
    assert office.mails(flexmail) == []
