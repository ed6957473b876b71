"""What every answer tells the browser, and what cookies look like."""

from __future__ import annotations

import re

from flask import Flask

from flexmail import create_app
from flexmail.views.headers import HEADERS, POLICY
from tests.conftest import PASSWORD, Cast
from tests.views.visitor import Visitor

ANSWERS = {
    "/": 200,
    "/login": 303,
    "/settings/email": 200,
    "/static/flexmail.css": 200,
    "/static/missing.css": 404,
    "/missing": 404,
    "/logout": 405,
    "/approvals?cursor=x": 422,
    "/templates": 200,
    "/templates/No": 404,
    "/healthz": 200,
    "/readyz": 503,
    "/api/v1/status": 401,
    "/api/missing": 404,
    "/api/docs": 200,
}


def test_every_answer_carries_the_headers(ada: Visitor) -> None:
    for path, status in ANSWERS.items():
        answer = ada.get(path)
        assert answer.status_code == status, path
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert "Strict-Transport-Security" not in answer.headers
        if not path.startswith("/static"):
            assert answer.headers["Cache-Control"] == "no-store", path


def test_the_policy_allows_nothing_unsafe_and_nothing_from_elsewhere() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_preview_of_a_mail_adds_a_nonce_for_styles_and_nothing_else(ada: Visitor) -> None:
    for path in ("/templates/failed", "/templates/own.type?edit=yes"):
        answer = ada.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert re.sub(r" 'nonce-[\w-]{22}'", "", policy, count=1) == POLICY
        assert policy != POLICY
        others = HEADERS | {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        assert {name: answer.headers.get(name) for name in others} == others


def test_a_failure_of_ours_carries_the_headers_too(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.view_functions["status.healthz"] = broken
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "spanner" not in answer.text


def broken() -> str:
    raise RuntimeError("a spanner in the works")


broken.__dict__["access"] = "public"


def test_behind_tls_browsers_are_told_to_stay_there(app: Flask) -> None:
    answer = app.test_client().get("/login", base_url="https://flexmail.test")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Secure" in answer.headers["Set-Cookie"]


def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites(app: Flask) -> None:
    cookie = app.test_client().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_an_https_base_url_makes_cookies_secure_behind_any_proxy() -> None:
    app = create_app({"TESTING": True, "BASE_URL": "https://flexmail.test"})
    assert "Secure" in app.test_client().get("/login").headers["Set-Cookie"]


def test_signing_in_works_behind_tls(app: Flask, cast: Cast) -> None:
    client = app.test_client()
    where = {"base_url": "https://flexmail.test"}
    page = client.get("/login", **where)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": cast.ada, "password": PASSWORD}
    assert client.post("/login", data=form, **where).status_code == 400
    referrer = {"Referer": "https://flexmail.test/login"}
    assert client.post("/login", data=form, headers=referrer, **where).status_code == 303


def test_a_static_file_with_its_digest_may_be_kept(app: Flask) -> None:
    visitor = Visitor(app)
    page = visitor.get("/login").text
    address = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    assert "immutable" in visitor.get(address).headers["Cache-Control"]
    assert "immutable" not in visitor.get("/static/flexmail.css").headers["Cache-Control"]


def test_addresses_begin_with_the_folder_that_flexmail_is_served_under(ada: Visitor) -> None:
    for root in ("", "/flexmail", ""):
        page = ada.client.get("/settings/email", environ_overrides={"SCRIPT_NAME": root}).text
        for address in ("/outbox", "/logout", "/settings/email/test", "/static/flexmail.css?v="):
            assert f'="{root}{address}' in page, root
