"""Approvals on the page: ask, decide once, cancel."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.db import transaction
from flexmail.services import accounts, approvals, bounces
from tests.conftest import NOW, Cast
from tests.services import stage
from tests.services.reports import delivery_report
from tests.views.settings_form import Shown
from tests.views.visitor import Visitor

WANTED: dict[str, str | list[str]] = {
    "title": "Deploy billing 4.2",
    "details": "Two migrations, ten minutes.",
    "link": "https://ci.corp.test/builds/42",
    "approvers": ["bob@corp.test"],
    "expires_in": "86400",
    "mail_decision": "allow",
}


@pytest.fixture
def set_up(app: Flask, cast: Cast) -> None:
    """Give flexmail settings, without which no request can be mailed."""
    with app.app_context():
        stage.set_up()


@pytest.fixture
def asked(app: Flask, set_up: None) -> int:
    """Have Bob asked; return the number of the request."""
    with app.app_context():
        return stage.ask(expires_in=300 * 24 * 3600).approval_id


def test_an_admin_asks_and_the_approver_finds_it(set_up: None, ada: Visitor, bob: Visitor) -> None:
    answer = ada.post("/approvals/new", WANTED)
    page = ada.follow(answer).text
    assert "The request is made" in page
    assert "Asked by</dt><dd>ada@corp.test" in page
    assert 'href="https://ci.corp.test/builds/42" rel="noopener noreferrer"' in page
    assert "Deploy billing 4.2" in bob.get("/approvals").text
    assert "Two migrations, ten minutes." in bob.get(answer.headers["Location"]).text


def test_a_group_can_be_asked(app: Flask, set_up: None, ada: Visitor, bob: Visitor) -> None:
    with app.app_context():
        accounts.edit(stage.BOB, groups=["ops"])
    assert 'value="group:ops"' in ada.get("/approvals/new").text
    answer = ada.post("/approvals/new", WANTED | {"approvers": ["group:ops"]})
    assert "group:ops" in ada.follow(answer).text
    assert bob.post("/approvals/1", {"verdict": "approve"}).status_code == 303


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 201),
        ("title", "two\nlines"),
        ("link", "javascript:alert(1)"),
        ("link", "not a link"),
        ("approvers", []),
        ("approvers", ["nobody@corp.test"]),
        ("approvers", ["group:nobody"]),
        ("details", "x" * 20_001),
        ("details", "bell \x07"),
        ("expires_in", "soon"),
        ("expires_in", "1"),
        ("mail_decision", "maybe"),
    ],
)
def test_a_request_that_cannot_be_is_told_beside_the_field(
    set_up: None, ada: Visitor, field: str, value: str | list[str]
) -> None:
    answer = ada.post("/approvals/new", WANTED | {field: value})
    assert answer.status_code == 422
    page = Shown(answer.text)
    assert page.page.get_element_by_id(f"{field}-error").text_content()
    if field != "approvers":
        assert page.page.xpath("//input[@value='bob@corp.test']/@checked")


def test_without_settings_nobody_can_be_asked(ada: Visitor, bob: Visitor) -> None:
    answer = ada.post("/approvals/new", WANTED)
    assert answer.status_code == 409
    assert "E-mail is not set up yet" in answer.text
    assert "Deploy billing 4.2" in answer.text


@pytest.mark.parametrize(("verdict", "status"), [("approve", "approved"), ("reject", "rejected")])
def test_the_button_decides(
    app: Flask, asked: int, bob: Visitor, verdict: str, status: str
) -> None:
    answer = bob.post(f"/approvals/{asked}", {"verdict": verdict, "comment": "After lunch."})
    page = bob.follow(answer).text
    assert f"the request is {status}" in page
    assert "After lunch." in page
    with app.app_context():
        approval = approvals.get(asked)
        assert approval.status == status
        assert [decision.channel for decision in approval.decisions] == ["web"]


def test_a_second_decision_changes_nothing_and_is_told(
    app: Flask, asked: int, bob: Visitor
) -> None:
    bob.post(f"/approvals/{asked}", {"verdict": "approve"})
    answer = bob.post(f"/approvals/{asked}", {"verdict": "reject"})
    assert answer.status_code == 409
    assert "The request was approved already." in answer.text
    with app.app_context():
        assert approvals.get(asked).status == "approved"


@pytest.mark.parametrize("verdict", ["", "maybe", "APPROVE"])
def test_no_other_verdict_decides(app: Flask, asked: int, bob: Visitor, verdict: str) -> None:
    answer = bob.post(f"/approvals/{asked}", {"verdict": verdict, "comment": "my words"})
    assert answer.status_code == 422
    assert "Press Approve or Reject." in answer.text
    assert "my words" in answer.text
    with app.app_context():
        assert approvals.get(asked).status == "pending"


@pytest.mark.parametrize("comment", ["x" * 10_001, "bell \x07"])
def test_a_comment_that_cannot_be_kept_is_told_beside_it(
    asked: int, bob: Visitor, comment: str
) -> None:
    answer = bob.post(f"/approvals/{asked}", {"verdict": "approve", "comment": comment})
    assert answer.status_code == 422
    assert Shown(answer.text).error("comment")


def test_a_comment_that_is_required_is_asked_for_beside_it(
    app: Flask, set_up: None, bob: Visitor
) -> None:
    with app.app_context():
        number = stage.ask(comment_required=True, expires_in=300 * 24 * 3600).approval_id
    answer = bob.post(f"/approvals/{number}", {"verdict": "reject", "comment": "  "})
    assert answer.status_code == 422
    assert "A comment is required" in Shown(answer.text).error("comment")
    answer = bob.post(f"/approvals/{number}", {"verdict": "reject", "comment": "Not today."})
    assert answer.status_code == 303


def test_an_admin_decides_nothing_that_is_addressed_to_somebody_else(
    app: Flask, asked: int, ada: Visitor
) -> None:
    assert "Your decision" not in ada.get(f"/approvals/{asked}").text
    answer = ada.post(f"/approvals/{asked}", {"verdict": "approve"})
    assert answer.status_code == 409
    assert "may not decide" in answer.text
    with app.app_context():
        assert approvals.get(asked).status == "pending"


def test_what_expired_cannot_be_decided_even_before_it_is_marked(
    app: Flask, set_up: None, bob: Visitor
) -> None:
    with app.app_context():
        number = stage.ask(now=NOW.replace(year=2020)).approval_id
    page = bob.get(f"/approvals/{number}").text
    assert "expired" in page
    assert "Your decision" not in page
    assert bob.post(f"/approvals/{number}", {"verdict": "approve"}).status_code == 409


def test_an_admin_cancels_and_nobody_decides_after_that(
    asked: int, ada: Visitor, bob: Visitor
) -> None:
    page = ada.follow(ada.post(f"/approvals/{asked}/cancel")).text
    assert "The request is cancelled." in page
    answer = bob.post(f"/approvals/{asked}", {"verdict": "approve"})
    assert answer.status_code == 409
    assert "The request was cancelled." in answer.text
    assert ada.post(f"/approvals/{asked}/cancel").status_code == 409


def test_the_list_is_filtered_and_comes_in_pages(app: Flask, asked: int, ada: Visitor) -> None:
    with app.app_context():
        for number in range(60):
            stage.ask(title=f"Request no {number:02}", expires_in=300 * 24 * 3600)
    first = ada.get("/approvals?status=pending").text
    assert "Request no 59" in first
    assert "Deploy billing 4.2" not in first
    older = Shown(first).page.xpath("//a[@rel='next']/@href")[0]
    assert "status=pending" in older
    second = ada.get(older).text
    assert "Deploy billing 4.2" in second
    assert "Newest" in second
    assert "No request is rejected." in ada.get("/approvals?status=rejected").text


def test_the_page_says_how_each_mail_fares(app: Flask, asked: int, ada: Visitor) -> None:
    assert "is tried" in ada.get(f"/approvals/{asked}").text
    with app.app_context():
        request = stage.asked(asked)
        with transaction():
            (mail,) = bounces.deliveries(asked)
            mail.state, mail.sent_at, mail.answer = "sent", NOW, "250 2.0.0 queued"
    page = ada.get(f"/approvals/{asked}").text
    assert "250 2.0.0 queued" in page
    assert "could not be delivered" not in page
    with app.app_context():
        stage.hand_in(delivery_report(request.message_id, diagnostic="smtp; 550 <b>no</b>"))
    page = ada.get(f"/approvals/{asked}").text
    assert "The mail could not be delivered: 5.1.1 &lt;b&gt;no&lt;/b&gt;" in page
    assert "came back" in page


def test_an_approver_sees_it_too_and_only_on_the_own_requests(
    app: Flask, asked: int, ada: Visitor, bob: Visitor
) -> None:
    with app.app_context():
        others = stage.ask("ada@corp.test").approval_id
    assert "<h2>Mail</h2>" in bob.get(f"/approvals/{asked}").text
    assert bob.get(f"/approvals/{others}").status_code == 404
