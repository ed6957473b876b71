"""What programs see of callbacks."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.db import db
from flexmail.models import ApiToken
from flexmail.services import webhook_secrets
from tests.api.conftest import ASKED, Program

URL = "https://ci.corp.test/hook"

pytestmark = pytest.mark.usefixtures("mail_is_set_up")


def test_an_approval_tells_where_its_callback_goes_and_how_it_fares(program: Program) -> None:
    asked = program.post("/approvals", json=ASKED | {"callback_url": URL}).get_json()
    assert (asked["callback_url"], asked["callback"]) == (URL, None)
    closed = program.post(f"/approvals/{asked['id']}/cancel").get_json()
    assert (closed["callback"]["state"], closed["callback"]["attempts"]) == ("queued", 0)
    page = program.get("/callbacks?state=queued").get_json()
    (listed,) = page["items"]
    assert listed == closed["callback"] | {
        "id": 1,
        "approval_id": asked["id"],
        "url": URL,
        "created_at": closed["decided_at"],
    }
    assert program.get("/callbacks?state=failed").get_json()["items"] == []
    assert program.get("/status").get_json()["callbacks"]["queued"] == 1


def test_no_answer_shows_the_secret_that_signs(app: Flask, program: Program) -> None:
    asked = program.post("/approvals", json=ASKED | {"callback_url": URL}).get_json()
    program.post(f"/approvals/{asked['id']}/cancel")
    with app.app_context():
        (token,) = db.session.query(ApiToken).all()
        secret = webhook_secrets.of(token.id).removeprefix("whsec_")
    for path in (f"/approvals/{asked['id']}", "/approvals", "/callbacks", "/status"):
        assert secret not in program.get(path).text


def test_an_address_that_is_not_called_is_refused_by_its_field(program: Program) -> None:
    answer = program.post("/approvals", json=ASKED | {"callback_url": "https://10.0.0.1/"})
    assert answer.status_code == 422
    (sentence,) = answer.get_json()["errors"]["callback_url"]
    assert "10.0.0.1:443 in FLEXMAIL_CALLBACK_ALLOWED_HOSTS" in sentence
