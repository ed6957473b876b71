"""Somebody at the pages: keeps cookies, and sends what a browser would send with a form."""

from __future__ import annotations

import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import PASSWORD

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
Data = dict[str, str | list[str]]


class Visitor:
    """Anonymous until `sign_in`."""

    def __init__(self, app: Flask, email: str = "") -> None:
        self.client: FlaskClient = app.test_client()
        self.email = email
        if email:
            answer = self.sign_in()
            assert answer.status_code == 303, answer.text

    def sign_in(self, password: str = PASSWORD, **more: str) -> TestResponse:
        return self.post("/login", {"email": self.email, "password": password, **more})

    def get(self, path: str, *, accept: str = "text/html") -> TestResponse:
        return self.client.get(path, headers={"Accept": accept}, buffered=True)

    def post(
        self, path: str, data: Data | dict[str, str] | None = None, *, accept: str = "text/html"
    ) -> TestResponse:
        """Send a form with the token that every page with a form carries."""
        filled = {"csrf_token": self.token(), **(data or {})}
        return self.client.post(path, data=filled, headers={"Accept": accept})

    def token(self) -> str:
        page = self.client.get("/account")
        if page.status_code != 200:
            page = self.client.get("/login")
        found = _TOKEN.search(page.text)
        assert found, page.text
        return unescape(found[1])

    def follow(self, answer: TestResponse) -> TestResponse:
        assert answer.status_code == 303, answer.text
        return self.client.get(answer.headers["Location"])
