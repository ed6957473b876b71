"""What programs see of mail and state."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.mail.reference import new_reference
from flexmail.models import OutboxMail, Reply
from tests.api.conftest import ASKED, Program
from tests.conftest import NOW


def add_reply(app: Flask, uid: int, outcome: str | None, **more: Any) -> None:
    values = {
        "account": "flexmail@imap.corp.test:993",
        "folder": "INBOX",
        "uidvalidity": 1,
        "sha256": "0" * 64,
        "sender": "Bob <bob@corp.test>",
        "subject": "Re: Deploy",
        "message_id": "<1@corp.test>",
        "reason": "Because.",
        "first_seen_at": NOW,
        "processed_at": NOW if outcome else None,
    }
    with app.app_context(), transaction():
        db.session.add(Reply(uid=uid, outcome=outcome, **values | more))


def test_what_became_of_each_mail_is_told_with_its_reason(app: Flask, program: Program) -> None:
    add_reply(app, 1, "wrong_sender", size_bytes=1234, raw_partial=True)
    (reply,) = program.get("/replies").get_json()["items"]
    assert reply == {
        "id": 1,
        "outcome": "wrong_sender",
        "reason": "Because.",
        "approval_id": None,
        "from": "Bob <bob@corp.test>",
        "subject": "Re: Deploy",
        "message_id": "<1@corp.test>",
        "processed_at": "2026-11-02T09:00:00Z",
        "first_seen_at": "2026-11-02T09:00:00Z",
        "size_bytes": 1234,
        "raw_partial": True,
        "restored_at": None,
    }


def test_a_mail_that_is_still_being_tried_is_not_listed(app: Flask, program: Program) -> None:
    add_reply(app, 1, None)
    assert program.get("/replies").get_json() == {"items": [], "next_cursor": None}


def test_replies_go_page_by_page_and_by_outcome(app: Flask, program: Program) -> None:
    for uid in range(1, 5):
        add_reply(app, uid, "approved" if uid % 2 else "bounce")
    page = program.get("/replies?outcome=approved&limit=1").get_json()
    assert [reply["id"] for reply in page["items"]] == [3]
    page = program.get(f"/replies?outcome=approved&cursor={page['next_cursor']}").get_json()
    assert [reply["id"] for reply in page["items"]] == [1]
    assert page["next_cursor"] is None


def test_no_list_shows_a_reference(app: Flask, program: Program) -> None:
    reference = new_reference()
    add_reply(app, 1, "unclear", subject=f"Re {reference}", reason=reference, sender=reference)
    assert reference not in program.get("/replies").text


@pytest.mark.usefixtures("mail_is_set_up")
def test_outgoing_mail_is_told_without_its_content(app: Flask, program: Program) -> None:
    program.post("/approvals", json=ASKED | {"details": "the secret plan"})
    response = program.get("/outbox")
    (mail,) = response.get_json()["items"]
    assert (mail["kind"], mail["state"], mail["attempts"]) == ("approval_request", "queued", 0)
    assert mail["retry_at"] == mail["created_at"]
    assert mail["encrypted"] is mail["sent_at"] is None
    assert "FM-" not in response.text
    assert "the secret plan" not in response.text
    with app.app_context(), transaction():
        db.session.get_one(OutboxMail, mail["id"]).state = "failed"
    assert program.get("/outbox?state=queued").get_json()["items"] == []
    (failed,) = program.get("/outbox?state=failed").get_json()["items"]
    assert failed["retry_at"] is None


@pytest.mark.usefixtures("mail_is_set_up")
def test_the_status_tells_of_every_part(program: Program) -> None:
    program.post("/approvals", json=ASKED)
    status = program.get("/status").get_json()
    assert status["approvals"] == {"pending": 1}
    assert status["outbox"]["queued"] == 1
    assert status["reply_processing"]["enabled"] is False
    assert status["reply_processing"]["last_run"] is None
    assert status["reply_processing"]["trust"] == {"state": "not_needed", "reason": ""}


@pytest.mark.usefixtures("mail_is_set_up")
def test_outgoing_mail_is_found_by_state_kind_and_recipient_together(
    app: Flask, program: Program
) -> None:
    program.post("/approvals", json=ASKED)
    told = {"type": "failed", "recipients": ["eve@corp.test", "dora@corp.test"]}
    headers = program.token("events")
    assert program.call("POST", "/events", headers=headers, json=told).status_code == 202
    with app.app_context(), transaction():
        mail = db.session.get_one(OutboxMail, 2)
        mail.state, mail.answer, mail.status_code = "failed", "550 5.1.1 nobody", "5.1.1"
    (mail,) = program.get("/outbox?state=failed&kind=event&recipient=eve%40CORP.test").get_json()[
        "items"
    ]
    assert (mail["id"], mail["event_id"], mail["approval_id"]) == (2, 1, None)
    assert mail["meaning"].startswith("The mailbox does not exist.")
    assert program.get("/outbox?state=failed&kind=digest").get_json()["items"] == []
    (mail,) = program.get("/outbox?kind=approval_request").get_json()["items"]
    assert (mail["meaning"], mail["event_id"]) == ("", None)
    for wrong in ("kind=x", "recipient=x", "recipient=group%3Aops"):
        assert program.get(f"/outbox?{wrong}").status_code == 422, wrong
