"""A person at the pages: opens them, fills in the form that is there, and sends it."""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import lxml.html
from flask import has_app_context

from flexmail.db import db

Values = dict[str, str | int | bool]


class Answer(Protocol):
    """What comes back: Flask's own answer, or one that came over the network."""

    @property
    def status_code(self) -> int: ...
    @property
    def text(self) -> str: ...


class Browser(Protocol):
    """Flask's test client, or `serving.Browser`."""

    def get(self, path: str, /) -> Any: ...
    def post(self, path: str, /, *, data: dict[str, str]) -> Any: ...


def opened(client: Browser, path: str) -> Answer:
    """Open a page."""
    return _apart(client.get, path)


def sent(client: Browser, path: str, **request: Any) -> Answer:
    """Send a request that changes something; arguments as the client takes them."""
    return _apart(client.post, path, **request)


def filled_in(client: Browser, path: str, values: Values) -> dict[str, str]:
    """Open a page and return what a browser would send of its form after typing `values`."""
    page = opened(client, path)
    assert page.status_code == 200, page.text
    wanted = next(iter(values))
    forms = [form for form in lxml.html.fromstring(page.text).forms if wanted in form.fields]
    assert len(forms) == 1, f"{path} has {len(forms)} forms with the field {wanted}"
    for name, value in values.items():
        if isinstance(value, bool):
            forms[0].inputs[name].checked = value  # type: ignore[union-attr]
        else:
            forms[0].fields[name] = str(value)
    return {name: str(value) for name, value in forms[0].form_values()}


def send_form(client: Browser, path: str, values: Values) -> Answer:
    """Fill in the form of a page and send it to the page itself."""
    return sent(client, path, data=filled_in(client, path, values))


def sign_in(client: Browser, email: str, password: str) -> None:
    answer = send_form(client, "/login", {"email": email, "password": password})
    assert answer.status_code in (302, 303), answer.text


def save_settings(client: Browser, values: Values) -> None:
    answer = send_form(client, "/settings/email", values)
    assert answer.status_code == 303, answer.text


def tried_settings(client: Browser, values: Values) -> dict[str, Any]:
    """Press "Test Email Configuration" with these values typed, and return the answer."""
    answer = sent(
        client,
        "/settings/email/test",
        data=filled_in(client, "/settings/email", values),
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    return dict(json.loads(answer.text))


def _apart(call: Callable[..., Answer], *args: Any, **request: Any) -> Answer:
    """Call outside of the test's own application context, whose `g` a request would share.

    The test's session begins afresh, so that it sees afterwards what the request changed.
    """
    answer = contextvars.Context().run(partial(call, *args, **request))
    if has_app_context():
        db.session.rollback()
    return answer
