"""Explaining: what the reply job would say, word for word, and not one row of it kept."""

from __future__ import annotations

import os
import re
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from flexmail.db import db, transaction
from flexmail.errors import Conflict, NotFound, ReaderUnavailable
from flexmail.models import OUTCOMES, Reply
from flexmail.services import accounts, approvals, explaining
from flexmail.services.apart import Apart, shared
from flexmail.services.explaining import Explanation
from flexmail.services.rules import RULES
from tests.conftest import NOW
from tests.services.stage import (
    APPROVALS,
    BOB,
    CHARLIE,
    REFERENCE,
    Asked,
    ask,
    hand_in,
    locked_database,
    opened,
    queued,
    reply,
    set_up,
    text_of,
)
from tests.services.test_receiving import CASES, LATER, PASS, ready, without_text

__all__ = ["ready"]

ALL = [*RULES, "answer"]
# outcome -> the rule that decides it; "" when all hold
DECIDING = {
    "approved": {""},
    "rejected": {""},
    "unclear": {"words", "decision", "comment"},
    "unknown_reference": {"reference"},
    "wrong_sender": {"sender"},
    "unauthenticated": {"authentication"},
    "not_an_approver": {"account"},
    "already_decided": {"open"},
    "expired": {"open"},
    "cancelled": {"open"},
    "mail_not_allowed": {"mail_decision"},
    "auto_reply": {"automatic", "hints"},
    "bounce": {"bounce"},
    "own_mail": {"own_mail"},
    "too_large": {"text"},
    "malformed": {"structure", "from"},
    "duplicate": {"seen_before"},
}


