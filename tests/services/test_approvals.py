"""Decisions: every condition has to hold, and the first decision is the only one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.models import Approval
from flexmail.services import accounts, approvals
from flexmail.services.cases import Channel, Verdict
from tests.conftest import NOW
from tests.services.stage import (
    ADA,
    BOB,
    CHARLIE,
    ask,
    hand_in,
    held,
    queued,
    reply,
    set_up,
    together,
)

CAROL = "carol@corp.test"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def ready(people: Flask) -> Flask:
    accounts.add(CAROL, role="approver", groups=["ops"], now=NOW)
    set_up()
    return people


def on_page(
    approval_id: int,
    email: str = BOB,
    *,
    verdict: Verdict = "approve",
    comment: str = "",
) -> str:
    user_id = accounts.get(email).id
    approvals.decide_on_page(approval_id, user_id, verdict=verdict, comment=comment, now=LATER)
    return approvals.get(approval_id).status


def try_by_mail(approval_id: int, email: str = BOB, verdict: Verdict | None = "approve") -> str:
    with transaction():
        case, person = held(approval_id, email)
        refusal = approvals.authorise(case, person, channel="email", verdict=verdict, now=LATER)
    return refusal.outcome if refusal else ""


def test_an_approver_sees_the_own_requests_only_and_an_admin_sees_all(ready: Flask) -> None:
    bobs, ops, adas = (ask(who).approval_id for who in (BOB, "group:ops", ADA))
    seen = {
        email: [row.id for row in approvals.listing(viewer=accounts.get(email)).items]
        for email in (ADA, BOB, CAROL)
    }
    assert seen == {ADA: [adas, ops, bobs], BOB: [bobs], CAROL: [ops]}
    assert approvals.get(bobs, viewer=accounts.get(BOB)).id == bobs
    assert approvals.get(bobs, viewer=accounts.get(ADA)).id == bobs
    with pytest.raises(NotFound):
        approvals.get(bobs, viewer=accounts.get(CAROL))
    with pytest.raises(NotFound):
        approvals.get(999)


def test_who_left_the_group_no_longer_sees_its_requests(ready: Flask) -> None:
    ask("group:ops")
    accounts.edit(CAROL, groups=[])
    assert approvals.listing(viewer=accounts.get(CAROL)).items == []


def test_a_listing_can_be_narrowed_to_a_status(ready: Flask) -> None:
    open_one, done = ask().approval_id, ask().approval_id
    on_page(done)
    assert [row.id for row in approvals.listing(status="approved").items] == [done]
    assert [row.id for row in approvals.listing(status="pending").items] == [open_one]
    assert approvals.listing(status="nonsense").items == []


def nothing(approval_id: int) -> None:
    """Everything is as it should be."""


CONDITIONS: dict[str, tuple[Callable[[int], object], str, str]] = {
    "all hold": (nothing, BOB, ""),
    "disabled": (lambda _: accounts.set_active(BOB, False), BOB, "not_an_approver"),
    "somebody else": (nothing, CAROL, "not_an_approver"),
    "an admin who was not asked": (nothing, ADA, "not_an_approver"),
    "cancelled": (lambda i: approvals.cancel(i, now=NOW), BOB, "cancelled"),
    "expired": (
        lambda i: approvals.expire_due(now=NOW + timedelta(days=8)), BOB, "expired"
    ),
    "approved": (on_page, BOB, "already_decided"),
    "rejected": (lambda i: on_page(i, verdict="reject"), BOB, "already_decided"),
}  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS)
def test_one_condition_that_fails_refuses_mail_and_page(condition: str, ready: Flask) -> None:
    spoil, email, outcome = CONDITIONS[condition]
    approval_id = ask().approval_id
    spoil(approval_id)
    before = approvals.get(approval_id).status
    assert try_by_mail(approval_id, email) == outcome
    assert try_by_mail(approval_id, email, None) == outcome
    if outcome:
        with pytest.raises((Conflict, NotFound)):
            on_page(approval_id, email, verdict="reject")
        assert approvals.get(approval_id).status == before


@pytest.mark.parametrize(
    ("after", "outcome"), [(0, ""), (3599, ""), (3600, "expired"), (3601, "expired")]
)
def test_a_request_is_over_at_its_very_moment_even_before_a_job_says_so(
    after: int, outcome: str, ready: Flask
) -> None:
    request = ask(expires_in=3600)
    with transaction():
        refusal = approvals.authorise(
            *held(request.approval_id),
            channel="web",
            verdict="approve",
            now=NOW + timedelta(seconds=after),
        )
    assert (refusal.outcome if refusal else "") == outcome


def test_membership_counts_at_the_moment_of_deciding(ready: Flask) -> None:
    request = ask("group:ops")
    assert try_by_mail(request.approval_id, CAROL) == ""
    accounts.edit(CAROL, groups=["dba"])
    assert try_by_mail(request.approval_id, CAROL) == "not_an_approver"
    accounts.edit(BOB, groups=["ops"])
    assert on_page(request.approval_id, BOB) == "approved"


def test_who_is_asked_by_name_needs_no_group(ready: Flask) -> None:
    request = ask(CAROL, "group:ops")
    accounts.edit(CAROL, groups=[])
    assert on_page(request.approval_id, CAROL) == "approved"


@pytest.mark.parametrize(
    ("channel", "verdict", "outcome"),
    [
        ("email", "approve", "mail_not_allowed"),
        ("email", "reject", ""),
        ("web", "approve", ""),
        ("web", "reject", ""),
    ],
)
def test_reject_only_keeps_mail_from_approving(
    channel: Channel, verdict: Verdict, outcome: str, ready: Flask
) -> None:
    request = ask(mail_decision="reject_only")
    with transaction():
        refusal = approvals.decide(
            *held(request.approval_id),
            verdict=verdict,
            comment="",
            channel=channel,
            now=LATER,
            proof={},
        )
    assert (refusal.outcome if refusal else "") == outcome
    decided = approvals.get(request.approval_id).status != "pending"
    assert decided is (outcome == "")


@pytest.mark.parametrize("comment", ["", "  \n"])
def test_a_rejection_without_the_required_comment_decides_nothing(
    comment: str, ready: Flask
) -> None:
    request = ask(comment_required=True)
    with pytest.raises(InvalidInput) as raised:
        on_page(request.approval_id, verdict="reject", comment=comment)
    assert list(raised.value.errors) == ["comment"]
    assert approvals.get(request.approval_id).status == "pending"
    assert on_page(request.approval_id, verdict="reject", comment="Not today") == "rejected"


def test_a_decision_is_kept_with_who_how_when_and_why(ready: Flask) -> None:
    request = ask()
    assert on_page(request.approval_id, verdict="reject", comment=" Not today ") == "rejected"
    approval = approvals.get(request.approval_id)
    (decision,) = approval.decisions
    assert (decision.user.email, decision.verdict) == (BOB, "reject")
    assert (decision.comment, decision.channel, decision.at) == ("Not today", "web", LATER)
    assert approval.decided_at == LATER


@pytest.mark.parametrize("second", ["approve", "reject"])
def test_the_first_decision_ends_it(second: Verdict, ready: Flask) -> None:
    request = ask(BOB, CAROL)
    on_page(request.approval_id)
    with pytest.raises(Conflict, match="approved already"):
        on_page(request.approval_id, CAROL, verdict=second)
    with pytest.raises(Conflict):
        approvals.cancel(request.approval_id, now=LATER)
    assert approvals.expire_due(now=NOW + timedelta(days=30)) == 0
    assert approvals.get(request.approval_id).status == "approved"


def test_who_was_not_asked_is_told_that_there_is_no_such_request(ready: Flask) -> None:
    request = ask()
    with pytest.raises(NotFound):
        on_page(request.approval_id, CAROL)
    with pytest.raises(Conflict):  # an admin sees it, and may not decide it
        on_page(request.approval_id, ADA)


def test_the_page_refuses_a_disabled_account(ready: Flask) -> None:
    request = ask()
    accounts.set_active(BOB, False)
    with pytest.raises(Conflict):
        on_page(request.approval_id)


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_what_is_cancelled_or_expired_stays_so(status: str, ready: Flask) -> None:
    request = ask()
    if status == "cancelled":
        approvals.cancel(request.approval_id, now=NOW)
    else:
        assert approvals.expire_due(now=NOW + timedelta(days=7)) == 1
    with pytest.raises(Conflict, match=status):
        approvals.cancel(request.approval_id, now=LATER)
    with pytest.raises(Conflict, match=status):
        on_page(request.approval_id)
    assert approvals.get(request.approval_id).status == status


def test_only_what_is_over_expires(ready: Flask) -> None:
    short, long = ask(expires_in=60), ask(expires_in=3600)
    assert approvals.expire_due(now=NOW + timedelta(seconds=59)) == 0
    assert approvals.expire_due(now=NOW + timedelta(seconds=60)) == 1
    assert approvals.expire_due(now=NOW + timedelta(seconds=61)) == 0
    db.session.rollback()
    assert approvals.get(short.approval_id).status == "expired"
    assert approvals.get(long.approval_id).status == "pending"


def test_an_unknown_request_cannot_be_cancelled(ready: Flask) -> None:
    with pytest.raises(NotFound):
        approvals.cancel(999, now=NOW)


def outcome_of(approval_id: int) -> tuple[str, int]:
    db.session.rollback()
    approval: Approval = approvals.get(approval_id)
    return approval.status, len(approval.decisions)


@pytest.mark.parametrize("round_", range(3))
def test_of_two_decisions_on_the_page_exactly_one_wins(round_: int, ready: Flask) -> None:
    request = ask(BOB, CAROL)
    results = together(
        ready,
        lambda: on_page(request.approval_id, BOB, verdict="approve"),
        lambda: on_page(request.approval_id, CAROL, verdict="reject"),
    )
    winners = [result for result in results if isinstance(result, str)]
    assert len(winners) == 1, results
    assert [type(result) for result in results].count(Conflict) == 1
    assert outcome_of(request.approval_id) == (winners[0], 1)


@pytest.mark.parametrize("round_", range(3))
def test_of_two_decisions_by_mail_and_page_exactly_one_wins(round_: int, ready: Flask) -> None:
    request = ask(BOB)
    mail = reply(request, "Approve")
    by_mail, by_page = together(
        ready,
        lambda: str(hand_in(mail, now=LATER).outcome),
        lambda: on_page(request.approval_id, verdict="reject"),
    )
    if by_mail == "approved":
        assert isinstance(by_page, Conflict)
        assert outcome_of(request.approval_id) == ("approved", 1)
    else:
        assert (by_mail, by_page) == ("already_decided", "rejected")
        assert outcome_of(request.approval_id) == ("rejected", 1)


def test_of_many_replies_at_once_exactly_one_wins(ready: Flask) -> None:
    request = ask(BOB)
    mails = [reply(request, word) for word in ("Approve", "Reject", "Approve", "Reject")]
    results = together(
        ready, *[lambda raw=raw: str(hand_in(raw, now=LATER).outcome) for raw in mails]
    )
    assert sorted(map(str, results))[:3] == ["already_decided"] * 3
    assert outcome_of(request.approval_id)[1] == 1
    assert len(queued("reply_confirmation")) == 1


def test_a_decision_and_the_loss_of_power_never_both_happen_after_each_other(
    ready: Flask,
) -> None:
    request = ask(BOB)
    decided, disabled = together(
        ready,
        lambda: on_page(request.approval_id),
        lambda: bool(accounts.set_active(BOB, False).active),
    )
    assert disabled is False
    expected = ("approved", 1) if decided == "approved" else ("pending", 0)
    assert outcome_of(request.approval_id) == expected


def test_charlie_without_an_account_has_no_way_in(ready: Flask) -> None:
    request = ask(BOB)
    assert accounts.find(CHARLIE) is None
    with pytest.raises(Exception, match="No row"):
        approvals.decide_on_page(request.approval_id, 999, verdict="approve", comment="", now=LATER)
    assert outcome_of(request.approval_id) == ("pending", 0)
