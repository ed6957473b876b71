"""Accounts from the command line."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.services import accounts, sign_in
from tests.cli.conftest import Flexmail
from tests.conftest import NOW, PASSWORD, Cast


def signs_in(app: Flask, email: str, password: str) -> bool:
    with app.app_context():
        return sign_in.sign_in(email, password, remote_address="", now=NOW).email == email


def test_a_password_comes_through_stdin(app: Flask, flexmail: Flexmail) -> None:
    said = flexmail(
        *("users", "add", "Dora@Corp.TEST", "--role", "approver", "--name", "Dora"),
        *("--group", "ops", "--group", "db", "--password-stdin"),
        stdin=f"{PASSWORD}\nsomething else\n",
    )
    assert (said.code, said.err) == (0, "")
    assert PASSWORD not in said.out
    assert signs_in(app, "Dora@corp.test", PASSWORD)
    (dora,) = flexmail("users", "list", "--json").json["items"]
    assert dora.pop("created_at").endswith("Z")
    assert dora == {
        "email": "Dora@corp.test",
        "name": "Dora",
        "role": "approver",
        "groups": ["db", "ops"],
        "active": True,
        "password": "set",
    }


def test_without_a_terminal_the_account_gets_no_password_and_it_says_so(
    flexmail: Flexmail,
) -> None:
    said = flexmail("users", "add", "dora@corp.test", "--role", "admin")
    assert said.code == 0
    assert "no password" in said.err
    assert flexmail("users", "list", "--json").json["items"][0]["password"] == "not set"


def test_at_a_terminal_the_password_is_typed_twice(
    app: Flask, flexmail: Flexmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def typed(prompt: str, **_: object) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("click.termui.hidden_prompt_func", typed)
    said = flexmail("users", "add", "dora@corp.test", "--role", "admin", terminal=True)
    assert said.code == 0
    assert len(asked) == 2
    assert signs_in(app, "dora@corp.test", PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 1000])
def test_a_bad_password_makes_no_account(flexmail: Flexmail, password: str) -> None:
    args = ("users", "add", "dora@corp.test", "--role", "admin", "--password-stdin")
    assert flexmail(*args, stdin=password).code == 2
    assert flexmail("users", "list", "--json").json == {"items": [], "next_cursor": None}


def test_an_address_has_one_account(flexmail: Flexmail, cast: Cast) -> None:
    said = flexmail("users", "add", "bob@CORP.test", "--role", "admin")
    assert said.code == 1


def test_what_is_not_given_stays(flexmail: Flexmail, cast: Cast) -> None:
    flexmail("users", "edit", cast.bob, "--group", "ops")
    said = flexmail("users", "edit", cast.bob, "--name", "Robert", "--json")
    assert (said.json["name"], said.json["groups"]) == ("Robert", ["ops"])
    assert said.json["role"] == "approver"
    assert flexmail("users", "edit", cast.bob, "--no-groups", "--json").json["groups"] == []


def test_disabling_and_enabling_work_at_once(flexmail: Flexmail, cast: Cast) -> None:
    assert flexmail("users", "disable", cast.bob, "--json").json["active"] is False
    assert flexmail("users", "enable", cast.bob, "--json").json["active"] is True


def test_the_last_admin_cannot_be_lost(flexmail: Flexmail, cast: Cast) -> None:
    assert flexmail("users", "disable", cast.ada).code == 1
    assert flexmail("users", "edit", cast.ada, "--role", "approver").code == 1


def test_a_new_password_ends_the_sessions(app: Flask, flexmail: Flexmail, cast: Cast) -> None:
    with app.app_context():
        before = accounts.get(cast.bob).session_version
    said = flexmail("users", "password", cast.bob, "--password-stdin", stdin="another long one\n")
    assert said.code == 0
    assert signs_in(app, cast.bob, "another long one")
    with app.app_context():
        assert accounts.get(cast.bob).session_version > before


def test_the_list_is_a_table_for_people(flexmail: Flexmail, cast: Cast) -> None:
    flexmail("users", "disable", cast.bob)
    lines = flexmail("users", "list").out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:3] == [cast.ada, "admin", "active"]
    assert lines[2].split()[:3] == [cast.bob, "approver", "disabled"]
