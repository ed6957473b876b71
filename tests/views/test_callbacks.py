"""Callbacks on the pages: who was told, who was not, and telling them again."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.models import Callback
from flexmail.services import approvals, status
from tests.conftest import NOW, Cast
from tests.services import stage
from tests.views.settings_form import Shown
from tests.views.visitor import Visitor

URL = "https://ci.corp.test/hook?token=of-theirs"
ATTACK = "<script>alert(1)</script>"


@pytest.fixture
def failed(app: Flask, cast: Cast) -> int:
    """Have a callback that failed; return the number of its request."""
    with app.app_context():
        stage.set_up()
        request = stage.ask(now=NOW, callback_url=URL)
        approvals.cancel(request.approval_id, now=NOW)
        change(state="failed", attempts=23, answer=f"500 {ATTACK}")
        return request.approval_id


def change(**values: object) -> None:
    with transaction():
        for name, value in values.items():
            setattr(db.session.get_one(Callback, 1), name, value)


def test_a_dead_letter_shows_why_and_can_be_sent_again(
    app: Flask, failed: int, ada: Visitor
) -> None:
    page = ada.get("/callbacks?state=failed").text
    assert "23 tries: 500 &lt;script&gt;" in page
    assert URL in page
    (form,) = [one for one in Shown(page).page.forms if "retry" in (one.action or "")]
    assert "goes out again" in ada.follow(ada.post(str(form.action))).text
    assert "No callback is failed." in ada.get("/callbacks?state=failed").text
    with app.app_context():
        assert db.session.get_one(Callback, 1).state == "queued"


def test_one_that_is_being_sent_is_left_alone(app: Flask, failed: int, ada: Visitor) -> None:
    with app.app_context():
        change(state="sending")
    assert "/retry" not in ada.get("/callbacks").text
    answer = ada.post("/callbacks/1/retry")
    assert answer.status_code == 409
    assert "being sent right now" in answer.text


def test_a_state_that_is_none_is_refused(ada: Visitor) -> None:
    assert ada.get("/callbacks?state=lost").status_code == 422
    assert "No callback has been made yet." in ada.get("/callbacks").text


def test_the_request_shows_its_callback_to_admins_alone(
    failed: int, ada: Visitor, bob: Visitor
) -> None:
    page = ada.get(f"/approvals/{failed}").text
    assert URL in page
    assert 'action="/callbacks/1/retry"' in page
    assert "23 tries" in page
    assert "of-theirs" not in bob.get(f"/approvals/{failed}").text


def test_the_status_page_warns_of_dead_letters(app: Flask, failed: int, ada: Visitor) -> None:
    page = Shown(ada.get("/").text)
    assert any("1 callback(s) could not be delivered" in said for said in page.notices("warning"))
    with app.app_context():
        assert status.overview(now=NOW)["callbacks"]["failed"] == 1


def test_an_admin_asks_with_a_callback_and_hears_what_is_wrong_with_it(
    app: Flask, cast: Cast, ada: Visitor
) -> None:
    with app.app_context():
        stage.set_up()
    wanted: dict[str, str | list[str]] = {
        "title": "Deploy billing 4.2",
        "approvers": ["bob@corp.test"],
        "expires_in": "86400",
        "mail_decision": "allow",
    }
    refused = ada.post("/approvals/new", wanted | {"callback_url": "http://ci.corp.test/"})
    assert refused.status_code == 422
    assert "Give an https address" in refused.text
    made = ada.follow(ada.post("/approvals/new", wanted | {"callback_url": URL})).text
    assert URL in made
    assert "once the request is final" in made
