"""Events as programs tell them: what is answered, and every way to be refused."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from flexmail.db import db
from flexmail.models import ApiToken, Event, OutboxMail
from flexmail.services import unsubscribing
from tests.api.conftest import Program, set_mail_up
from tests.conftest import NOW, Cast

BOB = "bob@corp.test"
FAILED: dict[str, Any] = {
    "type": "failed",
    "scope": "billing/prod",
    "subject": "Release 4.2",
    "data": {"submitter": BOB, "error": "The database did not start.", "took": None, "tries": 3},
    "recipients": ["team@lists.test", "group:nobody"],
}


def stored(app: Flask) -> tuple[int, int]:
    """Return how many events and mails there are."""
    with app.app_context():
        counts = [
            db.session.scalar(select(func.count(table.id))) or 0 for table in (Event, OutboxMail)
        ]
    return counts[0], counts[1]


@pytest.mark.usefixtures("mail_is_set_up")
def test_an_event_is_taken_and_the_answer_says_who_hears_of_it(
    app: Flask, program: Program
) -> None:
    answer = program.post("/events", json=FAILED)
    assert answer.status_code == 202
    assert answer.get_json() == {
        "id": 1,
        "queued": 2,
        "skipped": [{"recipient": "group:nobody", "reason": "The group has no active account."}],
    }
    with app.app_context():
        event = db.session.get_one(Event, 1)
        assert (event.type, event.scope, event.subject) == ("failed", "billing/prod", "Release 4.2")
        assert event.data == FAILED["data"]
        assert event.token_id == db.session.scalar(select(ApiToken.id))
        mails = db.session.scalars(select(OutboxMail).order_by(OutboxMail.id)).all()
        assert [mail.recipient for mail in mails] == ["team@lists.test", BOB]
        assert {mail.subject for mail in mails} == {"Failed: Release 4.2 (billing/prod)"}


@pytest.mark.usefixtures("mail_is_set_up")
def test_a_type_is_all_that_an_event_needs(program: Program) -> None:
    answer = program.post("/events", json={"type": "invoice.sent"})
    assert (answer.status_code, answer.get_json()) == (202, {"id": 1, "queued": 0, "skipped": []})


@pytest.mark.usefixtures("mail_is_set_up")
def test_the_outbox_lists_the_mails_of_an_event(program: Program) -> None:
    program.post("/events", json=FAILED)
    kinds = [mail["kind"] for mail in program.get("/outbox").get_json()["items"]]
    assert kinds == ["event", "event"]


@pytest.mark.usefixtures("mail_is_set_up")
@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"type": None}, {"type"}),
        ({"type": "Failed"}, {"type"}),
        ({"type": 3}, {"type"}),
        ({"scope": "/billing"}, {"scope"}),
        ({"scope": "b" * 201}, {"scope"}),
        ({"subject": "two\r\nlines"}, {"subject"}),
        ({"subject": "s" * 201}, {"subject"}),
        ({"data": []}, {"data"}),
        ({"data": {"a": "x" * 16_384}}, {"data"}),
        ({"data": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}}, {"data"}),
        ({"data": {"a": "\x1b[2J"}}, {"data.a"}),
        ({"data": {"a": "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}, {"data"}),
        ({"recipients": BOB}, {"recipients"}),
        ({"recipients": ["bob"]}, {"recipients"}),
        ({"recipients": [BOB] * 101}, {"recipients"}),
        ({"to": [BOB]}, {"to"}),
        ({"Type": "failed"}, {"Type"}),
        ({"type": "Failed", "scope": "/", "recipients": [""]}, {"type", "scope", "recipients"}),
    ],
)
def test_what_will_not_do_is_refused_by_field_and_nothing_is_stored(
    app: Flask, program: Program, changed: dict[str, Any], fields: set[str]
) -> None:
    answer = program.post("/events", json=FAILED | changed)
    assert answer.status_code == 422, answer.text
    assert set(answer.get_json()["errors"]) == fields
    assert stored(app) == (0, 0)


@pytest.mark.usefixtures("mail_is_set_up")
def test_what_is_no_json_object_is_refused(app: Flask, program: Program) -> None:
    for body in (b"", b"{", b"[]", b'"failed"', b'{"type": "failed", "data": {"a": NaN}}'):
        answer = program.post("/events", data=body, content_type="application/json")
        assert answer.status_code in (400, 422), body
    assert program.post("/events", data={"type": "failed"}).status_code == 415
    assert stored(app) == (0, 0)


@pytest.mark.usefixtures("mail_is_set_up")
def test_only_a_token_with_the_scope_tells_of_events(app: Flask, program: Program) -> None:
    answer = program.post("/events", json=FAILED, headers=program.token("approvals", "mail"))
    assert answer.status_code == 403
    assert 'scope="events"' in answer.headers["WWW-Authenticate"]
    wrong = {"Authorization": "Bearer flexmail_wrong"}
    assert program.post("/events", json=FAILED, headers=wrong).status_code == 401
    assert stored(app) == (0, 0)
    only_events = program.token("events")
    assert program.post("/events", json=FAILED, headers=only_events).status_code == 202
    assert program.get("/outbox", headers=only_events).status_code == 403


def test_before_mail_is_set_up_an_event_is_refused_not_lost(app: Flask, program: Program) -> None:
    answer = program.post("/events", json=FAILED)
    assert answer.status_code == 409
    assert "not set up yet" in answer.get_json()["detail"]
    assert stored(app) == (0, 0)
    set_mail_up(app)
    assert program.post("/events", json=FAILED).status_code == 202


@pytest.mark.usefixtures("mail_is_set_up")
def test_a_token_has_its_limit_and_another_token_its_own(app: Flask, program: Program) -> None:
    app.config["EVENTS_PER_TOKEN_HOUR"] = 2
    loop, calm = program.token("events"), program.token("events")
    codes = [program.post("/events", json=FAILED, headers=loop).status_code for _ in range(2)]
    refused = program.post("/events", json=FAILED, headers=loop)
    if refused.status_code == 202:  # the hour changed on the way: count anew
        program.post("/events", json=FAILED, headers=loop)
        refused = program.post("/events", json=FAILED, headers=loop)
    assert codes == [202, 202]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 3601
    assert "2 events in this hour" in refused.get_json()["detail"]
    assert program.post("/events", json=FAILED, headers=calm).status_code == 202


@pytest.mark.usefixtures("mail_is_set_up")
def test_who_does_not_want_it_is_skipped_with_the_reason(
    app: Flask, cast: Cast, program: Program
) -> None:
    with app.app_context():
        unsubscribing.switch(cast.bob, "failed", on=False, now=NOW)
    answer = program.post("/events", json={"type": "failed", "data": {"submitter": cast.bob}})
    assert answer.get_json() == {
        "id": 1,
        "queued": 0,
        "skipped": [{"recipient": cast.bob, "reason": "They switched off mail about failed."}],
    }
