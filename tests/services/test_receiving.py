"""Receiving: one outcome a mail, a decision only where all is right, and one answer at most."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from flexmail import create_app
from flexmail.models import OUTCOMES
from flexmail.services import accounts, approvals
from flexmail.services.kept_mail import raw_of
from tests.conftest import NOW
from tests.services.stage import (
    ADA,
    APPROVALS,
    BOB,
    CHARLIE,
    Asked,
    ask,
    asked,
    hand_in,
    opened,
    queued,
    read,
    reply,
    set_up,
    text_of,
)

CAROL = "carol@corp.test"
LATER = NOW + timedelta(hours=1)
CONFIRMED, EXPLAINED, SILENT = "reply_confirmation", "reply_explanation", ""


@pytest.fixture
def ready(people: Flask) -> Flask:
    accounts.add(CAROL, role="approver", groups=["ops"], now=NOW)
    set_up()
    return people


def answers() -> list[tuple[str, str]]:
    return [(m.kind, m.recipient) for m in queued() if m.kind != "approval_request"]


def status_of(request: Asked) -> str:
    return approvals.get(request.approval_id).status


def bounce_of(request: Asked) -> bytes:
    body = (
        "--b\r\nContent-Type: text/plain\r\n\r\nApprove? No such user.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.corp.test\r\n\r\nFinal-Recipient: rfc822; bob@corp.test\r\n"
        "Action: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {request.message_id}\r\n"
        "--b--"
    )
    kind = 'Content-Type: multipart/report; report-type=delivery-status; boundary="b"'
    return reply(request, sender="mailer-daemon@mx.corp.test", headers=(kind,), body=body)


def without_text(request: Asked) -> bytes:
    body = "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
    return reply(request, headers=("Content-Type: multipart/mixed; boundary=b",), body=body)


def html_only(request: Asked, said: str) -> bytes:
    body = f"<html><body><p>{said}</p><blockquote>{request.reference}</blockquote></body></html>"
    return reply(request, headers=("Content-Type: text/html; charset=utf-8",), body=body)


def two_senders(request: Asked) -> bytes:
    return reply(request, headers=(f"From: {CHARLIE}",))


def disabled(request: Asked) -> bytes:
    accounts.set_active(BOB, False)
    return reply(request)


def decided(request: Asked) -> bytes:
    hand_in(reply(request, "Reject"))
    return reply(request)


def expired(request: Asked) -> bytes:
    approvals.expire_due(now=NOW + timedelta(days=8))
    return reply(request)


def cancelled(request: Asked) -> bytes:
    approvals.cancel(request.approval_id, now=NOW)
    return reply(request)


def twice(request: Asked) -> bytes:
    raw = reply(request, "Maybe")
    hand_in(raw)
    return raw


# what comes in → its outcome, and what is answered to Bob
CASES: dict[str, tuple[Callable[[Asked], bytes], str, str]] = {
    "approve": (lambda r: reply(r, "Approve"), "approved", CONFIRMED),
    "approve with history alone": (lambda r: reply(r, threaded=False), "approved", CONFIRMED),
    "approve without history": (lambda r: reply(r, history=False), "approved", CONFIRMED),
    "approve in HTML": (lambda r: html_only(r, "Approve"), "approved", CONFIRMED),
    "yes": (lambda r: reply(r, "Yes."), "approved", CONFIRMED),
    "reject": (lambda r: reply(r, "reject: not on a Friday"), "rejected", CONFIRMED),
    "no": (lambda r: reply(r, "NO"), "rejected", CONFIRMED),
    "a question": (lambda r: reply(r, "Approve?"), "unclear", EXPLAINED),
    "small talk": (lambda r: reply(r, "Thanks, I will look"), "unclear", EXPLAINED),
    "nothing": (lambda r: reply(r, ""), "unclear", EXPLAINED),
    "no word of ours": (lambda r: reply(None), "unknown_reference", SILENT),
    "a made-up reference": (
        lambda r: reply(None, f"Approve\r\n\r\nReference: FM-{'A' * 26}"),
        "unknown_reference",
        SILENT,
    ),
    "Charlie": (lambda r: reply(r, sender=CHARLIE), "wrong_sender", EXPLAINED),
    "Ada": (lambda r: reply(r, sender=ADA), "wrong_sender", EXPLAINED),
    "disabled": (disabled, "not_an_approver", SILENT),
    "decided": (decided, "already_decided", EXPLAINED),
    "expired": (expired, "expired", EXPLAINED),
    "cancelled": (cancelled, "cancelled", EXPLAINED),
    "out of office": (
        lambda r: reply(r, headers=("Auto-Submitted: auto-replied",)), "auto_reply", SILENT
    ),
    "suppressed": (
        lambda r: reply(r, headers=("X-Auto-Response-Suppress: All",)), "auto_reply", SILENT
    ),
    "bulk": (lambda r: reply(r, headers=("Precedence: bulk",)), "auto_reply", SILENT),
    "no return path": (lambda r: reply(r, headers=("Return-Path: <>",)), "auto_reply", SILENT),
    "bounce": (bounce_of, "bounce", SILENT),
    "our own mail": (lambda r: r.raw, "own_mail", SILENT),
    "two From lines": (two_senders, "malformed", SILENT),
    "another address in the name": (
        lambda r: reply(r, sender=f'"{BOB}" <{CHARLIE}>'), "malformed", SILENT
    ),
    "no From": (
        lambda r: reply(r).replace(b"From: Bob <bob@corp.test>\r\n", b""), "malformed", SILENT
    ),
    "no headers": (lambda r: b"Approve\r\n", "malformed", SILENT),
    "the same mail": (twice, "duplicate", EXPLAINED),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_mail_ends_as_its_outcome_with_the_right_answer(case: str, ready: Flask) -> None:
    make, outcome, answer = CASES[case]
    request = ask(BOB)
    raw = make(request)
    decided_before = len(approvals.get(request.approval_id).decisions)
    answered_before = answers()
    if outcome == "duplicate":  # the first of the two was answered, the second is not
        answered_before, answer = answers()[:0], EXPLAINED
    row = hand_in(raw, now=LATER)
    assert (row.outcome, bool(row.reason)) == (outcome, True)
    assert row.processed_at == LATER
    assert answers() == answered_before + ([(answer, BOB)] if answer else [])
    made = len(approvals.get(request.approval_id).decisions) - decided_before
    assert made == (outcome in ("approved", "rejected"))
    assert raw_of(row) == raw


def test_the_cases_cover_every_outcome_but_those_with_tests_of_their_own() -> None:
    elsewhere = {"unauthenticated", "mail_not_allowed", "too_large", "failed"}
    assert {outcome for _, outcome, _ in CASES.values()} | elsewhere == set(OUTCOMES)


def test_a_mail_whose_text_lies_beyond_what_was_fetched_is_too_large(ready: Flask) -> None:
    request = ask()
    assert hand_in(without_text(request), partial=True).outcome == "too_large"
    assert answers() == []


def test_a_long_mail_whose_text_comes_first_decides(ready: Flask) -> None:
    request = ask()
    row = hand_in(reply(request, "Approve\r\n\r\n" + "> x\r\n" * 20_000), partial=True)
    assert (row.outcome, row.raw_partial) == ("approved", True)


def test_where_the_texts_were_said_to_end_one_that_is_torn_decides_nothing(ready: Flask) -> None:
    request = ask()
    row = hand_in(reply(request, "Approve\r\n\r\n" + "> x\r\n" * 1000), partial=True)
    assert row.outcome == "too_large"


@pytest.mark.parametrize(
    ("said", "outcome", "answer"),
    [("Approve", "mail_not_allowed", EXPLAINED), ("Reject", "rejected", CONFIRMED)],
)
def test_a_request_that_mail_may_only_reject_is_not_approved_by_mail(
    said: str, outcome: str, answer: str, ready: Flask
) -> None:
    request = ask(mail_decision="reject_only")
    assert hand_in(reply(request, said)).outcome == outcome
    assert answers() == [(answer, BOB)]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("Reject", "unclear"), ("Reject not today", "rejected"), ("Approve", "approved")],
)
def test_a_required_comment_is_asked_of_a_rejection(said: str, outcome: str, ready: Flask) -> None:
    request = ask(comment_required=True)
    row = hand_in(reply(request, said))
    assert row.outcome == outcome
    if outcome == "unclear":
        assert "comment is required" in row.reason
        assert "comment is required" in text_of(opened(queued(EXPLAINED)[0]))


PASS = "Authentication-Results: mx.corp.test; dmarc=pass header.from=corp.test"


@pytest.mark.parametrize(
    ("header", "outcome"),
    [
        (PASS, "approved"),
        ("Authentication-Results: mx.corp.test; dkim=pass header.d=corp.test", "approved"),
        ("X-Nothing: here", "unauthenticated"),
        (PASS.replace("pass", "fail"), "unauthenticated"),
        (PASS.replace("mx.corp", "mx.evil"), "unauthenticated"),
        (PASS.replace("from=corp", "from=evil"), "unauthenticated"),
        (
            "Authentication-Results: mx.corp.test; spf=pass smtp.mailfrom=corp.test",
            "unauthenticated",
        ),
        (f"{PASS.replace('pass', 'fail')}\r\n{PASS}", "unauthenticated"),
    ],
)
def test_where_the_settings_ask_the_mail_server_has_to_vouch_for_the_sender(
    header: str, outcome: str, ready: Flask
) -> None:
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    request = ask()
    assert hand_in(reply(request, headers=(header,))).outcome == outcome
    assert answers() == [(CONFIRMED if outcome == "approved" else EXPLAINED, BOB)]


def test_nobody_is_vouched_for_where_the_mail_server_may_have_read_other_headers(
    ready: Flask,
) -> None:
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    request = ask()
    inside = reply(request).replace(b"\r\n", b"\n")  # to who goes by CRLF all of it is one header
    smuggled = f"{PASS}\r\nX: a\n".encode() + inside + b"\r\nFrom: charlie@corp.test\r\n\r\n"
    row = hand_in(smuggled)
    assert (row.outcome, row.sender) == ("unauthenticated", "Bob <bob@corp.test>")
    assert "end in two ways" in row.reason
    assert hand_in(PASS.encode() + b"\n" + inside).outcome == "approved"


@pytest.mark.parametrize(
    ("sender", "outcome"),
    [
        ("bob@corp.test", "approved"),
        ("Robert B. <bob@CORP.Test>", "approved"),
        ("BOB@corp.test", "wrong_sender"),
        ("bob+x@corp.test", "wrong_sender"),
        ("bob@corp.test.evil.test", "wrong_sender"),
        ("bob@evilcorp.test", "wrong_sender"),
        ("bob@sub.corp.test", "wrong_sender"),
        ("bоb@corp.test", "malformed"),  # a Cyrillic letter
        ('"bob"@corp.test', "malformed"),
        ("bob@corp.test, charlie@evil.test", "malformed"),
        ("boss@corp.test <bob@corp.test>", "malformed"),
        ("bob@corp.test (Bob) <charlie@evil.test>", "malformed"),
        ("undisclosed:;", "malformed"),
    ],
)
def test_the_sender_is_the_approver_to_the_letter_or_nobody(
    sender: str, outcome: str, ready: Flask
) -> None:
    request = ask()
    assert hand_in(reply(request, sender=sender)).outcome == outcome
    assert status_of(request) == ("approved" if outcome == "approved" else "pending")


@pytest.mark.parametrize(
    "header", [f"Sender: {BOB}", f"Reply-To: {BOB}", f"Resent-From: {BOB}", f"X-From: {BOB}"]
)
def test_no_other_header_makes_somebody_the_sender(header: str, ready: Flask) -> None:
    request = ask()
    assert hand_in(reply(request, sender=CHARLIE, headers=(header,))).outcome == "wrong_sender"


def test_a_wrong_sender_is_explained_to_the_bound_approver_and_nobody_else(
    ready: Flask,
) -> None:
    request = ask()
    hand_in(reply(request, sender=CHARLIE))
    (mail,) = queued(EXPLAINED)
    told = read(opened(mail))
    assert told["To"] == BOB
    assert told["In-Reply-To"] is None
    assert "answer" not in str(told["References"] or "")


def test_an_approver_who_was_disabled_gets_no_explanations_any_more(ready: Flask) -> None:
    request = ask()
    accounts.set_active(BOB, False)
    assert hand_in(reply(request, sender=CHARLIE)).outcome == "wrong_sender"
    assert answers() == []


def test_the_reference_of_another_approver_gives_no_power(ready: Flask) -> None:
    request = ask(BOB, CAROL)
    carols = asked(request.approval_id, CAROL)
    row = hand_in(reply(carols, sender=f"Bob <{BOB}>"))
    assert row.outcome == "wrong_sender"
    assert answers() == [(EXPLAINED, CAROL)]
    assert status_of(request) == "pending"


def test_the_reference_of_another_request_decides_that_one_only(ready: Flask) -> None:
    first, second = ask(title="First"), ask(title="Second")
    row = hand_in(reply(second))
    assert (row.outcome, row.approval_id) == ("approved", second.approval_id)
    assert (status_of(first), status_of(second)) == ("pending", "approved")


@pytest.mark.parametrize("how", ["two in the text", "text and thread", "one of ours, one made up"])
def test_references_that_disagree_decide_nothing(how: str, ready: Flask) -> None:
    first, second = ask(title="First"), ask(title="Second")
    raw = {
        "two in the text": reply(
            first, threaded=False, said=f"Approve\r\n\r\n> Reference: {second.reference}"
        ),
        "text and thread": reply(
            first, threaded=False, headers=(f"In-Reply-To: {second.message_id}",)
        ),
        "one of ours, one made up": reply(first, said=f"Approve\r\n\r\n> FM-{'B' * 26}"),
    }[how]
    row = hand_in(raw)
    assert (row.outcome, row.approval_id) == ("unknown_reference", None)
    assert (status_of(first), status_of(second)) == ("pending", "pending")
    assert answers() == []


@pytest.mark.parametrize("header", ["In-Reply-To", "References"])
def test_a_reply_without_history_is_known_by_either_header(header: str, ready: Flask) -> None:
    request = ask()
    value = f"{header}: <other@client.test>\r\n {request.message_id}"
    row = hand_in(reply(request, history=False, threaded=False, headers=(value,)))
    assert row.outcome == "approved"


def test_the_message_id_in_any_other_place_is_no_reference(ready: Flask) -> None:
    request = ask()
    headers = (f"X-In-Reply-To: {request.message_id}", f"Thread-Index: {request.message_id}")
    raw = reply(None, f"Approve {request.message_id}", headers=headers)
    assert hand_in(raw).outcome == "unknown_reference"


def test_a_reference_in_the_subject_alone_proves_nothing(ready: Flask) -> None:
    request = ask()
    raw = reply(None).replace(b"Subject: Re:", f"Subject: {request.reference} Re:".encode())
    row = hand_in(raw)
    assert row.outcome == "unknown_reference"
    assert request.reference not in row.subject


def test_who_was_removed_from_the_group_decides_nothing_with_mail_under_way(
    ready: Flask,
) -> None:
    request = ask("group:ops")
    raw = reply(request, sender=CAROL)
    accounts.edit(CAROL, groups=[])
    assert hand_in(raw).outcome == "not_an_approver"
    assert status_of(request) == "pending"


def test_who_joined_the_group_later_has_no_reference_but_the_page(ready: Flask) -> None:
    request = ask("group:ops")
    accounts.edit(BOB, groups=["ops"])
    assert hand_in(reply(request)).outcome == "wrong_sender"
    assert hand_in(reply(request, sender=CAROL)).outcome == "approved"


def test_a_request_is_over_for_mail_at_its_very_moment(ready: Flask) -> None:
    first, second = ask(expires_in=60), ask(expires_in=60)
    assert hand_in(reply(first), now=NOW + timedelta(seconds=60)).outcome == "expired"
    assert hand_in(reply(second), now=NOW + timedelta(seconds=59)).outcome == "approved"


def test_explanations_end_after_five_a_day_and_confirmations_do_not(ready: Flask) -> None:
    request = ask()
    for minute in range(7):
        now = NOW + timedelta(minutes=minute)
        assert hand_in(reply(request, f"Hm {minute}"), now=now).outcome == "unclear"
    assert len(queued(EXPLAINED)) == 5
    hand_in(reply(ask("group:ops"), "Hm", sender=CAROL), now=LATER)
    assert len(queued(EXPLAINED, CAROL)) == 1
    next_day = NOW + timedelta(days=1, minutes=10)
    hand_in(reply(request, "Hm again"), now=next_day)
    assert len(queued(EXPLAINED, BOB)) == 6
    hand_in(reply(request), now=next_day)
    assert len(queued(CONFIRMED, BOB)) == 1


def test_a_confirmation_answers_the_mail_and_says_what_was_counted(ready: Flask) -> None:
    request = ask()
    raw = reply(request, "Approve looks <b>good</b> {{ 7*7 }}")
    row = hand_in(raw)
    (mail,) = queued(CONFIRMED)
    told = read(opened(mail))
    assert told["In-Reply-To"] == read(raw)["Message-ID"] == row.message_id
    assert told["Auto-Submitted"] == "auto-replied"
    assert told["Reply-To"] is None
    assert told["Subject"] == f"Approved: Deploy billing 4.2 [FM #{request.approval_id}]"
    assert "looks <b>good</b> {{ 7*7 }}" in text_of(opened(mail))
    assert "<b>good</b>" not in text_of(opened(mail), "html")


def test_no_answer_holds_a_reference(ready: Flask) -> None:
    request = ask()
    hand_in(reply(request, f"What is {request.reference}?"))
    hand_in(reply(request, f"Reject, that is {request.reference}"))
    for mail in (*queued(EXPLAINED), *queued(CONFIRMED)):
        for kind in ("plain", "html"):
            assert request.reference not in text_of(opened(mail), kind)
    (decision,) = approvals.get(request.approval_id).decisions
    assert request.reference not in decision.comment


def test_an_explanation_says_why_and_whether_the_request_is_still_open(ready: Flask) -> None:
    request = ask()
    row = hand_in(reply(request, "Approve?"))
    text = text_of(opened(queued(EXPLAINED)[0]))
    assert row.reason in text
    assert "still open" in text
    hand_in(reply(request, "Reject"))
    hand_in(reply(request, "Approve"))
    text = text_of(opened(queued(EXPLAINED)[1]))
    assert "rejected already" in text
    assert "still open" not in text


@pytest.mark.parametrize(
    "comment",
    [
        *("nul \x00 in it", "feed \x0b\x0c", "separator \u2028 in it", "byte mark \ufeff"),
        *(".", "From here", "ж" * 12_000, "a" * 12_000, "{% raw %}", "👋🏽", "\ufffe", "tab\tbed"),
    ],
)
def test_no_comment_however_odd_keeps_a_decision_from_being_counted(
    comment: str, ready: Flask
) -> None:
    request = ask()
    row = hand_in(reply(request, f"Reject\r\n\r\n{comment}"))
    assert row.outcome == "rejected"
    assert len(queued(CONFIRMED)) == 1


@pytest.mark.parametrize(
    "message_id",
    [
        *("", "Message-ID:", "Message-ID: none", "Message-ID: <a@b.test> <c@d.test>"),
        *("Message-ID: <" + "a" * 240 + "@b.test>", "Message-ID: <ü@b.test>", "Message-ID: <>"),
        *("Message-ID: <a@b.test\x07>", "Message-ID: <\x00@b.test>", "Message-ID: <\x85@b.test>"),
    ],
)
def test_no_message_id_however_odd_keeps_a_decision_from_being_counted(
    message_id: str, ready: Flask
) -> None:
    request = ask()
    lines = reply(request).split(b"\r\n")
    at = next(i for i, line in enumerate(lines) if line.startswith(b"Message-ID:"))
    lines[at : at + 1] = [message_id.encode()] if message_id else []
    assert hand_in(b"\r\n".join(lines)).outcome == "approved"
    assert len(queued(CONFIRMED)) == 1


def test_what_the_mail_says_of_itself_is_shown_on_one_line(ready: Flask) -> None:
    request = ask()
    raw = reply(request, sender="=?utf-8?q?Bob=0ABcc=3A_x?= <bob@corp.test>").replace(
        b"Subject: Re: ", b"Subject: =?utf-8?q?two=0D=0Alines?= \xe2\x80\xae " + b"a" * 2000
    )
    row = hand_in(raw)
    for shown in (row.sender, row.subject, row.message_id):
        assert shown.isprintable()
        assert len(shown) <= 400


def test_words_of_the_settings_decide_and_the_others_no_longer(ready: Flask) -> None:
    set_up(approve_words="genehmigt", reject_words="abgelehnt")
    request = ask()
    assert hand_in(reply(request, "Approve")).outcome == "unclear"
    assert hand_in(reply(request, "Genehmigt, danke")).outcome == "approved"


def other_flexmail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("FLEXMAIL_INSTANCE_PATH", str(tmp_path / "other"))
    return create_app({"TESTING": True})


def test_two_flexmails_that_write_to_each_other_fall_silent(
    ready: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask()
    hand_in(reply(request, "Approve?"))
    hand_in(reply(request))
    ours = [opened(mail) for mail in queued()]
    assert len(ours) == 3
    other = other_flexmail(tmp_path, monkeypatch)
    with other.app_context():
        accounts.add(ADA, role="admin", now=NOW)
        accounts.add(APPROVALS, role="approver", now=NOW)
        set_up(smtp_from_address="approvals@other.test")
        theirs = ask(APPROVALS)
        for raw in ours:
            assert hand_in(raw).outcome == "own_mail"
            gatewayed = raw.replace(b"X-Flexmail:", b"X-Removed:").replace(b"<fm-", b"<new-")
            threaded = gatewayed.replace(
                b"Subject:", f"In-Reply-To: {theirs.message_id}\r\nSubject:".encode(), 1
            )
            assert hand_in(threaded).outcome == "auto_reply"
        assert answers() == []
        assert approvals.get(theirs.approval_id).status == "pending"
    assert hand_in(theirs.raw).outcome == "own_mail"
    assert len(queued()) == 3