@pytest.fixture(autouse=True)
def one_process_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the mails of all tests in one process apart, which takes less time than one for each."""
    monkeypatch.setattr(explaining, "Apart", shared)


def explain(raw: bytes) -> Explanation:
    return explaining.explain(raw, now=LATER)


def contents(app: Flask) -> list[str]:
    """Return every row of the database, written out."""
    db.session.rollback()
    with sqlite3.connect(Path(app.instance_path, "flexmail.db")) as connection:
        written = list(connection.iterdump())
    connection.close()
    return written


def found(told: Explanation, rule: str) -> tuple[bool | None, str]:
    (one,) = [one for one in told.rules if one.rule == rule]
    return one.ok, one.finding


def first_that_fails(told: Explanation) -> str:
    return next((one.rule for one in told.rules if one.ok is False), "")


def shown(told: Explanation) -> str:
    """Return everything that anybody gets to see."""
    return repr(told)


@pytest.mark.parametrize("case", CASES)
def test_what_is_explained_by_the_first_rule_that_fails_then_happens_and_not_before(
    case: str, ready: Flask
) -> None:
    make, outcome, _ = CASES[case]
    request = ask(BOB)
    raw = make(request)
    before, answered = contents(ready), len(queued())
    told = explain(raw)
    assert contents(ready) == before
    assert [one.rule for one in told.rules] == ALL
    assert all(one.finding for one in told.rules)
    assert first_that_fails(told) in DECIDING[outcome], told
    row = hand_in(raw, now=LATER)
    assert (told.outcome, told.reason) == (row.outcome, row.reason)
    assert told.outcome == outcome
    answers = queued()[answered:]
    told_answers = [(told.answer.kind, told.answer.to)] if told.answer else []
    assert told_answers == [(mail.kind, mail.recipient) for mail in answers]
    for mail in answers:
        assert told.answer is not None
        assert told.answer.text == text_of(opened(mail)).replace("\r\n", "\n")
    assert not REFERENCE.search(shown(told))
    assert request.message_id.strip("<>") not in shown(told)


def test_every_outcome_has_its_deciding_rules_and_every_rule_its_outcome() -> None:
    assert DECIDING.keys() == set(OUTCOMES) - {"failed"}
    assert set().union(*DECIDING.values()) == {*RULES, ""} - {"reading", "size"}


def reject_only() -> bytes:
    return reply(ask(mail_decision="reject_only"))


def comment_needed() -> bytes:
    return reply(ask(comment_required=True), "Reject")


def unsigned() -> bytes:
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    return reply(ask())


def forged() -> bytes:
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    return reply(ask(), headers=(PASS.replace("pass", "fail"),))


def cut_before_its_text() -> bytes:
    return without_text(ask()) + b"A" * (1 << 20)


def two_requests() -> bytes:
    return reply(ask(), threaded=False, said=f"Approve\r\n\r\n> Reference: {ask().reference}")


def fifty_one_parts() -> bytes:
    body = "--b\r\n\r\nApprove\r\n" * 51
    return reply(ask(), headers=("Content-Type: multipart/mixed; boundary=b",), body=body)


def parts_that_disagree() -> bytes:
    request = ask()
    body = (
        f"--b\r\nContent-Type: text/plain\r\n\r\nApprove\r\n\r\n> {request.reference}\r\n"
        f"--b\r\nContent-Type: text/html\r\n\r\n<p>Reject</p>\r\n--b--"
    )
    return reply(request, headers=("Content-Type: multipart/alternative; boundary=b",), body=body)


def away(request: Asked, said: str, sender: str = BOB) -> bytes:
    return reply(request, said, sender=sender).replace(b"Subject: Re:", b"Subject: Out of office:")


def from_our_address() -> bytes:
    raw = reply(ask(), sender=APPROVALS)
    return re.sub(rb"<answer\d+@", f"<fm-{'a' * 26}@".encode(), raw)


@pytest.mark.parametrize(
    ("make", "outcome", "rule", "words"),
    [
        (from_our_address, "own_mail", "own_mail", "message-id"),
        (lambda: away(ask(), "I am back on Monday"), "auto_reply", "hints", "Out of office"),
        (lambda: away(ask(), "Approve", CHARLIE), "auto_reply", "hints", "Out of office"),
        (lambda: reply(ask(), sender="noreply@x.test"), "auto_reply", "hints", "noreply"),
        (reject_only, "mail_not_allowed", "mail_decision", "rejected by mail"),
        (comment_needed, "unclear", "comment", "comment is required"),
        (unsigned, "unauthenticated", "authentication", "No Authentication-Results header"),
        (forged, "unauthenticated", "authentication", "dmarc=fail"),
        (cut_before_its_text, "too_large", "text", "first MiB"),
        (two_requests, "unknown_reference", "reference", "disagree"),
        (fifty_one_parts, "malformed", "structure", "more than 50 parts"),
        (parts_that_disagree, "unclear", "decision", "do not say the same"),
    ],
)
def test_the_rule_says_in_words_what_it_found(
    make: object, outcome: str, rule: str, words: str, ready: Flask
) -> None:
    assert callable(make)
    raw = make()
    told = explain(raw)
    assert told.outcome == outcome
    assert first_that_fails(told) == rule
    assert words in found(told, rule)[1]
    partial = len(raw) > 1 << 20
    row = hand_in(raw[: 1 << 20], now=LATER, partial=partial)
    assert (row.outcome, row.reason) == (told.outcome, told.reason)


def test_an_approval_is_told_in_full_with_every_rule_kept(ready: Flask) -> None:
    request = ask()
    told = explain(reply(request, "Approve looks good"))
    assert (told.outcome, told.decision, told.comment) == ("approved", "approve", "looks good")
    assert told.words_read == "Approve looks good"
    assert {one.ok for one in told.rules} == {True}
    assert told.reference.approval_id == request.approval_id
    assert told.reference.approver == BOB
    assert told.reference.found_in == ("text", "In-Reply-To", "References")
    assert "Deploy billing 4.2" in found(told, "reference")[1]
    assert told.answer is not None
    assert told.answer.subject.startswith("Approved: Deploy billing 4.2")
    assert approvals.get(request.approval_id).status == "pending"
    assert BOB in found(told, "answer")[1]


def test_where_the_words_of_the_author_end_is_shown_by_both_sides(ready: Flask) -> None:
    told = explain(reply(ask(), "Approve\r\nLooks good.\r\n\r\n-- \r\nBob of Corp"))
    assert told.own_text == "Approve\nLooks good."
    assert told.rest.startswith("--\nBob of Corp")
    assert "Deploy billing 4.2" in told.rest
    assert told.cut_off == "Line 4: a signature starts."
    below = explain(reply(ask(), "> Approve or Reject?\r\n\r\nReject", history=False))
    assert (below.own_text, below.rest) == ("Reject", "")
    disagree = explain(parts_that_disagree())
    assert (disagree.decision, disagree.own_text) == (None, "Approve")


def test_rules_below_the_one_that_decides_are_told_as_far_as_they_are_known(ready: Flask) -> None:
    told = explain(reply(ask(), headers=("Precedence: bulk",)))
    assert told.outcome == "auto_reply"
    assert found(told, "automatic") == (False, "A program wrote it: Precedence: bulk")
    for rule in ("from", "reference", "sender", "account", "open", "decision"):
        assert found(told, rule)[0] is True, rule
    assert found(told, "answer")[0] is None
    stranger = explain(reply(None))
    for rule in ("sender", "account", "open", "mail_decision"):
        assert found(stranger, rule)[0] is None, rule
    assert found(stranger, "decision")[0] is True


def test_a_decision_outweighs_a_hint_and_that_is_told(ready: Flask) -> None:
    told = explain(away(ask(), "Approve"))
    assert told.outcome == "approved"
    ok, finding = found(told, "hints")
    assert ok
    assert "outweighs" in finding


def test_where_no_mail_is_read_now_that_is_said_first(ready: Flask) -> None:
    raw = reply(ask())
    assert found(explain(raw), "reading")[0] is True
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    held = explain(raw)
    assert found(held, "reading") == (held.rules[0].ok, held.rules[0].finding)
    assert found(held, "reading")[0] is None
    assert "canary" in held.rules[0].finding
    set_up(reply_trust="reference_and_sender", enable_email_approval=False)
    off = explain(raw)
    assert (off.outcome, off.rules[0].ok) == ("approved", None)
    assert "Email approval is off" in off.rules[0].finding


def test_a_bounce_says_which_mail_did_not_arrive(ready: Flask) -> None:
    told = explain(CASES["bounce"][0](ask()))
    assert told.outcome == "bounce"
    assert found(told, "bounce") == (False, told.reason)
    assert "5.1.1" in told.reason
    (mail,) = queued("approval_request")
    assert (mail.state, mail.bounced_at) == ("queued", None)


def test_a_disabled_account_does_not_hide_that_the_request_is_open(ready: Flask) -> None:
    request = ask()
    accounts.set_active(BOB, False)
    told = explain(reply(request))
    assert told.outcome == "not_an_approver"
    assert "disabled" in found(told, "account")[1]
    assert found(told, "open")[0] is True


def test_a_sender_whom_nobody_asked_to_prove_it_is_told_so(ready: Flask) -> None:
    ok, finding = found(explain(reply(ask(), headers=(PASS,))), "authentication")
    assert ok
    assert "do not ask" in finding


def test_explanations_end_after_five_a_day_and_that_is_said(ready: Flask) -> None:
    request = ask()
    for minute in range(5):
        hand_in(reply(request, f"Hm {minute}"), now=LATER)
    told = explain(reply(request, "Hm again"))
    assert (told.outcome, told.answer) == ("unclear", None)
    assert "5 explanations" in found(told, "answer")[1]


@pytest.mark.parametrize("silent", [lambda: reply(None), lambda: b"Approve\r\n"])
def test_where_nobody_is_answered_the_last_rule_says_why(silent: object, ready: Flask) -> None:
    assert callable(silent)
    told = explain(silent())
    assert told.answer is None
    ok, finding = found(told, "answer")
    assert ok is None
    assert "othing is answered" in finding


def test_a_mail_is_taken_as_its_server_would_hand_it_over(ready: Flask) -> None:
    request = ask()
    raw = reply(request, "Maybe")
    hand_in(raw)
    told = explain(raw.replace(b"\r\n", b"\n"))
    assert told.outcome == "duplicate"
    assert "No. 1 (unclear)" in found(told, "seen_before")[1]


def test_of_a_larger_mail_the_first_mib_is_read(ready: Flask) -> None:
    told = explain(reply(ask(), "Approve\r\n\r\n" + "> x\r\n" * 300_000))
    assert told.outcome == "approved"
    assert "first" in found(told, "size")[1]


def kept(raw: bytes, **how: bool) -> Reply:
    return hand_in(raw, now=NOW, **how)


def test_a_kept_copy_is_explained_as_if_it_came_now_for_the_first_time(ready: Flask) -> None:
    request = ask()
    raw = reply(request, "Maybe")
    row = kept(raw)
    again = kept(raw)
    before = contents(ready)
    told = explaining.explain_kept(row.id, now=LATER)
    assert contents(ready) == before
    assert (row.outcome, again.outcome, told.outcome) == ("unclear", "duplicate", "unclear")
    ok, finding = found(told, "seen_before")
    assert ok
    assert "No. 1 (unclear), No. 2 (duplicate)" in finding
    assert "left aside" in finding


def test_a_kept_copy_that_decided_finds_its_request_decided(ready: Flask) -> None:
    row = kept(reply(ask()))
    told = explaining.explain_kept(row.id, now=LATER)
    assert (told.outcome, told.decision) == ("already_decided", "approve")


def test_a_kept_copy_that_was_cut_stays_cut(ready: Flask) -> None:
    row = kept(without_text(ask()), partial=True)
    assert explaining.explain_kept(row.id, now=LATER).outcome == "too_large"


def test_a_copy_that_is_gone_cannot_be_explained(ready: Flask) -> None:
    row = kept(reply(ask()))
    with transaction():
        db.session.get_one(Reply, row.id).sealed_raw = None
    with pytest.raises(Conflict, match="No copy"):
        explaining.explain_kept(row.id, now=LATER)
    with pytest.raises(NotFound):
        explaining.explain_kept(99, now=LATER)


def test_what_breaks_while_a_mail_is_judged_is_told_and_leaves_nothing(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flexmail.services import answers

    request = ask()
    before = contents(ready)

    def breaks(*_: object, **__: object) -> None:
        raise ValueError(f"a header holds {request.reference}")

    monkeypatch.setattr(answers, "queue", breaks)
    told = explain(reply(request))
    assert told.outcome == "failed"
    assert "ValueError" in told.reason
    assert not REFERENCE.search(shown(told))
    assert contents(ready) == before


def test_a_mail_that_exhausts_its_reader_is_told_in_a_sentence(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = reply(ask())
    before = contents(ready)
    monkeypatch.setattr(explaining, "Apart", lambda: Apart(seconds=1e-9))
    told = explain(raw)
    assert told.outcome == "failed"
    assert "took more than" in told.reason
    assert [one.rule for one in told.rules] == ALL
    assert first_that_fails(told) == "structure"
    assert found(told, "sender")[0] is None
    assert found(told, "seen_before")[0] is True
    assert contents(ready) == before


def test_a_reader_that_does_not_start_is_no_finding_about_the_mail(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "Apart", lambda: Apart("there.is.no.such.module"))
    with pytest.raises(ReaderUnavailable):
        explain(reply(ask()))


def test_a_mail_is_read_in_a_process_that_ends_with_the_explanation(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks = []

    class Noted(Apart):
        def __exit__(self, *how: object) -> None:
            desks.append((self.pid, self))
            super().__exit__(*how)

    monkeypatch.setattr(explaining, "Apart", Noted)
    assert explain(reply(ask())).outcome == "approved"
    ((pid, desk),) = desks
    assert pid not in (None, os.getpid())
    assert desk.pid is None


def test_a_busy_database_is_no_finding_about_the_mail(ready: Flask) -> None:
    raw = reply(ask())
    with locked_database(ready), pytest.raises(OperationalError):
        explain(raw)
    assert explain(raw).outcome == "approved"


def test_explaining_leaves_no_transaction_behind(ready: Flask) -> None:
    request = ask()
    explain(reply(request))
    assert not db.session().in_transaction()
    assert hand_in(reply(request)).outcome == "approved"


def test_every_reference_of_a_mail_is_masked_wherever_it_stands(ready: Flask) -> None:
    request, other = ask(), ask()
    secret = other.reference
    said = f"Approve {secret} and {secret.lower()}\r\nThe comment: {secret[:12]}\r\n{secret[12:]}"
    raw = reply(request, said, headers=(f"Precedence: {secret}",), sender=f"{secret} <{CHARLIE}>")
    text = shown(explain(raw)).lower()
    for one in (request, other):
        assert one.reference.lower() not in text
        assert one.reference[12:].lower() not in text


def test_only_references_that_lead_somewhere_have_a_request(ready: Flask) -> None:
    told = explain(reply(None, f"Approve\r\n\r\nReference: FM-{'A' * 26}"))
    assert (told.reference.count, told.reference.approval_id) == (1, None)
    nothing = explain(reply(None)).reference
    assert (nothing.count, nothing.found_in, nothing.approver) == (0, (), None)


def test_an_expired_request_is_told_with_its_moment(ready: Flask) -> None:
    request: Asked = ask(expires_in=60)
    told = explaining.explain(reply(request), now=NOW + timedelta(hours=2))
    assert told.outcome == "expired"
    assert "expired" in found(told, "open")[1]
