"""Undo on a real server: back into the folder, taken by the next run, decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import lxml.html
import pytest
from flask import Flask
from flask.testing import FlaskClient

from flexmail.services import (
    accounts,
    approval_requests,
    approvals,
    delivery,
    inbox,
    kept_mail,
    reply_log,
)
from flexmail.services.approval_requests import NewApproval
from tests.conftest import NOW, PASSWORD
from tests.servers import Dovecot, Exim
from tests.story import pages, post
from tests.story.office import PostOffice

pytestmark = [pytest.mark.dovecot, pytest.mark.exim]

NewAddress = Callable[[], str]
LATER = NOW + timedelta(minutes=5)
AFTER = NOW + timedelta(minutes=10)


@pytest.fixture
def office(exim: Exim, dovecot: Dovecot) -> PostOffice:
    return PostOffice(exim, dovecot)


def test_a_mail_that_ada_puts_back_is_decided_by_the_next_run(
    context: Flask, client: FlaskClient, office: PostOffice, new_address: NewAddress
) -> None:
    ada, bob, flexmail = new_address(), new_address(), new_address()
    accounts.add(ada, role="admin", password=PASSWORD, now=NOW)
    accounts.add(bob, role="approver", now=NOW)
    pages.sign_in(client, ada, PASSWORD)
    pages.save_settings(client, office.settings(flexmail))
    approval = approval_requests.request(NewApproval(title="Deploy", approvers=(bob,)), now=NOW)
    delivery.deliver_due(now=NOW)
    (question,) = office.await_mails(bob, 1)
    accounts.set_active(bob, False)
    office.dovecot.deliver(flexmail, post.multipart(question, bob, "Approve ship it"))
    report = inbox.process_replies(now=LATER)
    assert report.by_outcome == {"not_an_approver": 1}
    (reply_id,) = report.reply_ids
    raw = kept_mail.raw_of(reply_log.get(reply_id))
    assert office.mails(flexmail) == []

    accounts.set_active(bob, True)
    page = lxml.html.fromstring(pages.opened(client, f"/replies/{reply_id}").text)
    (form,) = [form for form in page.forms if str(form.action).endswith("/restore")]
    assert pages.sent(client, str(form.action), data=dict(form.form_values())).status_code == 303
    assert office.mails(flexmail) == [raw]
    with office.dovecot.client(flexmail) as other:
        other.select_folder("INBOX", readonly=True)
        (found,) = other.fetch(other.search("ALL"), ["FLAGS", "INTERNALDATE"]).values()
    assert set(found[b"FLAGS"]) <= {b"\\Recent"}
    assert found[b"INTERNALDATE"].astimezone() == LATER

    report = inbox.process_replies(now=AFTER)
    assert (report.error, report.by_outcome) == ("", {"approved": 1})
    assert approvals.get(approval.id).status == "approved"
    assert office.mails(flexmail) == []
    assert inbox.process_replies(now=AFTER + timedelta(minutes=5)).looked_at == 0
