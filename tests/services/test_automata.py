"""Automata: what a program wrote decides nothing, is not answered, and never goes round."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path

import pytest
from flask import Flask

from flexmail import create_app
from flexmail.services import accounts, approvals
from tests.conftest import NOW
from tests.services.stage import (
    ADA,
    APPROVALS,
    BOB,
    CHARLIE,
    Asked,
    ask,
    hand_in,
    opened,
    queued,
    read,
    reply,
    set_up,
)

ABSENT = "Automatic reply: Approval requested: Deploy billing 4.2"
SUBJECT = b"Subject: Re: Approval requested: Deploy billing 4.2"


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def answers() -> list[str]:
    return [mail.kind for mail in queued() if mail.kind != "approval_request"]


def titled(raw: bytes, subject: str) -> bytes:
    assert SUBJECT in raw
    return raw.replace(SUBJECT, f"Subject: {subject}".encode(), 1)


AWAY = "I am away until Monday.\r\n\r\nBob"


@pytest.mark.parametrize("subject", [ABSENT, "Abwesenheitsnotiz: x", "Undeliverable: x"])
@pytest.mark.parametrize("threaded", [True, False])
def test_an_answer_of_the_absent_without_any_header_is_not_answered(
    subject: str, threaded: bool, ready: Flask
) -> None:
    request = ask()
    row = hand_in(titled(reply(request, AWAY, threaded=threaded), subject))
    assert (row.outcome, row.approval_id) == ("auto_reply", request.approval_id)
    assert row.reason.startswith("Subject: ")
    assert answers() == []


@pytest.mark.parametrize(("said", "outcome"), [("Approve", "approved"), ("Reject", "rejected")])
def test_a_person_decides_under_whatever_subject(said: str, outcome: str, ready: Flask) -> None:
    request = ask()
    assert hand_in(titled(reply(request, said), ABSENT)).outcome == outcome
    assert answers() == ["reply_confirmation"]


def closed(request: Asked) -> None:
    approvals.cancel(request.approval_id, now=NOW)


@pytest.mark.parametrize("before", [lambda request: None, closed], ids=["open", "closed"])
def test_an_absent_approver_is_told_nothing_about_a_closed_request_either(
    before: Callable[[Asked], None], ready: Flask
) -> None:
    request = ask()
    before(request)
    assert hand_in(titled(reply(request, AWAY), ABSENT)).outcome == "auto_reply"
    assert answers() == []


def test_a_decision_that_comes_too_late_is_explained_under_whatever_subject(ready: Flask) -> None:
    request = ask()
    closed(request)
    assert hand_in(titled(reply(request, "Approve"), ABSENT)).outcome == "cancelled"
    assert answers() == ["reply_explanation"]


@pytest.mark.parametrize(
    "sender",
    ["MAILER-DAEMON@mx.test", "noreply@x.test", "Mail Delivery System <x@x.test>", ADA, CHARLIE],
)
@pytest.mark.parametrize("said", ["It failed.", "Approve"])
def test_a_machine_that_is_not_the_approver_is_not_answered(
    sender: str, said: str, ready: Flask
) -> None:
    request = ask()
    row = hand_in(reply(request, said, sender=sender))
    machine = sender not in (ADA, CHARLIE)
    assert row.outcome == ("auto_reply" if machine else "wrong_sender")
    assert answers() == ([] if machine else ["reply_explanation"])
    assert approvals.get(request.approval_id).status == "pending"


@pytest.mark.parametrize(
    ("sender", "subject"),
    [("noreply@x.test", "News"), (CHARLIE, "Out of office: News")],
)
def test_a_machine_without_a_reference_is_named_as_one(
    sender: str, subject: str, ready: Flask
) -> None:
    row = hand_in(titled(reply(None, "News", sender=sender), subject))
    assert (row.outcome, row.approval_id) == ("auto_reply", None)


@pytest.mark.parametrize(
    "name", ["Postmaster General", "Noreply Smith", "Postmaster", "No Reply", "Mail Delivery Sven"]
)
@pytest.mark.parametrize(("said", "kind"), [("Approve", "confirmation"), ("Hm", "explanation")])
def test_the_approver_is_no_machine_whatever_the_name_before_the_address(
    name: str, said: str, kind: str, ready: Flask
) -> None:
    request = ask()
    row = hand_in(reply(request, said, sender=f"{name} <{BOB}>"))
    assert row.outcome == ("approved" if said == "Approve" else "unclear")
    assert answers() == [f"reply_{kind}"]


def test_an_account_with_a_machines_address_can_decide(ready: Flask) -> None:
    accounts.add("postmaster@corp.test", role="approver", now=NOW)
    request = ask("postmaster@corp.test")
    assert hand_in(reply(request, "Reject", sender="postmaster@corp.test")).outcome == "rejected"


LIST = (
    "List-Id: <approvals.corp.test>",
    "List-Unsubscribe: <mailto:leave@corp.test>",
    "Precedence: list",
    "Mailing-list: list approvals@corp.test; contact approvals+owners@corp.test",
    "X-MS-Exchange-Inbox-Rules-Loop: approvals@corp.test",
)


@pytest.mark.parametrize(
    ("said", "outcome"), [("Approve", "approved"), ("Hm", "unclear")], ids=["clear", "unclear"]
)
def test_a_group_that_forwards_replies_makes_nobody_a_machine(
    said: str, outcome: str, ready: Flask
) -> None:
    request = ask()
    assert hand_in(reply(request, said, headers=LIST)).outcome == outcome
    assert len(answers()) == 1


def without_marks(raw: bytes) -> bytes:
    """Return our mail as it leaves a gateway that takes off every header of ours."""
    own = rb"^(?:X-[\w-]+|Auto-Submitted):.*\r\n(?:[ \t].*\r\n)*"
    return re.sub(own, b"", raw, flags=re.IGNORECASE | re.MULTILINE)


def test_our_own_mail_is_known_without_its_marks(ready: Flask) -> None:
    request = ask()
    bare = without_marks(request.raw)
    assert b"X-Flexmail" not in bare
    assert b"Auto-Submitted" not in bare
    assert hand_in(bare).outcome == "own_mail"
    redirected = re.sub(rb"(?m)^From: .*", f"From: {BOB}".encode(), bare)
    assert redirected != bare
    assert hand_in(redirected).outcome == "own_mail"
    assert answers() == []


# Two flexmails: each is where the other asks its approver, and takes the other's mail as a reply.
OURS, THEIRS = APPROVALS, "approvals@other.test"


class Exchange:
    """Hands each one's outgoing mail to the other until nothing more goes out."""

    def __init__(self, gateway: Callable[[bytes], bytes], **apps: Flask) -> None:
        self.gateway = gateway
        self.apps = apps
        self.carried: list[tuple[str, bytes]] = []

    def run(self) -> list[str]:
        """Return what became of each mail."""
        outcomes: list[str] = []
        seen: dict[str, int] = dict.fromkeys(self.apps, 0)
        while len(outcomes) <= 10:
            before = len(outcomes)
            for name, app in self.apps.items():
                with app.app_context():
                    waiting = [opened(mail) for mail in queued()][seen[name] :]
                seen[name] += len(waiting)
                for raw in waiting:
                    outcomes.append(self._carry(name, raw))
            if len(outcomes) == before:
                break
        return outcomes

    def _carry(self, name: str, raw: bytes) -> str:
        self.carried.append((parseaddr(str(read(raw)["To"]))[1], raw))
        (other,) = (app for each, app in self.apps.items() if each != name)
        with other.app_context():
            outcome = hand_in(self.gateway(raw)).outcome
            assert outcome
            return outcome


