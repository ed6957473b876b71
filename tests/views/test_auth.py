"""Signing in and out, and when a session ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from flask import Flask, request

from flexmail import create_app
from flexmail.services import accounts, sign_in
from flexmail.views.access import public
from tests.conftest import NOW, PASSWORD, Cast
from tests.views.visitor import Visitor

WRONG = "E-mail address or password is wrong."
NEW_PASSWORD = "another long password"


def test_signing_in_leads_to_the_status_page(ada: Visitor) -> None:
    assert "<h1>Status</h1>" in ada.get("/").text


def test_an_approver_is_led_to_the_approvals(bob: Visitor) -> None:
    assert bob.get("/").headers["Location"] == "/approvals"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@corp.test", "not her password"),
        ("ada@corp.test", ""),
        ("nobody@corp.test", PASSWORD),
        ("disabled@corp.test", PASSWORD),
        ("without@corp.test", ""),
        ("no address", PASSWORD),
        ("", ""),
    ],
)
def test_whatever_is_wrong_is_told_in_one_sentence(
    app: Flask, cast: Cast, charlie: Visitor, email: str, password: str
) -> None:
    with app.app_context():
        accounts.add("disabled@corp.test", role="admin", password=PASSWORD, now=NOW)
        accounts.set_active("disabled@corp.test", False)
        accounts.add("without@corp.test", role="admin", now=NOW)
    charlie.email = email
    answer = charlie.sign_in(password)
    assert answer.status_code == 422
    assert answer.text.count(WRONG) == 1
    assert charlie.get("/account").status_code == 303


def test_the_address_stays_typed_and_the_password_does_not(cast: Cast, charlie: Visitor) -> None:
    charlie.email = cast.ada
    page = charlie.sign_in("secret guess").text
    assert cast.ada in page
    assert "secret guess" not in page


def test_two_hundred_guesses_find_nothing_and_are_slowed_down(cast: Cast, charlie: Visitor) -> None:
    charlie.email = cast.ada
    token = charlie.token()
    answers = [
        charlie.client.post(
            "/login",
            data={"csrf_token": token, "email": cast.ada, "password": f"guess number {number}"},
        )
        for number in range(200)
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [422] * sign_in.MAX_FAILURES + [429] * (200 - sign_in.MAX_FAILURES)
    assert "Too many wrong passwords. Try again in" in answers[-1].text
    assert charlie.sign_in().status_code == 429


@pytest.mark.parametrize("target", ["/approvals/1", "/approvals?status=pending", "/outbox?a=b#c"])
def test_after_signing_in_one_is_where_one_wanted_to_be(
    cast: Cast, charlie: Visitor, target: str
) -> None:
    charlie.email = cast.ada
    assert charlie.sign_in(next=target).headers["Location"] == target


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "//evil.test/",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n//evil.test",
        "http:evil.test",
        "javascript:alert(1)",
        " //evil.test",
        "",
        "/" + "x" * 5000,
    ],
)
def test_signing_in_never_leads_elsewhere(cast: Cast, charlie: Visitor, target: str) -> None:
    charlie.email = cast.ada
    assert charlie.sign_in(next=target).headers["Location"] == "/"


def test_who_has_to_sign_in_first_comes_back_afterwards(cast: Cast, charlie: Visitor) -> None:
    to_login = charlie.get("/approvals?status=pending").headers["Location"]
    page = charlie.get(to_login).text
    assert 'name="next" value="/approvals?status=pending"' in page


def test_a_session_from_before_signing_in_is_not_kept(app: Flask, cast: Cast) -> None:
    visitor = Visitor(app)
    with visitor.client.session_transaction() as session:
        session["planted"] = "by somebody else"
    before = visitor.token()
    visitor.email = cast.ada
    visitor.sign_in()
    with visitor.client.session_transaction() as session:
        assert "planted" not in session
    assert visitor.client.post("/logout", data={"csrf_token": before}).status_code == 400


def test_signing_out_ends_the_sessions_on_all_devices(app: Flask, cast: Cast) -> None:
    here, there = Visitor(app, cast.ada), Visitor(app, cast.ada)
    stolen = here.client.get_cookie("flexmail_session")
    assert stolen is not None
    assert here.post("/logout").status_code == 303
    here.client.set_cookie("flexmail_session", stolen.value)
    assert here.get("/account").status_code == 303
    assert there.get("/account").status_code == 303


def test_the_button_says_that_it_ends_all_sessions(ada: Visitor) -> None:
    assert 'title="Ends every session of ada@corp.test' in ada.get("/").text


def test_a_session_ends_when_the_account_is_disabled(app: Flask, cast: Cast, bob: Visitor) -> None:
    with app.app_context():
        accounts.set_active(cast.bob, False)
        assert bob.get("/approvals").status_code == 303
        accounts.set_active(cast.bob, True)
    assert bob.get("/approvals").status_code == 303


def test_a_session_ends_when_the_password_is_set_by_an_admin(ada: Visitor, bob: Visitor) -> None:
    assert ada.post("/users/2/password", {"password": NEW_PASSWORD}).status_code == 303
    assert bob.get("/approvals").status_code == 303


def test_a_role_that_is_taken_away_counts_at_once(app: Flask, cast: Cast, ada: Visitor) -> None:
    with app.app_context():
        accounts.edit(cast.bob, role="admin")
        assert ada.get("/users").status_code == 200
        accounts.edit(cast.ada, role="approver")
    assert ada.get("/users").status_code == 403


def test_a_session_of_a_removed_account_is_over(app: Flask, ada: Visitor) -> None:
    with sqlite3.connect(Path(app.instance_path, "flexmail.db")) as connection:
        connection.execute("DELETE FROM users")
    connection.close()
    assert ada.get("/").status_code == 303


def test_changing_the_own_password_keeps_this_session_and_ends_the_others(
    app: Flask, cast: Cast, ada: Visitor
) -> None:
    elsewhere = Visitor(app, cast.ada)
    form = {
        "current_password": PASSWORD,
        "password": NEW_PASSWORD,
        "password_again": NEW_PASSWORD,
    }
    assert "Your password is changed" in ada.follow(ada.post("/account", form)).text
    assert elsewhere.get("/account").status_code == 303
    assert elsewhere.sign_in(PASSWORD).status_code == 422
    assert elsewhere.sign_in(NEW_PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"current_password": "wrong"}, "The current password is wrong."),
        ({"password_again": "something else"}, "The two new passwords differ."),
        ({"password": "short", "password_again": "short"}, "Give a password of 10 to"),
    ],
)
def test_a_password_is_not_changed_by_mistake(
    ada: Visitor, changed: dict[str, str], sentence: str
) -> None:
    form = {
        "current_password": PASSWORD,
        "password": NEW_PASSWORD,
        "password_again": NEW_PASSWORD,
    }
    answer = ada.post("/account", form | changed)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert NEW_PASSWORD not in answer.text
    assert ada.sign_in(NEW_PASSWORD).status_code == 422


def test_guessing_the_current_password_is_slowed_down_too(ada: Visitor) -> None:
    form = {"current_password": "wrong", "password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    statuses = [ada.post("/account", form).status_code for _ in range(12)]
    assert statuses == [422] * 10 + [429] * 2


def test_the_set_up_link_makes_the_first_admin_once(app: Flask, charlie: Visitor) -> None:
    with app.app_context():
        link = f"/setup/{sign_in.setup_token()}"
    # `charlie` brings the cast along, so there are accounts already.
    assert charlie.get(link).status_code == 409
    assert "This link has been used" in charlie.get(link).text


def test_the_first_admin_is_signed_in_and_led_to_the_settings(app: Flask) -> None:
    visitor = Visitor(app)
    with app.app_context():
        link = f"/setup/{sign_in.setup_token()}"
    assert "set-up link" in visitor.get("/login").text
    assert visitor.get(link).status_code == 200
    short = {"email": "ada@corp.test", "name": "Ada", "password": "short"}
    answer = visitor.post(link, short)
    assert answer.status_code == 422
    assert "Give a password of 10 to" in answer.text
    done = visitor.post(link, short | {"password": PASSWORD})
    assert done.headers["Location"] == "/settings/email"
    assert visitor.get("/settings/email").status_code == 200
    assert visitor.post(link, short | {"password": PASSWORD}).status_code == 409


def test_a_made_up_set_up_link_opens_nothing(app: Flask) -> None:
    assert Visitor(app).get("/setup/InNldCB1cCI.aaaa.bbbb").status_code == 409


@pytest.mark.parametrize(("proxies", "address"), [(0, "127.0.0.1"), (1, "198.51.100.7")])
def test_only_a_proxy_that_is_named_says_who_asks(proxies: int, address: str) -> None:
    app = create_app({"TESTING": True, "TRUSTED_PROXIES": proxies})
    app.add_url_rule("/who", "who", public(lambda: request.remote_addr or ""))
    answer = app.test_client().get("/who", headers={"X-Forwarded-For": "198.51.100.7"})
    assert answer.text == address
