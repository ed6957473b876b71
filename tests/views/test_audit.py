"""The page of the audit log, and the button that claims a database."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.models import AUDIT_ACTIONS
from flexmail.services import accounts
from tests.conftest import Cast
from tests.services.test_audit import entries
from tests.services.test_installation import claim_elsewhere
from tests.views.visitor import Visitor

ATTACK = "<script>alert(1)</script>"


def test_who_acts_on_a_page_is_named(app: Flask, ada: Visitor, cast: Cast) -> None:
    answer = ada.post("/users/new", {"email": "new@corp.test", "role": "approver"})
    assert answer.status_code == 303
    with app.app_context():
        entry = entries()[-1]
        assert (entry.actor, entry.channel) == (cast.ada, "web")
        assert (entry.action, entry.subject) == ("account_added", "account new@corp.test")


def test_signing_in_is_recorded_and_checking_a_password_is_not(
    app: Flask, ada: Visitor, cast: Cast
) -> None:
    ada.post("/account", {"current_password": "correct horse battery"})
    with app.app_context():
        (entry,) = entries("signed_in")
        assert (entry.actor, entry.channel) == (cast.ada, "web")
        assert entry.proof == {"remote_address": "127.0.0.1"}


def test_the_log_is_shown_in_pages_and_by_action(app: Flask, ada: Visitor) -> None:
    with app.app_context():
        for number in range(60):
            accounts.edit("bob@corp.test", name=f"Bob {number}")
    page = ada.get("/audit").text
    assert "Bob 59" in page
    assert "Older" in page
    assert "signed in" in page
    chosen = ada.get("/audit?action=account_added").text
    assert "account bob@corp.test" in chosen
    assert "Bob 59" not in chosen
    assert "Nothing of that kind" in ada.get("/audit?action=keys_rotated").text


@pytest.mark.parametrize("query", ["action=other", "cursor=x"])
def test_what_does_not_exist_is_refused(query: str, ada: Visitor) -> None:
    assert ada.get(f"/audit?{query}").status_code == 422


def test_nothing_in_the_log_runs(app: Flask, ada: Visitor) -> None:
    with app.app_context():
        accounts.edit("bob@corp.test", name=ATTACK)
    page = ada.get("/audit").text
    assert ATTACK not in page
    assert "&lt;script&gt;" in page


def test_every_action_can_be_chosen(ada: Visitor) -> None:
    page = ada.get("/audit").text
    assert all(f'value="{action}"' in page for action in AUDIT_ACTIONS)


def test_a_database_of_another_flexmail_is_claimed_with_a_button(
    app: Flask, ada: Visitor, cast: Cast
) -> None:
    assert "Claim the database" not in ada.get("/").text
    with app.app_context():
        claim_elsewhere()
    assert "belongs to another flexmail" in ada.get("/").text
    assert ada.get("/readyz").get_json()["installation"] == "elsewhere"
    page = ada.follow(ada.post("/claim"))
    assert "The database is claimed" in page.text
    assert "Claim the database" not in page.text
    assert ada.get("/readyz").get_json()["installation"] == "ok"
    with app.app_context():
        entry = entries()[-1]
        assert (entry.action, entry.actor) == ("installation_claimed", cast.ada)
