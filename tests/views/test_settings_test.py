"""Test Email Configuration, as a page and as JSON, against a mail server that runs."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.services import accounts, settings
from tests.conftest import NOW, PASSWORD
from tests.fixtures_servers import EMBEDDED_USERS
from tests.views.settings_form import PATH, Shown, typed, typed_for
from tests.views.visitor import Visitor

TEST = f"{PATH}/test"
SMTP_STEPS = ["resolve", "connect", "tls", "login", "send"]
IMAP_STEPS = ["resolve", "connect", "tls", "login", "folder"]


@pytest.fixture
def ada(app: Flask) -> Visitor:
    """Ada, with a mailbox on the mail server of the test."""
    with app.app_context():
        accounts.add(EMBEDDED_USERS[0], role="admin", password=PASSWORD, now=NOW)
    return Visitor(app, EMBEDDED_USERS[0])


def test_the_page_shows_each_step_and_the_mails_that_wait(
    ada: Visitor, embedded: MailServer
) -> None:
    for _ in range(2):
        embedded.deliver(EMBEDDED_USERS[0], b"Subject: waits\r\n\r\nfor a run\r\n")
    answer = ada.post(TEST, typed_for(embedded))
    assert answer.status_code == 200
    page = Shown(answer.text)
    rows = page.page.xpath("//section[@id='test-result']//tbody/tr")
    assert [Shown.words(row[0]) for row in rows] == SMTP_STEPS + IMAP_STEPS
    assert {Shown.words(row[1]) for row in rows} == {"ok"}
    waiting = page.notices("warning")
    assert len(waiting) == 1
    assert "wait in the folder INBOX. All of them will be processed and deleted" in waiting[0]


def test_the_answer_is_the_documented_json(ada: Visitor, embedded: MailServer) -> None:
    answer = ada.post(TEST, typed_for(embedded), accept="application/json")
    assert answer.status_code == 200
    result = answer.get_json()
    assert result.keys() == {"smtp", "imap"}
    assert [step["name"] for step in result["smtp"]["steps"]] == SMTP_STEPS
    assert [step["name"] for step in result["imap"]["steps"]] == IMAP_STEPS
    assert result["smtp"]["ok"] is result["imap"]["ok"] is True
    assert isinstance(result["imap"]["waiting"], int)
    for step in result["smtp"]["steps"] + result["imap"]["steps"]:
        assert step.keys() == {"name", "ok", "seconds", "detail", "hint"}


def test_the_test_mail_goes_to_whoever_presses_the_button(
    ada: Visitor, embedded: MailServer
) -> None:
    ada.post(TEST, typed_for(embedded, imap_host_name=""))
    (mail,) = embedded.mailbox(EMBEDDED_USERS[0])
    assert f"To: {EMBEDDED_USERS[0]}".encode() in mail[1]


def test_a_round_trip_is_a_step_of_its_own(ada: Visitor, embedded: MailServer) -> None:
    form = typed_for(embedded) | {"round_trip": "y"}
    page = Shown(ada.post(TEST, form).text)
    assert "round trip" in page.text
    assert page.page.get_element_by_id("round_trip").get("checked") is not None
    result = ada.post(TEST, form, accept="application/json").get_json()
    assert [step["name"] for step in result["imap"]["steps"]] == [*IMAP_STEPS, "round_trip"]
    assert result["imap"]["ok"] is True


def test_a_wrong_password_fails_at_the_login_and_nothing_after_it_is_reached(
    ada: Visitor, embedded: MailServer
) -> None:
    form = typed_for(embedded, smtp_password="wrong", imap_password="wrong too")
    answer = ada.post(TEST, form)
    assert answer.status_code == 200
    rows = Shown(answer.text).page.xpath("//section[@id='test-result']//tbody/tr")
    found = {Shown.words(row[0]): Shown.words(row[1]) for row in rows}
    assert found["login"] == "failed"
    assert found["send"] == found["folder"] == "not reached"
    assert all(Shown.words(row[3]) for row in rows if Shown.words(row[1]) == "failed")
    assert "wrong too" not in answer.text


def test_without_an_imap_host_only_sending_is_tried(ada: Visitor, embedded: MailServer) -> None:
    form = typed_for(embedded, imap_host_name="")
    assert ada.post(TEST, form, accept="application/json").get_json()["imap"] is None
    assert "there is no IMAP host" in ada.post(TEST, form).text


def test_the_test_stores_nothing_and_keeps_what_was_typed_but_no_password(
    app: Flask, ada: Visitor, embedded: MailServer
) -> None:
    form = typed_for(embedded)
    page = Shown(ada.post(TEST, form).text)
    assert page.value("smtp_host_port") == str(embedded.smtp_port)
    assert page.value("smtp_password") == ""
    assert form["smtp_password"] not in page.text
    assert "Type the password again before you save" in page.text
    with app.app_context():
        assert settings.load().revision == 0


def test_a_stored_password_serves_for_the_server_it_was_typed_for(
    ada: Visitor, embedded: MailServer
) -> None:
    assert ada.post(PATH, typed_for(embedded)).status_code == 303
    blank = typed_for(embedded, smtp_password="")
    result = ada.post(TEST, blank, accept="application/json").get_json()
    assert result["smtp"]["ok"] is result["imap"]["ok"] is True


def test_a_stored_password_travels_to_no_other_server(ada: Visitor, embedded: MailServer) -> None:
    assert ada.post(PATH, typed_for(embedded)).status_code == 303
    moved = typed_for(embedded, smtp_password="", smtp_host_name="smtp.evil.test")
    answer = ada.post(TEST, moved)
    assert answer.status_code == 422
    assert "smtp_password" in Shown(answer.text).errors()
    as_json = ada.post(TEST, moved, accept="application/json")
    assert as_json.status_code == 400
    assert "smtp_password" in as_json.get_json()["errors"]


def test_values_that_do_not_validate_are_not_tried(ada: Visitor) -> None:
    wrong = typed(smtp_host_port="0", smtp_from_address="")
    answer = ada.post(TEST, wrong)
    assert answer.status_code == 422
    page = Shown(answer.text)
    assert page.errors() == {"smtp_host_port", "smtp_from_address"}
    assert page.value("smtp_host_port") == "0"
    as_json = ada.post(TEST, wrong, accept="application/json")
    assert as_json.status_code == 400
    assert as_json.get_json()["errors"].keys() == {"smtp_host_port", "smtp_from_address"}
    assert all(isinstance(found, list) for found in as_json.get_json()["errors"].values())


def test_the_button_says_how_long_it_can_take(ada: Visitor) -> None:
    page = Shown(ada.get(PATH).text)
    button = page.page.xpath(f"//button[@formaction='{TEST}']")[0]
    assert Shown.words(button) == "Test Email Configuration"
    described = page.page.get_element_by_id(button.get("aria-describedby"))
    assert "up to 30 seconds" in Shown.words(described)
