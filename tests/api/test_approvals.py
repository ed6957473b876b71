"""Programs ask, look, wait and cancel; deciding stays with people."""

from __future__ import annotations

import runpy
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.pool import QueuePool

from flexmail.db import db, transaction
from flexmail.models import User
from flexmail.services import accounts, approvals, audit, bounces, tokens
from flexmail.views.api import waiting
from tests.api.conftest import ASKED, Program
from tests.conftest import NOW
from tests.services import stage
from tests.services.reports import delivery_report

pytestmark = pytest.mark.usefixtures("mail_is_set_up")


def decide(app: Flask, approval_id: int, *, email: str = "bob@corp.test", verdict: str) -> None:
    with app.app_context():
        user_id = db.session.scalar(select(User.id).where(User.email == email))
        assert user_id
        approvals.decide_on_page(
            approval_id,
            user_id,
            verdict="approve" if verdict == "approve" else "reject",
            comment="fine",
            now=datetime.now(UTC),
        )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_a_created_approval_answers_201_with_its_place_and_queues_its_mail(
    program: Program,
) -> None:
    response = program.post("/approvals", json=ASKED)
    assert response.status_code == 201
    approval = response.get_json()
    assert response.headers["Location"] == f"/api/v1/approvals/{approval['id']}"
    assert approval["status"] == "pending"
    assert approval["approvers"] == ["bob@corp.test"]
    assert approval["decisions"] == []
    assert approval["decided_at"] is None
    assert approval["created_at"].endswith("Z")
    (mail,) = program.get("/outbox").get_json()["items"]
    assert (mail["recipient"], mail["approval_id"]) == ("bob@corp.test", approval["id"])


def test_everything_that_was_asked_comes_back(app: Flask, program: Program) -> None:
    with app.app_context():
        accounts.edit("bob@corp.test", groups=["ops"])
    asked = {
        "title": "Déploiement ✓",
        "approvers": ["group:ops", "ada@corp.test"],
        "details": "first line\n\tsecond <b>line</b>",
        "expires_in": 3600,
        "link": "https://ci.corp.test/build/42?x=1&y=2",
        "context": {"build": 42, "nested": {"list": [1, None, "ä"]}},
        "submitter": "Charlie <charlie@evil.test>",
        "comment_required": True,
        "mail_decision": "reject_only",
    }
    approval = program.post("/approvals", json=asked).get_json()
    lasts = datetime.fromisoformat(approval["expires_at"]) - datetime.fromisoformat(
        approval["created_at"]
    )
    assert lasts.total_seconds() == asked.pop("expires_in")
    assert {key: approval[key] for key in asked} == asked
    assert program.get(f"/approvals/{approval['id']}").get_json() == approval


def test_before_mail_is_set_up_asking_is_409(app: Flask, program: Program) -> None:
    with app.app_context():
        db.session.execute(db.text("DELETE FROM email_settings"))
        db.session.commit()
    response = program.post("/approvals", json=ASKED)
    assert response.status_code == 409
    assert program.get("/approvals").get_json()["items"] == []


