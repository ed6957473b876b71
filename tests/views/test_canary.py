"""What the pages say of the canary, and the button that asks for another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.models import Canary
from flexmail.services import settings, trust
from tests.views.settings_form import PATH, Shown, typed
from tests.views.visitor import Visitor

MODE = {
    "enable_email_approval": "y",
    "imap_host_name": "imap.corp.test",
    "reply_trust": "authenticated_sender",
    "trusted_authserv_id": "mx.corp.test",
}
CHECK = "/settings/email/check"


@pytest.fixture
def saved(ada: Visitor) -> Shown:
    """The page that comes after the mode was saved."""
    return Shown(ada.follow(ada.post(PATH, typed(**MODE))).text)


def found_out(app: Flask, state: str, reason: str) -> None:
    """Write down what a canary found out."""
    now = datetime.now(UTC)
    with app.app_context(), transaction():
        target = trust.target(settings.load())
        db.session.add(
            Canary(
                target_digest=target,
                message_id="<x@y.test>",
                state=state,
                reason=reason,
                created_at=now,
                settled_at=now,
            )
        )


def test_a_save_says_that_replies_wait_and_where_things_stand(ada: Visitor, saved: Shown) -> None:
    (warning,) = saved.notices("warning")
    assert "canary" in warning
    assert "The canary: waiting." in saved.beside("reply_trust")
    assert Shown(ada.get("/").text).notices("warning") == [warning]


@pytest.mark.usefixtures("saved")
def test_a_refusal_is_told_and_counts_as_not_ready(app: Flask, ada: Visitor) -> None:
    found_out(app, "refused", "It came through.")
    page = Shown(ada.get("/").text)
    assert page.notices("bad") == ["It came through."]
    assert "The canary: refused. It came through." in Shown(ada.get(PATH).text).beside(
        "reply_trust"
    )
    assert ada.get("/readyz").get_json()["replies"] == "failing"


@pytest.mark.usefixtures("saved")
def test_a_pass_is_shown_and_no_notice_stands_in_the_way(app: Flask, ada: Visitor) -> None:
    found_out(app, "passed", "It was removed.")
    page = Shown(ada.get("/").text)
    assert page.notices("bad") == page.notices("warning") == []
    assert "passed" in page.text
    assert ada.get("/readyz").get_json()["replies"] == "ok"


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize("state", ["refused", "passed"])
def test_the_button_asks_for_another(state: str, app: Flask, ada: Visitor) -> None:
    found_out(app, state, "So it is.")
    forms = [form for form in Shown(ada.get("/").text).page.forms if form.action == CHECK]
    assert len(forms) == 1
    page = Shown(ada.follow(ada.post(CHECK)).text)
    assert page.notices("good") == ["A new canary is sent. Replies wait until it has passed."]
    with app.app_context():
        assert db.session.scalar(select(Canary)) is None


def test_where_no_proof_is_asked_for_there_is_nothing_to_check(ada: Visitor) -> None:
    assert CHECK not in ada.get("/").text
    page = Shown(ada.follow(ada.post(CHECK)).text)
    assert "nothing to check" in " ".join(page.notices("warning"))
