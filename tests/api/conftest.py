"""A program with a token, whose every answer is compared with the description of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from werkzeug.test import TestResponse

from flexmail import create_app
from flexmail.db import db
from flexmail.forms import values_from
from flexmail.services import accounts, settings, tokens
from tests.conftest import NOW, Cast

ASKED = {"title": "Deploy shop 4.2", "approvers": ["bob@corp.test"]}


@dataclass
class Program:
    """Calls the API as a deployment script does."""

    client: FlaskClient
    headers: dict[str, str]
    spec: dict[str, Any]

    def token(self, *scopes: str) -> dict[str, str]:
        """Return the header of a new token with these scopes, or all."""
        with self.client.application.app_context():
            _, secret = tokens.create("ci", scopes or tokens.SCOPES, now=NOW)
        return {"Authorization": f"Bearer {secret}"}

    def get(self, path: str, **kw: Any) -> TestResponse:
        return self.call("GET", path, **kw)

    def post(self, path: str, **kw: Any) -> TestResponse:
        return self.call("POST", path, **kw)

    def put(self, path: str, **kw: Any) -> TestResponse:
        return self.call("PUT", path, **kw)

    def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **kw: Any
    ) -> TestResponse:
        given = {**self.headers, **(headers or {})}
        response = self.client.open(f"/api/v1{path}", method=method, headers=given, **kw)
        self._compare(method, path.partition("?")[0], response)
        return response

    def _compare(self, method: str, path: str, response: TestResponse) -> None:
        """Fail when the description does not know this answer, or another shape of it."""
        operation = self._operation(method.lower(), f"/api/v1{path}")
        if operation is None:
            assert response.status_code in (404, 405)
            return
        described = operation["responses"][str(response.status_code)]
        if "$ref" in described:
            described = self.spec["components"]["responses"][described["$ref"].rpartition("/")[2]]
        schema = described["content"][response.content_type]["schema"]
        whole = {**schema, "components": self.spec["components"]}
        Draft202012Validator(whole).validate(response.get_json())
        if response.status_code < 300 and "$ref" in schema:
            known = self.spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert set(response.get_json()) == set(known["properties"])

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        parts = path.split("/")
        for template, operations in self.spec["paths"].items():
            names = template.split("/")
            if len(names) == len(parts) and all(
                name == part or (name.startswith("{") and part.isdigit())
                for name, part in zip(names, parts, strict=True)
            ):
                found: dict[str, Any] | None = operations.get(method)
                return found
        return None


def new_program(app: Flask) -> Program:
    client = app.test_client()
    program = Program(client, {}, client.get("/api/openapi.json").get_json())
    program.headers = program.token()
    return program


def set_mail_up(app: Flask) -> None:
    """Give flexmail a mail server, so that approvals can be asked for; nobody sends."""
    given = {"smtp_host_name": "smtp.corp.test", "smtp_from_address": "flexmail@corp.test"}
    with app.app_context():
        settings.save(values_from(settings.stored_values(settings.load()), given))


@pytest.fixture
def program(app: Flask, cast: Cast) -> Program:
    """A program that may do everything; Ada and Bob have accounts."""
    return new_program(app)


@pytest.fixture
def mail_is_set_up(app: Flask) -> None:
    set_mail_up(app)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A program for a module's tests that change nothing; Bob has an account, mail is set up."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLEXMAIL_INSTANCE_PATH", str(tmp_path_factory.mktemp("instance")))
        app = create_app({"TESTING": True})
    with app.app_context():
        accounts.add("bob@corp.test", role="approver", now=NOW)
    set_mail_up(app)
    yield new_program(app)
    with app.app_context():
        db.engine.dispose()