def test_a_repeat_with_the_same_key_answers_the_first_and_sends_nothing(
    program: Program,
) -> None:
    key = {"Idempotency-Key": "build 42/try 1"}
    first = program.post("/approvals", json=ASKED, headers=key)
    second = program.post("/approvals", json=ASKED, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_json() == second.get_json()
    assert len(program.get("/outbox").get_json()["items"]) == 1
    other = program.post("/approvals", json=ASKED, headers=key | program.token("approvals"))
    assert other.get_json()["id"] != first.get_json()["id"]


def test_the_same_key_for_something_else_is_409(program: Program) -> None:
    key = {"Idempotency-Key": "k"}
    program.post("/approvals", json=ASKED, headers=key)
    response = program.post("/approvals", json=ASKED | {"title": "Other"}, headers=key)
    assert response.status_code == 409


def test_the_list_goes_page_by_page_the_newest_first(program: Program) -> None:
    made = [program.post("/approvals", json=ASKED).get_json()["id"] for _ in range(5)]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = program.get(f"/approvals?limit=2&cursor={cursor}").get_json()
        seen += [approval["id"] for approval in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


def test_the_list_can_be_asked_for_one_status(app: Flask, program: Program) -> None:
    first, second = (program.post("/approvals", json=ASKED).get_json()["id"] for _ in range(2))
    decide(app, first, verdict="reject")
    for status, wanted in (("pending", [second]), ("rejected", [first]), ("approved", [])):
        page = program.get(f"/approvals?status={status}").get_json()
        assert [approval["id"] for approval in page["items"]] == wanted


def test_a_decision_is_told_with_who_and_how(app: Flask, program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    decide(app, approval_id, verdict="approve")
    approval = program.get(f"/approvals/{approval_id}").get_json()
    assert approval["status"] == "approved"
    (decision,) = approval["decisions"]
    assert decision.pop("at") == approval["decided_at"]
    assert decision == {
        "by": "bob@corp.test",
        "verdict": "approve",
        "comment": "fine",
        "channel": "web",
    }


def test_a_cancelled_approval_stays_cancelled(program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    assert program.post(f"/approvals/{approval_id}/cancel").get_json()["status"] == "cancelled"
    response = program.post(f"/approvals/{approval_id}/cancel")
    assert response.status_code == 409
    assert "cancelled already" in response.get_json()["detail"]
    assert program.post("/approvals/999/cancel").status_code == 404


def test_who_waits_gets_the_answer_when_it_comes(app: Flask, program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    places = app.extensions["flexmail_long_polls"]
    free = places._value
    answers: list[str] = []

    def wait() -> None:
        response = program.get(f"/approvals/{approval_id}?wait=25")
        answers.append(response.get_json()["status"])

    began = time.monotonic()
    waiter = threading.Thread(target=wait)
    waiter.start()
    until(lambda: places._value < free)
    decide(app, approval_id, verdict="approve")
    waiter.join(10)
    assert answers == ["approved"]
    assert time.monotonic() - began < 10
    assert places._value == free


def test_who_waits_for_what_is_final_or_missing_does_not_wait(app: Flask, program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    decide(app, approval_id, verdict="reject")
    began = time.monotonic()
    assert program.get(f"/approvals/{approval_id}?wait=25").get_json()["status"] == "rejected"
    assert program.get("/approvals/999?wait=25").status_code == 404
    assert time.monotonic() - began < 5


def test_waiting_ends_with_what_is_so_far(program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    began = time.monotonic()
    response = program.get(f"/approvals/{approval_id}?wait=1")
    assert response.get_json()["status"] == "pending"
    assert "Retry-After" not in response.headers
    assert 1 <= time.monotonic() - began < 5


def test_no_more_than_half_of_the_threads_wait(app: Flask) -> None:
    served = runpy.run_path("gunicorn.conf.py")
    assert app.extensions["flexmail_long_polls"]._value <= served["threads"] // 2


def test_a_full_waiting_room_answers_at_once(app: Flask, program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    places = app.extensions["flexmail_long_polls"]
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    began = time.monotonic()
    response = program.get(f"/approvals/{approval_id}?wait=25")
    assert response.get_json()["status"] == "pending"
    assert int(response.headers["Retry-After"]) > 0
    assert time.monotonic() - began < 5
    places.release(taken)


def test_a_waiting_client_holds_no_transaction(app: Flask, program: Program) -> None:
    approval_id = program.post("/approvals", json=ASKED).get_json()["id"]
    places = app.extensions["flexmail_long_polls"]
    free = places._value
    waiter = threading.Thread(target=program.get, args=[f"/approvals/{approval_id}?wait=25"])
    waiter.start()
    until(lambda: places._value < free)
    with app.app_context():
        pool = db.engine.pool
        assert isinstance(pool, QueuePool)
        until(lambda: pool.checkedout() == 0)
    decide(app, approval_id, verdict="approve")
    waiter.join(10)
    assert not waiter.is_alive()


def test_a_client_waits_at_most_25_seconds() -> None:
    assert waiting.MAX_SECONDS == 25


@pytest.mark.parametrize(("rule", "status"), [("any", 201), ("all", 422), ("", 422), (2, 422)])
def test_the_only_rule_is_that_any_approver_decides(
    program: Program, rule: object, status: int
) -> None:
    response = program.post("/approvals", json={**ASKED, "rule": rule})
    assert response.status_code == status
    if status == 201:
        assert response.get_json()["rule"] == "any"
    else:
        assert list(response.get_json()["errors"]) == ["rule"]


def test_how_its_mails_fare_is_told(app: Flask, program: Program) -> None:
    made = program.post("/approvals", json=ASKED).get_json()
    (queued,) = made["deliveries"]
    assert queued.pop("at").endswith("Z")
    assert queued == {"to": "bob@corp.test", "state": "queued", "status_code": "", "answer": ""}
    with app.app_context():
        request = stage.asked(made["id"])
        with transaction():
            (mail,) = bounces.deliveries(made["id"])
            mail.state, mail.sent_at = "sent", NOW
        stage.hand_in(delivery_report(request.message_id), now=NOW + timedelta(hours=1))
    approval = program.get(f"/approvals/{made['id']}").get_json()
    assert approval["status"] == "pending"
    assert approval["deliveries"] == [
        {
            "to": "bob@corp.test",
            "state": "failed",
            "status_code": "5.1.1",
            "answer": "5.1.1 user unknown",
            "at": "2026-11-02T10:00:00Z",
        }
    ]
    (item,) = program.get("/outbox").get_json()["items"]
    assert (item["status_code"], item["bounced_at"]) == ("5.1.1", "2026-11-02T10:00:00Z")
    (reply,) = program.get("/replies").get_json()["items"]
    assert (reply["outcome"], reply["approval_id"]) == ("bounce", made["id"])


def test_the_audit_log_names_the_token_that_asked(app: Flask, program: Program) -> None:
    program.post("/approvals", json=ASKED)
    with app.app_context():
        (entry,) = audit.listing(action="approval_requested").items
        (token,) = tokens.everything()
        assert (entry.actor, entry.channel) == (f"token {token.id} ({token.name})", "api")
