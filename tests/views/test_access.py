"""Who gets what: every route, every role; every unsafe route, with and without its token."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from flask import Flask

from flexmail.services import sign_in, unsubscribing
from tests.conftest import Cast
from tests.views.filled import DISABLED, fill_database
from tests.views.visitor import Visitor

TO_LOGIN = 303
# method and route -> what an outsider, an approver and an admin get for an empty request
TABLE: dict[tuple[str, str], tuple[int, int, int]] = {
    ("GET", "/"): (TO_LOGIN, 303, 200),
    ("GET", "/healthz"): (200, 200, 200),
    ("GET", "/readyz"): (503, 503, 503),
    ("GET", "/login"): (200, 303, 303),
    ("POST", "/login"): (422, 422, 422),
    ("POST", "/logout"): (TO_LOGIN, 303, 303),
    ("GET", "/setup/<token>"): (409, 409, 409),
    ("POST", "/setup/<token>"): (409, 409, 409),
    ("GET", "/settings/email"): (TO_LOGIN, 403, 200),
    ("POST", "/settings/email"): (TO_LOGIN, 403, 422),
    ("POST", "/settings/email/check"): (TO_LOGIN, 403, 303),
    ("GET", "/settings/email/confirm-deletion"): (TO_LOGIN, 403, 200),
    ("POST", "/settings/email/confirm-deletion"): (TO_LOGIN, 403, 409),
    ("POST", "/settings/email/test"): (TO_LOGIN, 403, 422),
    ("GET", "/approvals"): (TO_LOGIN, 200, 200),
    ("GET", "/approvals/new"): (TO_LOGIN, 403, 200),
    ("POST", "/approvals/new"): (TO_LOGIN, 403, 422),
    ("GET", "/approvals/<row:approval_id>"): (TO_LOGIN, 200, 200),
    ("POST", "/approvals/<row:approval_id>"): (TO_LOGIN, 422, 422),
    ("POST", "/approvals/<row:approval_id>/cancel"): (TO_LOGIN, 403, 409),
    ("GET", "/replies"): (TO_LOGIN, 403, 200),
    ("GET", "/replies/<row:reply_id>"): (TO_LOGIN, 403, 200),
    ("GET", "/replies/explain"): (TO_LOGIN, 403, 200),
    ("POST", "/replies/explain"): (TO_LOGIN, 403, 422),
    ("POST", "/replies/<row:reply_id>/explain"): (TO_LOGIN, 403, 200),
    ("GET", "/replies/<row:reply_id>/download"): (TO_LOGIN, 403, 200),
    ("POST", "/replies/<row:reply_id>/reprocess"): (TO_LOGIN, 403, 409),
    ("POST", "/replies/<row:reply_id>/restore"): (TO_LOGIN, 403, 409),
    ("GET", "/outbox"): (TO_LOGIN, 403, 200),
    ("GET", "/outbox/<row:mail_id>"): (TO_LOGIN, 403, 200),
    ("POST", "/outbox/<row:mail_id>/cancel"): (TO_LOGIN, 403, 303),
    ("POST", "/outbox/<row:mail_id>/retry"): (TO_LOGIN, 403, 409),  # it is cancelled by then
    ("GET", "/callbacks"): (TO_LOGIN, 403, 200),
    ("POST", "/callbacks/<row:callback_id>/retry"): (TO_LOGIN, 403, 303),
    ("GET", "/subscriptions"): (TO_LOGIN, 403, 200),
    ("POST", "/subscriptions"): (TO_LOGIN, 403, 422),
    ("POST", "/subscriptions/<row:subscription_id>/remove"): (TO_LOGIN, 403, 303),
    ("GET", "/unsubscribe/<token>"): (404, 404, 404),
    ("POST", "/unsubscribe/<token>"): (404, 404, 404),
    ("GET", "/templates"): (TO_LOGIN, 403, 200),
    ("GET", "/templates/<type_name>"): (TO_LOGIN, 403, 200),
    ("POST", "/templates/<type_name>"): (TO_LOGIN, 403, 422),
    ("POST", "/templates/<type_name>/preview"): (TO_LOGIN, 403, 422),
    ("POST", "/templates/<type_name>/sample"): (TO_LOGIN, 403, 422),
    ("GET", "/templates/<type_name>/reset"): (TO_LOGIN, 403, 200),
    ("POST", "/templates/<type_name>/reset"): (TO_LOGIN, 403, 303),
    ("GET", "/users"): (TO_LOGIN, 403, 200),
    ("GET", "/users/new"): (TO_LOGIN, 403, 200),
    ("POST", "/users/new"): (TO_LOGIN, 403, 422),
    ("GET", "/users/<row:user_id>"): (TO_LOGIN, 403, 200),
    ("POST", "/users/<row:user_id>"): (TO_LOGIN, 403, 303),
    ("POST", "/users/<row:user_id>/password"): (TO_LOGIN, 403, 422),
    ("POST", "/users/<row:user_id>/disable"): (TO_LOGIN, 403, 303),
    ("POST", "/users/<row:user_id>/enable"): (TO_LOGIN, 403, 303),
    ("GET", "/audit"): (TO_LOGIN, 403, 200),
    ("POST", "/claim"): (TO_LOGIN, 403, 303),
    ("GET", "/account"): (TO_LOGIN, 200, 200),
    ("POST", "/account"): (TO_LOGIN, 422, 422),
    ("POST", "/account/notifications"): (TO_LOGIN, 422, 422),
    ("GET", "/static/<path:filename>"): (200, 200, 200),
    ("GET", "/api/docs"): (200, 200, 200),
    ("GET", "/api/openapi.json"): (200, 200, 200),
}
API = "/api/v1/"
PROVEN_BY_ADDRESS = {"/unsubscribe/<token>"}
"""Routes without a token against forgery: their address is the secret."""
SAMPLES = {
    "<token>": "wrong",
    "<row:approval_id>": "1",
    "<row:reply_id>": "1",
    "<row:mail_id>": "2",
    "<row:callback_id>": "1",
    "<row:subscription_id>": "1",
    "<row:user_id>": str(DISABLED),
    "<type_name>": "failed",
    "<path:filename>": "flexmail.css",
    "<int(max=9223372036854775807):approval_id>": "1",
}
OUTSIDER, APPROVER, ADMIN = 0, 1, 2


@pytest.fixture
def filled(app: Flask, cast: Cast) -> Flask:
    with app.app_context():
        fill_database()
    return app


def routes(app: Flask) -> list[tuple[str, str]]:
    """Return method and route of everything the application answers; signing out comes last."""
    found = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    return sorted(found, key=lambda route: (route[1] == "/logout", route))


def path_of(rule: str) -> str:
    for part, sample in SAMPLES.items():
        rule = rule.replace(part, sample)
    assert "<" not in rule, f"SAMPLES lacks a value for {rule}"
    return rule


def test_every_route_of_the_pages_has_a_row(app: Flask) -> None:
    assert {route for route in routes(app) if not route[1].startswith(API)} == TABLE.keys()


@pytest.mark.parametrize("role", [OUTSIDER, APPROVER, ADMIN], ids=["outsider", "approver", "admin"])
def test_everybody_gets_what_the_table_says(filled: Flask, cast: Cast, role: int) -> None:
    visitor = Visitor(filled, ("", cast.bob, cast.ada)[role])
    found = {}
    for method, rule in routes(filled):
        path = path_of(rule)
        answer = (
            visitor.get(path)
            if method == "GET"
            else visitor.client.open(path, method=method, data={"csrf_token": visitor.token()})
        )
        found[method, rule] = answer.status_code
        if role == OUTSIDER and TABLE.get((method, rule), (0,))[0] == TO_LOGIN:
            assert answer.headers["Location"].startswith("/login"), path
    wanted = {route: TABLE[route][role] if route in TABLE else 401 for route in found}
    assert found == wanted


def test_a_cookie_opens_nothing_of_the_api(filled: Flask, ada: Visitor) -> None:
    for method, rule in routes(filled):
        if rule.startswith(API):
            answer = ada.client.open(path_of(rule), method=method, json={})
            assert answer.status_code == 401, rule


def test_every_unsafe_page_wants_its_token(filled: Flask, ada: Visitor) -> None:
    before = contents(filled)
    tried = 0
    for method, rule in routes(filled):
        if method == "GET" or rule.startswith(API) or rule in PROVEN_BY_ADDRESS:
            continue
        for data in ({}, {"csrf_token": "made-up"}):
            answer = ada.client.open(path_of(rule), method=method, data=data)
            assert answer.status_code == 400, rule
            assert "reload the page" in answer.text
            tried += 1
    assert tried >= 30
    assert contents(filled) == before


def test_the_token_of_somebody_else_does_not_serve(ada: Visitor, charlie: Visitor) -> None:
    answer = ada.client.post("/logout", data={"csrf_token": charlie.token()})
    assert answer.status_code == 400
    assert ada.get("/account").status_code == 200


def test_get_changes_nothing_anywhere(filled: Flask, ada: Visitor, bob: Visitor) -> None:
    before = contents(filled)
    for method, rule in routes(filled):
        if method == "GET":
            ada.get(path_of(rule))
            bob.get(path_of(rule))
            ada.client.head(path_of(rule), buffered=True)
    assert contents(filled) == before


def test_the_set_up_link_changes_nothing_until_it_is_used(app: Flask, charlie: Visitor) -> None:
    with app.app_context():
        token = sign_in.setup_token()
    before = contents(app)
    charlie.get(f"/setup/{token}")
    assert contents(app) == before


def test_a_link_that_stops_mail_changes_nothing_until_it_is_posted_to(
    app: Flask, charlie: Visitor
) -> None:
    with app.app_context():
        link = unsubscribing._signer().dumps(["bob@corp.test", "failed"])
    before = contents(app)
    charlie.get(f"/unsubscribe/{link}")
    charlie.client.head(f"/unsubscribe/{link}", buffered=True)
    assert contents(app) == before
    charlie.client.post(f"/unsubscribe/{link}")
    assert contents(app) != before


def test_an_approver_sees_only_the_own_approvals(filled: Flask, cast: Cast, ada: Visitor) -> None:
    form = {"name": "", "role": "approver", "groups": ""}
    ada.post("/users/new", form | {"email": "eve@corp.test", "password": "quite long one"})
    eve = Visitor(filled)
    eve.email = "eve@corp.test"
    assert eve.sign_in("quite long one").status_code == 303
    assert "Deploy billing" not in eve.get("/approvals").text
    assert eve.get("/approvals/1").status_code == 404
    assert eve.post("/approvals/2", {"verdict": "approve"}).status_code == 404
    assert "Deploy billing" in ada.get("/approvals").text


def contents(app: Flask) -> list[str]:
    """Return every row of the database, written out."""
    with sqlite3.connect(Path(app.instance_path, "flexmail.db")) as connection:
        written = list(connection.iterdump())
    connection.close()
    return written
