"""The settings through the API: only given keys change, secrets go in and never come out."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.forms import EmailSettingsForm, values_from
from flexmail.services import settings
from tests.api.conftest import Program
from tests.conftest import Cast
from tests.servers import PASSWORD as MAIL_PASSWORD

GIVEN = {
    "smtp_host_name": "smtp.corp.test",
    "smtp_user": "flexmail",
    "smtp_password": "only I know this",
    "smtp_from_address": "Deployments <deploy@corp.test>",
}


def test_before_anything_is_saved_the_defaults_are_told(program: Program) -> None:
    stored = program.get("/settings/email").get_json()
    assert stored["smtp_host_port"] == 587
    assert stored["smtp_password"] == stored["imap_password"] == "not set"
    assert stored["in_force"]["email_reply_folder"] == "INBOX"


def test_every_field_of_the_form_is_a_key(app: Flask, program: Program) -> None:
    with app.app_context():
        fields = {field.name for field in EmailSettingsForm(formdata=None, meta={"csrf": False})}
    change = program.spec["components"]["schemas"]["EmailSettingsChange"]["properties"]
    assert set(change) == fields
    stored = set(program.get("/settings/email").get_json()) - {"in_force"}
    ticks = {"smtp_password_remove", "imap_password_remove", "confirm_deletion"}
    assert stored == fields - ticks


def test_only_the_given_keys_change(program: Program) -> None:
    program.put("/settings/email", json=GIVEN)
    before = program.get("/settings/email").get_json()
    answer = program.put("/settings/email", json={"email_reply_process_interval": 7}).get_json()
    assert answer.pop("notices") == []
    assert answer == before | {"email_reply_process_interval": 7}


def test_no_answer_shows_a_secret(program: Program) -> None:
    answer = program.put("/settings/email", json=GIVEN)
    assert answer.get_json()["smtp_password"] == "set"
    refused = program.put("/settings/email", json=GIVEN | {"smtp_host_port": 0})
    assert refused.status_code == 422
    for response in (answer, refused, program.get("/settings/email")):
        assert GIVEN["smtp_password"] not in response.text


def test_what_empty_fields_fall_back_on_is_told(program: Program) -> None:
    program.put("/settings/email", json=GIVEN)
    in_force = program.get("/settings/email").get_json()["in_force"]
    assert in_force == {
        "imap_user": "flexmail",
        "imap_password": "SMTP Password",
        "imap_auth": "password",
        "email_reply_folder": "INBOX",
        "approval_reply_address": "Deployments <deploy@corp.test>",
    }


def test_a_moved_server_drops_its_password_and_says_so(program: Program) -> None:
    program.put("/settings/email", json=GIVEN)
    answer = program.put("/settings/email", json={"smtp_host_name": "new.corp.test"}).get_json()
    assert answer["smtp_password"] == "not set"
    assert len(answer["notices"]) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"smtp_host_port": "587"}, "smtp_host_port"),
        ({"smtp_host_port": 70000}, "smtp_host_port"),
        ({"smtp_enable_starttls": "on"}, "smtp_enable_starttls"),
        ({"smtp_host_name": 7}, "smtp_host_name"),
        ({"smtp_host_name": "http://x"}, "smtp_host_name"),
        ({"smtp_from_address": "a@b.test\r\nBcc: c@d.test"}, "smtp_from_address"),
        ({"smtp_user": "a\x00b"}, "smtp_user"),
        ({"smtp_password": "set"}, "smtp_password"),
        ({"email_reply_process_interval": 0}, "email_reply_process_interval"),
        ({"reply_trust": "blind"}, "reply_trust"),
        ({"smtp_hostname": "x"}, "smtp_hostname"),
        ({"in_force": {}}, "in_force"),
        ({"revision": 1}, "revision"),
        ({"csrf_token": "x"}, "csrf_token"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value)[:40],
)
def test_a_wrong_value_is_422_by_field_and_nothing_is_saved(
    shared: Program, change: dict[str, Any], field: str
) -> None:
    before = shared.get("/settings/email").get_json()
    response = shared.put("/settings/email", json={"keep_processed_days": 1} | change)
    assert response.status_code == 422
    assert field in response.get_json()["errors"]
    assert shared.get("/settings/email").get_json() == before


def test_of_two_changes_in_the_same_moment_none_takes_back_the_other(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.put("/settings/email", json=GIVEN)

    def meanwhile(*given: Any) -> Any:
        values = values_from(*given)
        monkeypatch.undo()
        assert program.put("/settings/email", json={"keep_processed_days": 7}).status_code == 200
        return values

    monkeypatch.setattr("flexmail.views.api.settings.values_from", meanwhile)
    second = {"email_reply_process_count": 77}
    assert program.put("/settings/email", json=second).status_code == 409
    assert program.put("/settings/email", json=second).status_code == 200
    stored = program.get("/settings/email").get_json()
    assert (stored["keep_processed_days"], stored["email_reply_process_count"]) == (7, 77)


def test_a_test_goes_to_accounts_only(program: Program) -> None:
    program.put("/settings/email", json=GIVEN)
    for to in ("charlie@evil.test", "", 7, None, ["ada@corp.test"]):
        response = program.post("/settings/email/test", json={"to": to})
        assert list(response.get_json()["errors"]) == ["to"]


def test_a_test_with_another_host_and_no_password_connects_with_nothing(program: Program) -> None:
    program.put("/settings/email", json=GIVEN)
    response = program.post(
        "/settings/email/test", json={"to": "ada@corp.test", "smtp_host_name": "evil.test"}
    )
    assert response.status_code == 422
    assert list(response.get_json()["errors"]) == ["smtp_password"]


def test_a_test_tells_every_step_and_saves_nothing(
    app: Flask, program: Program, cast: Cast, embedded: MailServer
) -> None:
    given = {
        "smtp_host_name": "127.0.0.1",
        "smtp_host_port": embedded.smtp_port,
        "smtp_from_address": "ada@example.test",
        "smtp_enable_starttls": False,
        "imap_host_name": "127.0.0.1",
        "imap_host_port": embedded.imap_port,
        "imap_user": "ada@example.test",
        "imap_password": MAIL_PASSWORD,
        "imap_enable_starttls": False,
    }
    response = program.post("/settings/email/test", json=given | {"to": cast.ada})
    report = response.get_json()
    assert [step["name"] for step in report["imap"]["steps"]][-1] == "folder"
    assert report["imap"]["ok"] is True
    assert report["imap"]["waiting"] == 0
    assert MAIL_PASSWORD not in response.text
    with app.app_context():
        assert settings.load().smtp_host_name == ""
    assert program.get("/outbox").get_json()["items"] == []


def test_a_server_that_does_not_answer_is_a_failed_step_and_no_error(
    program: Program, cast: Cast
) -> None:
    given = {"smtp_host_name": "127.0.0.1", "smtp_host_port": 1, "smtp_from_address": "a@corp.test"}
    response = program.post("/settings/email/test", json=given | {"to": cast.ada})
    assert response.status_code == 200
    report = response.get_json()
    assert report["imap"] is None
    assert report["smtp"]["ok"] is False
    steps = {step["name"]: step["ok"] for step in report["smtp"]["steps"]}
    assert steps == {"resolve": True, "connect": False, "tls": None, "login": None, "send": None}


def test_confirming_a_deletion_where_nothing_is_held_says_so_and_stores_nothing(
    program: Program,
) -> None:
    program.put("/settings/email", json=GIVEN)
    answer = program.put("/settings/email", json={"confirm_deletion": True}).get_json()
    assert "nothing to confirm" in " ".join(answer["notices"])
    assert "confirm_deletion" not in answer
    assert program.get("/status").get_json()["reply_processing"]["held"] == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"email_reply_folder": "Archive"},
        {"imap_user": "another"},
        {"imap_host_name": "imap2.corp.test", "imap_password": "another"},
        {"enable_email_approval": False},
    ],
)
def test_what_nobody_was_shown_is_not_confirmed(changed: dict[str, Any], program: Program) -> None:
    on = {"imap_host_name": "imap.corp.test", "imap_user": "x", "imap_password": "y"}
    program.put("/settings/email", json=GIVEN | on | {"enable_email_approval": True})
    before = program.get("/settings/email").get_json()
    response = program.put("/settings/email", json=changed | {"confirm_deletion": True})
    assert response.status_code == 422
    (sentence,) = response.get_json()["errors"]["confirm_deletion"]
    assert "look at what is held back" in sentence
    assert program.get("/settings/email").get_json() == before
