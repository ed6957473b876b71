"""Conditions of a decision that other tests meet only together with a second one."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from flexmail.db import db, transaction
from flexmail.errors import Conflict
from flexmail.mail.reference import MAX_FOUND
from flexmail.models import Approval, Decision
from flexmail.services import accounts, approvals
from flexmail.services.cases import Verdict
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, ask, hand_in, held, reply, set_up

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def refused(approval_id: int) -> str:
    with transaction():
        refusal = approvals.authorise(
            *held(approval_id),
            channel="email",
            verdict="approve",
            now=LATER,
        )
    return refusal.outcome if refusal else ""


def test_an_expired_request_stays_expired_whatever_the_clock_says(ready: Flask) -> None:
    request = ask()
    approvals.expire_due(now=NOW + timedelta(days=8))
    assert refused(request.approval_id) == "expired"


def test_a_person_decides_a_request_once(ready: Flask) -> None:
    request = ask()
    with transaction():
        approval = approvals.get(request.approval_id)
        earlier = Decision(
            user_id=accounts.get(BOB).id, verdict="reject", comment="", channel="web", at=NOW
        )
        approval.decisions.append(earlier)
    assert approvals.get(request.approval_id).status == "pending"
    assert refused(request.approval_id) == "already_decided"


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_what_one_person_decided_another_cannot(verdict: Verdict, ready: Flask) -> None:
    request = ask(ADA, BOB)
    ada = accounts.get(ADA).id
    approvals.decide_on_page(request.approval_id, ada, verdict=verdict, comment="", now=NOW)
    assert refused(request.approval_id) == "already_decided"


def test_a_comment_is_asked_only_where_it_is_required(ready: Flask) -> None:
    request = ask()
    bob = accounts.get(BOB).id
    approvals.decide_on_page(request.approval_id, bob, verdict="reject", comment="", now=LATER)
    assert approvals.get(request.approval_id).status == "rejected"


@pytest.mark.parametrize("comment", ["", " ", "\n\t"])
def test_blanks_are_no_comment(comment: str, ready: Flask) -> None:
    request = ask(comment_required=True)
    with transaction():
        refusal = approvals.decide(
            *held(request.approval_id),
            verdict="reject",
            comment=comment,
            channel="email",
            now=LATER,
            proof={},
        )
    assert refusal is not None
    assert refusal.outcome == "unclear"


def test_the_page_decides_by_what_is_stored_now(ready: Flask) -> None:
    request = ask()
    kept = approvals.get(request.approval_id)
    assert kept.status == "pending"
    with db.engine.begin() as other:
        other.execute(update(Approval).values(status="cancelled"))
    bob = accounts.get(BOB).id
    with pytest.raises(Conflict, match="cancelled"):
        approvals.decide_on_page(request.approval_id, bob, verdict="approve", comment="", now=LATER)


def test_a_mail_that_failed_may_come_again(ready: Flask) -> None:
    raw = reply(ask())
    row = hand_in(raw.replace(b"Approve", b"Perhaps"))
    with transaction():
        row.outcome, row.sha256 = "failed", hashlib.sha256(raw).hexdigest()
    assert hand_in(raw).outcome == "approved"


def test_a_mail_that_cannot_be_read_is_malformed_whoever_wrote_it(ready: Flask) -> None:
    raw = reply(ask()).replace(b"\r\nDate:", b"\r\nno header\r\nDate:", 1)
    assert hand_in(raw).outcome == "malformed"


def test_who_may_not_decide_is_told_so_whatever_the_words(ready: Flask) -> None:
    request = ask()
    approvals.cancel(request.approval_id, now=NOW)
    for said in ("Approve", "Reject", "Perhaps"):
        assert hand_in(reply(request, said)).outcome == "cancelled"


def test_more_references_than_are_read_lead_nowhere(ready: Flask) -> None:
    for count, outcome in ((MAX_FOUND - 1, "approved"), (MAX_FOUND, "unknown_reference")):
        others = " ".join(f"<{number}@client.test>" for number in range(count))
        raw = reply(ask(), threaded=False, headers=(f"References: {others}",))
        assert hand_in(raw).outcome == outcome
