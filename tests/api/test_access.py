"""Which key opens which call: every operation × every scope, and nothing else opens any."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flexmail.services import tokens
from flexmail.services.tokens import SCOPES
from tests.api.conftest import Program
from tests.conftest import NOW, PASSWORD

OPERATIONS = {
    ("POST", "/approvals"): "approvals",
    ("GET", "/approvals"): "approvals",
    ("GET", "/approvals/1"): "approvals",
    ("POST", "/approvals/1/cancel"): "approvals",
    ("GET", "/replies"): "mail",
    ("GET", "/outbox"): "mail",
    ("GET", "/callbacks"): "mail",
    ("POST", "/events"): "events",
    ("GET", "/status"): "status",
    ("GET", "/settings/email"): "settings",
    ("PUT", "/settings/email"): "settings",
    ("POST", "/settings/email/test"): "settings",
}


def test_this_table_and_the_description_and_the_routes_name_the_same_calls(
    shared: Program,
) -> None:
    described = {
        (method.upper(), path.removeprefix("/api/v1").replace("{approval_id}", "1")): operation[
            "security"
        ][0]["token"]
        for path, operations in shared.spec["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    }
    assert described == {call: [scope] for call, scope in OPERATIONS.items()}
    routed = {
        (method, rule.rule.removeprefix("/api/v1").replace("<row:approval_id>", "1"))
        for rule in shared.client.application.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule.startswith("/api/v1") and method not in ("HEAD", "OPTIONS")
    }
    assert routed == set(OPERATIONS)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_opens_its_calls_and_no_other(shared: Program, scope: str) -> None:
    headers = shared.token(scope)
    for (method, path), needed in OPERATIONS.items():
        response = shared.call(method, path, headers=headers)
        if needed == scope:
            assert response.status_code not in (401, 403), (method, path)
        else:
            assert response.status_code == 403, (method, path)
            assert f'scope="{needed}"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("call", OPERATIONS, ids=" ".join)
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Bearer flexmail_wrong", "Basic YWRhOmFkYQ=="],
)
def test_without_a_good_token_nothing_opens(
    shared: Program, call: tuple[str, str], authorization: str
) -> None:
    response = shared.call(*call, headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_revoked_token_opens_nothing_from_that_moment(app: Flask, program: Program) -> None:
    assert program.get("/status").status_code == 200
    with app.app_context():
        (token,) = tokens.everything()
        tokens.revoke(token.id, now=NOW)
    assert program.get("/status").status_code == 401


def test_a_session_cookie_opens_nothing_here(client: FlaskClient, program: Program) -> None:
    with client.session_transaction() as session:
        session["_user_id"] = "1:1"
        session["_fresh"] = True
    assert client.get("/").status_code == 200
    ada = Program(client, {}, program.spec)
    for call in OPERATIONS:
        assert ada.call(*call).status_code == 401


def test_a_token_is_no_password_of_a_page(client: FlaskClient, program: Program) -> None:
    response = client.get("/", headers=program.headers)
    assert response.status_code == 303
    assert PASSWORD not in response.text


def test_no_answer_names_the_token(program: Program) -> None:
    secret = program.headers["Authorization"].split()[1]
    assert secret not in program.get("/status").text
    assert (
        "wrong-secret"
        not in program.get("/status", headers={"Authorization": "Bearer wrong-secret"}).text
    )
