"""What goes wrong is told plainly, as a page or as JSON, and what was asked makes no 500."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import Cast
from tests.services.stage import locked_database
from tests.views.settings_form import PATH, Shown, typed
from tests.views.visitor import Visitor

CASES = {
    "/missing": (404, "There is no such page"),
    "/approvals/77": (404, "There is no such page"),
    "/replies/77": (404, "There is no such page"),
    "/logout": (405, "That does not work here"),
    "/approvals?cursor=abc": (422, "Something in it is not right"),
    "/approvals?cursor=-1": (422, "Something in it is not right"),
    "/approvals?cursor=" + "9" * 400: (422, "Something in it is not right"),
    "/approvals?status=open": (422, "Something in it is not right"),
    "/replies?outcome=lost": (422, "Something in it is not right"),
    "/outbox?state=lost": (422, "Something in it is not right"),
}


@pytest.mark.parametrize("path", CASES)
def test_each_error_has_a_page_with_a_sentence(ada: Visitor, path: str) -> None:
    status, title = CASES[path]
    answer = ada.get(path)
    assert answer.status_code == status
    page = Shown(answer.text)
    assert Shown.words(page.page.xpath("//h1")[0]) == title
    assert page.page.xpath("//main/p")
    assert "Sign out" in answer.text


@pytest.mark.parametrize("path", CASES)
def test_who_asks_for_json_gets_json(ada: Visitor, path: str) -> None:
    status, title = CASES[path]
    answer = ada.get(path, accept="application/json")
    assert answer.status_code == status
    problem = answer.get_json()
    assert (problem["status"], problem["title"]) == (status, title)
    assert problem["detail"]


def test_outsiders_and_approvers_get_plain_refusals_too(charlie: Visitor, bob: Visitor) -> None:
    assert charlie.get("/outbox", accept="application/json").status_code == 401
    assert bob.get("/outbox", accept="application/json").status_code == 403
    assert "This page is not for your role" in bob.get("/outbox").text


def test_what_is_too_large_is_refused(ada: Visitor) -> None:
    answer = ada.post(PATH, {"smtp_user": "x" * 3_000_000})
    assert answer.status_code == 413
    assert "Shorten it" in answer.text


def test_pages_take_forms_only(ada: Visitor) -> None:
    for body in ("[]", '{"email": [1]}', "null", "{"):
        answer = ada.client.post(
            "/login",
            data=body,
            content_type="application/json",
            headers={"X-CSRFToken": ada.token()},
        )
        assert answer.status_code == 415


@pytest.mark.parametrize(
    "query",
    [
        "status=pending&status=approved",
        "status[]=pending",
        "cursor=&cursor=1",
        "cursor=%00",
        "cursor=%EF%BC%91",
        "status=%FF%FE",
        "x=" + "y" * 5000,
        "&&&=&;",
    ],
)
def test_odd_parameters_break_nothing(ada: Visitor, query: str) -> None:
    for path in ("/approvals", "/replies", "/outbox", "/login", "/"):
        assert ada.get(f"{path}?{query}").status_code < 500


def test_odd_forms_break_nothing(ada: Visitor, cast: Cast) -> None:
    token = ada.token()
    odd = {
        "csrf_token": [token, "other"],
        "email": ["a\x00b@corp.test", cast.ada],
        "title": ["", ""],
        "name": "\ud800".encode("utf-8", "surrogatepass"),
        "verdict": ["approve", "reject"],
        "role": ["admin", "approver"],
        "password": "\x00" * 20,
        "smtp_host_name": ["\x00", "\r\n"],
        "approvers": ["\x00", "group:"],
        "next": ["//evil.test", "/"],
    }
    for path in (
        "/login",
        "/account",
        "/approvals/new",
        "/approvals/1",
        "/users/new",
        "/users/2",
        PATH,
    ):
        answer = ada.client.post(path, data=odd, follow_redirects=False)
        assert answer.status_code < 500, path


def test_a_locked_database_means_try_again(app: Flask, ada: Visitor) -> None:
    token = ada.token()
    with app.app_context(), locked_database(app):
        for path, form in {
            PATH: typed(),
            "/logout": {},
            "/users/new": {"email": "dora@corp.test", "role": "admin"},
        }.items():
            answer = ada.client.post(path, data=form | {"csrf_token": token})
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"]
            assert "Nothing was changed. Try again" in answer.text
        assert ada.get("/approvals").status_code == 200
    assert ada.get("/account").status_code == 200


def test_a_database_that_is_gone_means_503_and_no_more(app: Flask, ada: Visitor) -> None:
    from flexmail.db import db

    with app.app_context():
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE users RENAME TO lost")
        answer = ada.get("/approvals")
        assert answer.status_code == 503
        assert ada.client.get("/healthz").status_code == 200
