"""The gate: its exit code says what was decided, and says it only then."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from flexmail import cli
from flexmail.db import db, transaction
from flexmail.models import Approval, User
from flexmail.services import approvals, bounces
from tests.cli.conftest import Flexmail
from tests.conftest import NOW, Cast
from tests.services import stage
from tests.services.reports import delivery_report

pytestmark = pytest.mark.usefixtures("cast", "mail_is_set_up")

ASK = ("approvals", "request", "--title", "Deploy", "--approver", "bob@corp.test")


def decide(app: Flask, approval_id: int, verdict: str) -> None:
    with app.app_context():
        bob = db.session.scalar(select(User.id).where(User.email == "bob@corp.test"))
        assert bob
        approvals.decide_on_page(
            approval_id,
            bob,
            verdict="approve" if verdict == "approve" else "reject",
            comment="fine",
            now=datetime.now(UTC),
        )


def cancel(app: Flask, approval_id: int) -> None:
    with app.app_context():
        approvals.cancel(approval_id, now=datetime.now(UTC))


def let_it_expire(app: Flask, approval_id: int) -> None:
    """Move its end into the past; no job runs here that would expire it."""
    with app.app_context(), transaction():
        past = datetime.now(UTC) - timedelta(seconds=1)
        db.session.execute(
            update(Approval).where(Approval.id == approval_id).values(expires_at=past)
        )


def is_asked(app: Flask) -> bool:
    with app.app_context():
        return db.session.scalar(select(Approval.id)) is not None


@pytest.mark.parametrize(
    ("happens", "status", "code"),
    [
        (lambda app, number: decide(app, number, "approve"), "approved", 0),
        (lambda app, number: decide(app, number, "reject"), "rejected", 1),
        (cancel, "cancelled", 2),
        (let_it_expire, "expired", 2),
    ],
    ids=["approved", "rejected", "cancelled", "expired"],
)
def test_the_gate_waits_and_exits_with_what_was_decided(
    app: Flask,
    capsys: pytest.CaptureFixture[str],
    happens: Callable[[Flask, int], None],
    status: str,
    code: int,
) -> None:
    codes: list[int] = []
    waiter = threading.Thread(
        target=lambda: codes.append(cli.run([*ASK, "--wait", "--json"], lambda: app))
    )
    waiter.start()
    deadline = time.monotonic() + 20
    while not is_asked(app):
        assert time.monotonic() < deadline
    assert not codes
    happens(app, 1)
    waiter.join(20)
    assert codes == [code]
    said = capsys.readouterr()
    assert "Waiting for approval 1." in said.err
    shape = json.loads(said.out)
    assert (shape["id"], shape["status"]) == (1, status)


def test_a_gate_that_waited_long_enough_exits_3_and_leaves_it_open(flexmail: Flexmail) -> None:
    for seconds in ("0", "0.1"):
        said = flexmail(*ASK, "--wait", seconds)
        assert said.code == 3
        assert "is pending" in said.out
    assert len(flexmail("approvals", "list", "--status", "pending", "--json").json["items"]) == 2


def test_without_wait_0_says_that_it_was_asked(flexmail: Flexmail) -> None:
    said = flexmail(*ASK, "--json")
    assert said.code == 0
    assert said.json["status"] == "pending"


def test_everything_that_was_asked_is_there(flexmail: Flexmail, cast: Cast) -> None:
    flexmail("users", "edit", cast.bob, "--group", "ops")
    shape = flexmail(
        *("approvals", "request", "--title", "Deploy ✓", "--details", "two\nlines"),
        *("--approver", cast.ada, "--approver", "group:ops", "--link", "https://ci.corp.test/1"),
        *("--submitter", "Charlie", "--expires-in", "3600", "--comment-required"),
        *("--mail-decision", "reject_only", "--json"),
    ).json
    assert shape["approvers"] == [cast.ada, "group:ops"]
    assert (shape["title"], shape["details"]) == ("Deploy ✓", "two\nlines")
    assert (shape["comment_required"], shape["mail_decision"]) == (True, "reject_only")
    assert (shape["link"], shape["submitter"]) == ("https://ci.corp.test/1", "Charlie")


def test_an_approval_is_shown_with_its_decision(app: Flask, flexmail: Flexmail) -> None:
    flexmail(*ASK)
    decide(app, 1, "reject")
    said = flexmail("approvals", "show", "1")
    assert "Approval 1 is rejected: Deploy" in said.out
    assert "reject by bob@corp.test (web): fine" in said.out
    assert flexmail("approvals", "show", "1", "--json").json["status"] == "rejected"


def test_how_its_mails_fare_is_shown(app: Flask, flexmail: Flexmail) -> None:
    flexmail(*ASK)
    with app.app_context():
        request = stage.asked(1)
        with transaction():
            (mail,) = bounces.deliveries(1)
            mail.state, mail.sent_at, mail.answer = "sent", NOW, "250 fine"
    shown = flexmail("approvals", "show", "1").out
    assert "mail to bob@corp.test: sent, 2026-11-02T09:00:00Z: 250 fine\n" in shown
    with app.app_context():
        stage.hand_in(delivery_report(request.message_id), now=NOW)
    shown = flexmail("approvals", "show", "1").out
    assert "mail to bob@corp.test: could not be delivered: 5.1.1 user unknown\n" in shown
    (told,) = flexmail("approvals", "show", "1", "--json").json["deliveries"]
    assert (told["state"], told["status_code"]) == ("failed", "5.1.1")
    (row,) = flexmail("outbox", "list").out.splitlines()[1:]
    assert row.split()[:4] == ["1", "failed", "5.1.1", "bob@corp.test"]
    (mail,) = flexmail("outbox", "list", "--json").json["items"]
    assert (mail["status_code"], mail["bounced_at"]) == ("5.1.1", "2026-11-02T09:00:00Z")


def test_a_cancelled_approval_stays_cancelled(flexmail: Flexmail) -> None:
    flexmail(*ASK)
    assert flexmail("approvals", "cancel", "1").code == 0
    said = flexmail("approvals", "cancel", "1")
    assert said.code == 1
    assert said.err == "Approval 1 is cancelled already.\n"


def test_the_list_is_a_table_for_people(flexmail: Flexmail) -> None:
    flexmail(*ASK)
    lines = flexmail("approvals", "list").out.splitlines()
    assert lines[1].split()[:3] == ["1", "pending", "Deploy"]