def threaded_to(message_ids: list[str]) -> Callable[[bytes], bytes]:
    """Return a gateway that takes our marks and references off, and threads mail to requests."""

    def gateway(raw: bytes) -> bytes:
        thread = f"References: {' '.join(message_ids)}\r\nSubject:".encode()
        bare = re.sub(rb"FM-(?:=\r\n)?[A-Z2-7=\r\n]+", b"(removed)", without_marks(raw))
        return bare.replace(b"Subject:", thread, 1)

    return gateway


@pytest.mark.parametrize("way", ["as it is", "without marks", "threaded to one", "threaded to all"])
def test_two_flexmails_pointed_at_each_other_exchange_at_most_two_mails(
    way: str, ready: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_INSTANCE_PATH", str(tmp_path / "other"))
    other = create_app({"TESTING": True})
    accounts.add(THEIRS, role="approver", now=NOW)
    mine = ask(THEIRS)
    with other.app_context():
        accounts.add(OURS, role="approver", now=NOW)
        set_up(smtp_from_address=THEIRS)
        theirs = ask(OURS)
    gateways: dict[str, Callable[[bytes], bytes]] = {
        "as it is": lambda raw: raw,
        "without marks": without_marks,
        "threaded to one": threaded_to([theirs.message_id]),
        "threaded to all": threaded_to([theirs.message_id, mine.message_id]),
    }
    exchange = Exchange(gateways[way], ours=ready, theirs=other)
    outcomes = exchange.run()
    assert [to for to, _ in exchange.carried] == [THEIRS, OURS]
    assert not {"approved", "rejected"}.intersection(outcomes)
    for app, request in ((ready, mine), (other, theirs)):
        with app.app_context():
            assert approvals.get(request.approval_id).status == "pending"


def test_one_flexmail_that_asks_its_own_reply_address_sends_one_mail(ready: Flask) -> None:
    accounts.add(APPROVALS, role="approver", now=NOW)
    request = ask(APPROVALS)
    assert hand_in(request.raw).outcome == "own_mail"
    assert hand_in(without_marks(request.raw)).outcome == "own_mail"
    assert answers() == []
