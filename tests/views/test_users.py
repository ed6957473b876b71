"""Accounts on the page."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.services import accounts
from tests.conftest import PASSWORD, Cast
from tests.views.settings_form import Shown
from tests.views.visitor import Visitor

NEW = {
    "email": "Dora@CORP.test",
    "name": "Dora",
    "role": "approver",
    "groups": "ops, Release",
    "password": PASSWORD,
}


def test_a_new_account_can_sign_in(ada: Visitor, charlie: Visitor) -> None:
    page = ada.follow(ada.post("/users/new", NEW)).text
    assert "Dora@corp.test has an account." in page
    assert "ops, release" in page
    charlie.email = "Dora@corp.test"
    assert charlie.sign_in().status_code == 303


def test_an_account_without_a_password_cannot_sign_in(ada: Visitor) -> None:
    assert "no password" in ada.follow(ada.post("/users/new", NEW | {"password": ""})).text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", ""),
        ("name", "x" * 121),
        ("role", "king"),
        ("groups", "not a group!"),
        ("password", "short"),
    ],
)
def test_an_account_that_cannot_be_is_told_beside_the_field(
    ada: Visitor, field: str, value: str
) -> None:
    answer = ada.post("/users/new", NEW | {field: value})
    assert answer.status_code == 422
    page = Shown(answer.text)
    assert page.errors() == {field}
    assert page.value("password") == ""
    assert PASSWORD not in answer.text


def test_an_address_has_one_account(ada: Visitor, cast: Cast) -> None:
    answer = ada.post("/users/new", NEW | {"email": cast.bob})
    assert answer.status_code == 409
    assert "already" in Shown(answer.text).error("email")


def test_name_role_and_groups_can_be_changed(ada: Visitor, bob: Visitor) -> None:
    page = Shown(ada.get("/users/2").text)
    assert (page.value("name"), page.value("role"), page.value("groups")) == ("Bob", "approver", "")
    answer = ada.post("/users/2", {"name": "Robert", "role": "admin", "groups": "ops,ops"})
    assert "bob@corp.test is changed." in ada.follow(answer).text
    assert bob.get("/users").status_code == 200
    assert Shown(ada.get("/users/2").text).value("groups") == "ops"


def test_a_change_that_cannot_be_keeps_what_was_typed(ada: Visitor, bob: Visitor) -> None:
    answer = ada.post("/users/2", {"name": "Robert", "role": "approver", "groups": "!"})
    assert answer.status_code == 422
    assert Shown(answer.text).value("name") == "Robert"
    assert Shown(answer.text).errors() == {"groups"}


def test_somebody_disabled_is_out_at_once_and_comes_back_when_enabled(
    ada: Visitor, bob: Visitor
) -> None:
    assert "disabled" in ada.follow(ada.post("/users/2/disable")).text
    assert bob.get("/approvals").status_code == 303
    assert bob.sign_in().status_code == 422
    ada.post("/users/2/enable")
    assert bob.sign_in().status_code == 303


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/users/1/disable", {}),
        ("/users/1", {"role": "approver", "name": "", "groups": ""}),
    ],
)
def test_the_last_admin_stays(
    app: Flask, ada: Visitor, cast: Cast, path: str, data: dict[str, str]
) -> None:
    answer = ada.post(path, data)
    assert answer.status_code == 409
    assert "last active admin" in answer.text
    with app.app_context():
        user = accounts.get(cast.ada)
        assert (user.active, user.role) == (True, "admin")


def test_a_short_password_is_not_set_for_somebody_else(ada: Visitor, bob: Visitor) -> None:
    answer = ada.post("/users/2/password", {"password": "short"})
    assert answer.status_code == 422
    assert Shown(answer.text).errors() == {"password"}
    assert bob.get("/approvals").status_code == 200


def test_an_account_that_does_not_exist_is_not_found(ada: Visitor) -> None:
    for path in ("/users/99", "/users/99999999999999999999", "/users/-1", "/users/bob"):
        assert ada.get(path).status_code == 404
    assert ada.post("/users/99", NEW).status_code == 404
