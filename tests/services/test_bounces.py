"""Bounces: a mail of ours that did not arrive shows as failed, and nothing else happens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from flexmail.db import db, transaction
from flexmail.models import OutboxMail
from flexmail.services import approvals, bounces, outbox, status
from flexmail.services.delivery import deliver_due
from tests.conftest import NOW
from tests.rogue import Peer
from tests.services.reports import delivery_report
from tests.services.sink import Sink
from tests.services.stage import (
    ADA,
    BOB,
    CHARLIE,
    Asked,
    ask,
    asked,
    hand_in,
    locked_database,
    opened,
    queued,
    read,
    reply,
    set_up,
)

LATER = NOW + timedelta(hours=1)
NEXT_DAY = NOW + timedelta(days=1)


@pytest.fixture
def request_(people: Flask) -> Asked:
    """A request whose mail the mail server took."""
    set_up()
    request = ask(BOB)
    change(state="sent", sent_at=NOW, answer="250 queued")
    return request


def change(**values: object) -> None:
    with transaction():
        for mail in queued():
            for name, value in values.items():
                setattr(mail, name, value)


def the_mail(to: str = "") -> OutboxMail:
    db.session.rollback()
    (mail,) = queued("approval_request", to)
    return mail


def facts(mail: OutboxMail) -> tuple[object, ...]:
    return (mail.state, mail.status_code, mail.bounced_at, mail.answer)


def test_a_failure_marks_the_mail_and_says_which_and_why(request_: Asked) -> None:
    row = hand_in(delivery_report(request_.message_id), now=LATER)
    mail = the_mail()
    assert facts(mail) == ("failed", "5.1.1", LATER, "5.1.1 user unknown")
    assert mail.sent_at == NOW
    assert (row.outcome, row.approval_id) == ("bounce", request_.approval_id)
    assert row.reason == f"Mail {mail.id} to {BOB} could not be delivered: 5.1.1 user unknown."


def test_a_bounce_decides_nothing_closes_nothing_and_is_not_answered(request_: Asked) -> None:
    said = f"Approve\r\n\r\nReference: {request_.reference}"
    hand_in(delivery_report(request_.message_id, said=said), now=LATER)
    assert len(queued()) == 1
    assert approvals.get(request_.approval_id).status == "pending"
    assert hand_in(reply(request_), now=LATER).outcome == "approved"


@pytest.mark.parametrize(
    ("action", "status", "state", "said"),
    [
        ("failed", "5.1.1", "failed", "could not be delivered: 5.1.1 why"),
        ("failed", "4.4.7", "failed", "could not be delivered: 4.4.7 why"),
        ("delayed", "4.4.1", "sent", "is not delivered yet: 4.4.1 why"),
        ("delayed", "5.4.1", "sent", "is not delivered yet: 5.4.1 why"),
        ("delivered", "2.0.0", "sent", "was delivered"),
        ("relayed", "2.0.0", "sent", "was relayed"),
        ("expanded", "2.0.0", "sent", "was expanded"),
    ],
)
def test_only_a_failure_makes_a_mail_failed(
    action: str, status: str, state: str, said: str, request_: Asked
) -> None:
    raw = delivery_report(request_.message_id, action=action, status=status, diagnostic="smtp; why")
    row = hand_in(raw, now=LATER)
    mail = the_mail()
    assert (row.outcome, row.reason) == ("bounce", f"Mail {mail.id} to {BOB} {said}.")
    assert (mail.state, mail.bounced_at) == (state, LATER if state == "failed" else None)
    assert mail.status_code == (status if state == "failed" else "")
    if action == "delayed":
        assert mail.answer == f"Not delivered yet: {status} why"
    if action in ("delivered", "relayed", "expanded"):
        assert mail.answer == "250 queued"


def test_the_same_report_again_changes_nothing(request_: Asked) -> None:
    raw = delivery_report(request_.message_id)
    hand_in(raw, now=LATER)
    before = facts(the_mail())
    again = hand_in(raw, now=NEXT_DAY)
    other = hand_in(delivery_report(request_.message_id, status="5.2.2"), now=NEXT_DAY)
    late = hand_in(delivery_report(request_.message_id, action="delayed"), now=NEXT_DAY)
    assert facts(the_mail()) == before
    assert {row.outcome for row in (again, other, late)} == {"bounce"}


def test_a_failure_after_a_delay_counts(request_: Asked) -> None:
    hand_in(delivery_report(request_.message_id, action="delayed", status="4.4.1"), now=LATER)
    hand_in(delivery_report(request_.message_id, status="4.4.7"), now=NEXT_DAY)
    assert the_mail().state == "failed"
    assert the_mail().bounced_at == NEXT_DAY


def test_the_worst_of_several_recipients_counts(request_: Asked) -> None:
    raw = delivery_report(request_.message_id, action="delivered", status="2.0.0").replace(
        b"Diagnostic-Code:",
        b"\r\nFinal-Recipient: rfc822; x@corp.test\r\nAction: failed\r\nStatus: 5.2.2\r\nX-Code:",
    )
    hand_in(raw)
    assert (the_mail().state, the_mail().status_code) == ("failed", "5.2.2")


def test_the_message_id_alone_proves_which_mail_it_is(request_: Asked) -> None:
    others = ask(ADA, title="Another")
    change(state="sent")
    strange = delivery_report(request_.message_id, recipient=ADA)
    hand_in(strange)
    assert (the_mail(BOB).state, the_mail(ADA).state) == ("failed", "sent")
    assert others.approval_id != request_.approval_id


@pytest.mark.parametrize(
    "message_id",
    ["<fm-aaaaaaaaaaaaaaaaaaaaaaaaaa@corp.test>", "<x@corp.test>", ""],
    ids=["made up", "another's", "none"],
)
def test_a_report_about_no_mail_of_ours_marks_nothing(message_id: str, request_: Asked) -> None:
    row = hand_in(delivery_report(message_id))
    assert (row.outcome, row.approval_id) == ("bounce", None)
    assert row.reason == "a delivery report"
    assert the_mail().state == "sent"


def test_a_report_that_leads_to_two_mails_marks_neither(request_: Asked) -> None:
    other = ask(ADA)
    change(state="sent")
    both = f"{request_.message_id}\r\nMessage-ID: {other.message_id}"
    assert hand_in(delivery_report(both)).approval_id is None
    assert (the_mail(BOB).state, the_mail(ADA).state) == ("sent", "sent")


@pytest.mark.parametrize("state", ["queued", "cancelled", "failed"])
def test_a_mail_that_is_not_under_way_stays_as_it_is(state: str, request_: Asked) -> None:
    change(state=state, answer="before")
    row = hand_in(delivery_report(request_.message_id))
    assert facts(the_mail()) == (state, "", None, "before")
    assert "could not be delivered" in row.reason


def test_each_approver_has_a_mail_of_their_own(request_: Asked) -> None:
    both = ask(BOB, ADA)
    change(state="sent")
    hand_in(delivery_report(asked(both.approval_id, ADA).message_id))
    states = {mail.recipient: mail.state for mail in bounces.deliveries(both.approval_id)}
    assert states == {BOB: "sent", ADA: "failed"}


def test_a_bounced_answer_is_shown_with_its_request(request_: Asked) -> None:
    hand_in(reply(request_, "Maybe"))
    (answer,) = queued("reply_explanation")
    change(state="sent")
    row = hand_in(delivery_report(str(read(opened(answer))["Message-ID"])))
    assert (row.approval_id, the_mail().state) == (request_.approval_id, "sent")
    assert queued("reply_explanation")[0].state == "failed"
    assert len(queued()) == 2


def test_no_field_shows_a_reference_that_a_report_quotes(request_: Asked) -> None:
    said = f"smtp; 550 5.7.1 {request_.reference} {request_.message_id} \x1b[2J"
    row = hand_in(delivery_report(request_.message_id, diagnostic=said))
    for shown in (row.reason, the_mail().answer):
        assert "masked" in shown
        assert request_.reference not in shown
        assert request_.message_id not in shown
        assert shown.isprintable()


def test_a_plain_bounce_of_our_mail_marks_it(request_: Asked) -> None:
    raw = (
        b"From: MAILER-DAEMON@mx.corp.test\r\nSubject: failure notice\r\n\r\n"
        b"<bob@corp.test>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n"
        b"--- Below this line is a copy of the message.\r\n\r\n"
    ) + request_.raw
    assert hand_in(raw).outcome == "bounce"
    assert facts(the_mail())[:2] == ("failed", "5.1.1")
    assert the_mail().answer == "5.1.1 Sorry, no mailbox here by that name."


def test_a_person_who_attaches_our_mail_does_not_bounce_it(request_: Asked) -> None:
    body = (
        f"--b\r\nContent-Type: text/plain\r\n\r\nReject\r\n\r\n> {request_.reference}\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{request_.raw.decode()}\r\n--b--"
    )
    raw = reply(request_, headers=("Content-Type: multipart/mixed; boundary=b",), body=body)
    assert hand_in(raw).outcome == "rejected"
    assert the_mail().state == "sent"


def test_charlie_who_never_got_the_mail_can_bounce_nothing(request_: Asked) -> None:
    raw = delivery_report(f"<fm-{'b' * 26}@corp.test>", recipient=CHARLIE)
    hand_in(raw.replace(b"mx.corp.test", b"evil.test"))
    assert the_mail().state == "sent"


def test_a_mail_that_came_back_can_be_sent_again(request_: Asked) -> None:
    hand_in(delivery_report(request_.message_id), now=LATER)
    mail = outbox.retry(the_mail().id, now=NEXT_DAY)
    assert (mail.state, mail.bounced_at, mail.status_code) == ("queued", None, "")
    assert (mail.attempts, mail.sent_at, mail.retry_at) == (0, None, NEXT_DAY)
    with Sink() as sink:
        deliver_due(now=NEXT_DAY)
    assert sink.mails() == [request_.raw]
    assert (the_mail().state, the_mail().bounced_at) == ("sent", None)
    hand_in(delivery_report(request_.message_id, status="5.2.2"), now=NEXT_DAY)
    assert facts(the_mail())[:3] == ("failed", "5.2.2", NEXT_DAY)


@pytest.mark.parametrize("answer", [b"250 2.0.0 queued\r\n", b"451 4.3.0 later\r\n"])
def test_a_bounce_that_is_quicker_than_the_answer_is_not_lost(answer: bytes, people: Flask) -> None:
    set_up()
    request = ask(BOB)

    def bounce_at_once(peer: Peer, line: bytes) -> None:
        with people.app_context():
            hand_in(delivery_report(request.message_id), now=NOW)
        peer.send(answer)

    with Sink({".": bounce_at_once}):
        report = deliver_due(now=NOW)
    mail = the_mail()
    assert facts(mail) == ("failed", "5.1.1", NOW, "5.1.1 user unknown")
    assert (mail.claimed_by, bool(mail.sent_at)) == (None, answer.startswith(b"2"))
    assert (report.sent, report.failed) == ((1, 0) if answer.startswith(b"2") else (0, 1))


@pytest.mark.parametrize(
    ("answer", "state", "status_code"),
    [
        (b"550 5.1.1 user unknown\r\n", "failed", "5.1.1"),
        (b"550-5.1.1 user\r\n550 5.1.1 unknown\r\n", "failed", "5.1.1"),
        (b"550 user unknown\r\n", "failed", ""),
        (b"451 4.7.1 later\r\n", "queued", "4.7.1"),
        (b"250 2.1.5 fine\r\n", "sent", ""),
    ],
)
def test_the_code_of_a_refusal_while_sending_is_kept(
    answer: bytes, state: str, status_code: str, people: Flask
) -> None:
    set_up()
    ask(BOB)
    with Sink({"RCPT": answer}):
        deliver_due(now=NOW)
    assert (the_mail().state, the_mail().status_code) == (state, status_code)
    assert the_mail().bounced_at is None


def test_the_code_of_an_earlier_refusal_goes_when_the_mail_is_sent(people: Flask) -> None:
    set_up()
    ask(BOB)
    with Sink({"RCPT": b"451 4.7.1 later\r\n"}) as sink:
        deliver_due(now=NOW)
        sink.answers["RCPT"] = b"250 fine\r\n"
        deliver_due(now=LATER)
    assert (the_mail().state, the_mail().status_code) == ("sent", "")


def test_undelivered_mails_are_counted_while_their_request_is_open(request_: Asked) -> None:
    assert bounces.undelivered() == 0
    hand_in(delivery_report(request_.message_id))
    assert bounces.undelivered() == 1
    (warning,) = status.overview(now=NOW)["warnings"]
    assert warning.startswith("1 approval mail(s) of open requests could not be delivered")
    approvals.cancel(request_.approval_id, now=NOW)
    assert bounces.undelivered() == 0
    assert status.overview(now=NOW)["warnings"] == []


def test_a_bounce_that_cannot_be_stored_is_left_for_another_run(
    people: Flask, request_: Asked
) -> None:
    raw = delivery_report(request_.message_id)
    with locked_database(people), pytest.raises(OperationalError):
        hand_in(raw)
    db.session.rollback()
    assert the_mail().state == "sent"
    assert hand_in(raw).outcome == "bounce"
    assert the_mail().state == "failed"
