"""Every refusal is a problem as RFC 9457 has it, with the status that fits and fields by name."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from flexmail.db import db
from tests.api.conftest import ASKED, Program

JSON = {"Content-Type": "application/json"}


def problem_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = response.get_json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'title': 1}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"expires_in": NaN}',
        b'{"expires_in": Infinity}',
        b'{"context": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"expires_in": ' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "torn", "quotes", "bytes", "mark", "nan", "infinity", "deep", "long-number"],
)
def test_what_is_no_json_is_400(shared: Program, raw: bytes) -> None:
    problem_of(shared.post("/approvals", data=raw, headers=JSON), 400)


@pytest.mark.parametrize("depth", [101, 500, 900])
def test_json_that_is_nested_too_deep_is_400(shared: Program, depth: int) -> None:
    nested = json.loads("[" * depth + "]" * depth)
    problem_of(shared.post("/approvals", json=ASKED | {"context": {"a": nested}}), 400)


@pytest.mark.parametrize("value", ["[]", '"text"', "1", "null", "true"])
def test_json_that_is_no_object_is_422(shared: Program, value: str) -> None:
    body = problem_of(shared.post("/approvals", data=value, headers=JSON), 422)
    assert body["errors"] == {"": ["Send a JSON object."]}


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_another_media_type_is_415(shared: Program, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    problem_of(shared.post("/approvals", data=b"title=x", headers=headers), 415)


def test_a_body_over_the_limit_is_413(shared: Program) -> None:
    problem_of(shared.post("/approvals", data=b" " * 3_000_000, headers=JSON), 413)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": None}, "title"),
        ({"title": 7}, "title"),
        ({"title": ""}, "title"),
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"title": "a\x1b[31mb"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"details": "a\x07b"}, "details"),
        ({"details": ["text"]}, "details"),
        ({"approvers": "bob@corp.test"}, "approvers"),
        ({"approvers": []}, "approvers"),
        ({"approvers": [7]}, "approvers.0"),
        ({"approvers": ["charlie@evil.test"]}, "approvers"),
        ({"approvers": ["group:nobody"]}, "approvers"),
        ({"approvers": ["bob@corp.test\r\nBcc: charlie@evil.test"]}, "approvers"),
        ({"approvers": ["bob@corp.test\x00"]}, "approvers.0"),
        ({"expires_in": "60"}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": 1.5}, "expires_in"),
        ({"expires_in": 1}, "expires_in"),
        ({"expires_in": 10**30}, "expires_in"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"link": 7}, "link"),
        ({"context": []}, "context"),
        ({"context": {"a": "x" * 30_000}}, "context"),
        ({"context": {"a": {"b": ["\x00"]}}}, "context.a.b.0"),
        ({"context": {"\x00": 1}}, "context"),
        ({"comment_required": "yes"}, "comment_required"),
        ({"comment_required": 1}, "comment_required"),
        ({"mail_decision": "never"}, "mail_decision"),
        ({"submitter": "a\r\nb"}, "submitter"),
        ({"rule": "all"}, "rule"),
        ({"callback_url": "http://ci.corp.test"}, "callback_url"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: (
        None if isinstance(value, str) else str(value)[:40].encode("ascii", "replace")
    ),
)
def test_a_wrong_value_is_422_and_its_field_is_named(
    shared: Program, change: dict[str, Any], field: str
) -> None:
    body = problem_of(shared.post("/approvals", json=ASKED | change), 422)
    assert list(body["errors"]) == [field]
    assert shared.get("/approvals").get_json()["items"] == []
    assert shared.get("/outbox").get_json()["items"] == []


def test_what_is_missing_is_422_and_named(shared: Program) -> None:
    body = problem_of(shared.post("/approvals", json={}), 422)
    assert set(body["errors"]) == {"title", "approvers"}


def test_of_a_thousand_places_that_are_wrong_the_first_are_named(shared: Program) -> None:
    sent = json.dumps(ASKED | {"context": {"k" * 10_000: ["\x01"] * 1_000}})
    answer = shared.post("/approvals", data=sent, headers=JSON)
    errors = problem_of(answer, 422)["errors"]
    assert f"context.{'k' * 10_000}.0" in errors
    assert len(errors) == 20


def test_a_key_that_stands_twice_is_422(shared: Program) -> None:
    raw = b'{"title": "harmless", "title": "harmful", "approvers": ["bob@corp.test"]}'
    body = problem_of(shared.post("/approvals", data=raw, headers=JSON), 422)
    assert list(body["errors"]) == ["title"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/approvals?status=open", "status"),
        ("/approvals?status=pending&status=approved", "status"),
        ("/approvals?state=pending", "state"),
        ("/approvals?limit=0", "limit"),
        ("/approvals?limit=201", "limit"),
        ("/approvals?limit=x", "limit"),
        ("/approvals?cursor=x", "cursor"),
        ("/approvals?cursor=-1", "cursor"),
        ("/approvals?cursor=99999999999999999999", "cursor"),
        ("/approvals/1?wait=x", "wait"),
        ("/approvals/1?wait=-1", "wait"),
        ("/replies?outcome=lost", "outcome"),
        ("/outbox?state=%00", "state"),
    ],
)
def test_a_wrong_query_is_422_and_named(shared: Program, path: str, field: str) -> None:
    assert list(problem_of(shared.get(path), 422)["errors"]) == [field]


@pytest.mark.parametrize("key", ["", " " * 256, "x" * 256, "ä", "tab\there"])
def test_a_wrong_idempotency_key_is_422(shared: Program, key: str) -> None:
    response = shared.post("/approvals", json=ASKED, headers={"Idempotency-Key": key})
    assert list(problem_of(response, 422)["errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("path", ["/approvals/1", "/approvals/0", f"/approvals/{10**30}"])
def test_what_does_not_exist_is_404(shared: Program, path: str) -> None:
    problem_of(shared.get(path), 404)


@pytest.mark.parametrize("path", ["/api/", "/api/v1", "/api/v2/approvals", "/api/v1/users"])
def test_an_address_that_does_not_exist_is_404(shared: Program, path: str) -> None:
    problem_of(shared.client.get(path), 404)
    problem_of(shared.client.post(path, json={}), 404)


def test_another_method_is_405_and_the_right_ones_are_named(shared: Program) -> None:
    response = shared.call("DELETE", "/approvals/1")
    problem_of(response, 405)
    assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))


@pytest.mark.usefixtures("mail_is_set_up")
def test_a_busy_database_is_503_and_worth_another_try(app: Flask, program: Program) -> None:
    approval = program.post("/approvals", json=ASKED).get_json()
    with app.app_context():
        event.listen(db.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=1"))
        db.engine.dispose()
        path = db.engine.url.database
    assert path
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        response = program.post(f"/approvals/{approval['id']}/cancel")
        problem_of(response, 503)
        assert int(response.headers["Retry-After"]) > 0
    finally:
        holder.close()
    assert program.post(f"/approvals/{approval['id']}/cancel").status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_no_page_of_html_ever_answers_a_program(shared: Program) -> None:
    for path in ("/approvals/999", "/nowhere", "/approvals?limit=x"):
        assert "html" not in shared.get(path, headers={"Accept": "text/html"}).content_type
