"""The canary: no reply is judged by the mail server's word before that has shown its worth."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import OwnershipLost, Refused
from flexmail.models import Canary, OutboxMail, Reply
from flexmail.services import approvals, canary, channels, inbox, leases, settings, status, trust
from flexmail.services.inbox import Report, process_replies
from flexmail.services.reply_run import LEASE, Run
from flexmail.services.trust import Trust
from flexmail.transport.folder import Folder
from tests.conftest import NOW
from tests.services.stage import (
    APPROVALS,
    SECRET,
    ask,
    connect,
    opened,
    queued,
    read,
    reply,
    set_up,
)

MX = "mx.corp.test"
MODE = {"reply_trust": "authenticated_sender", "trusted_authserv_id": MX}
PASS = f"Authentication-Results: {MX}; dmarc=pass header.from=corp.test"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ready(people: Flask, server: MailServer) -> MailServer:
    """The mode is saved, and nothing has run yet."""
    connect(server, **MODE)
    return server


def run(*, after: timedelta = timedelta()) -> Report:
    return process_replies(now=NOW + after, at_once=True)


def standing() -> Trust:
    db.session.rollback()
    return trust.of(settings.load())


def sent() -> list[bytes]:
    """Return the canaries that were written, the oldest first."""
    return [opened(mail) for mail in queued("canary")]


def forged_in(raw: bytes) -> str:
    return all_forged_in(raw)[0]


def all_forged_in(raw: bytes) -> list[str]:
    return [
        " ".join(str(value).split()) for value in read(raw).get_all("Authentication-Results", [])
    ]


def without(raw: bytes) -> bytes:
    """Return a mail as a server hands it on that removes such headers."""
    return re.sub(rb"(?mi)^Authentication-Results:.*\r\n([ \t].*\r\n)*", b"", raw)


def answered(change: Callable[[str], str | None]) -> bytes:
    """Return the last canary with what a server made of the forged header; None: removed."""
    raw = sent()[-1]
    made = change(forged_in(raw))
    return (f"{made}\r\n".encode() if made else b"") + without(raw)


def folder_of(server: MailServer) -> list[bytes]:
    return [raw for _, raw in server.mailbox(APPROVALS)]


def pass_the_canary(server: MailServer, *, after: timedelta = timedelta()) -> None:
    run(after=after)
    server.deliver(APPROVALS, without(sent()[-1]))
    run(after=after)
    assert standing().state == "passed"


def test_until_it_has_passed_no_reply_is_read(ready: MailServer) -> None:
    request = ask()
    raw = reply(request, headers=(PASS,))
    ready.deliver(APPROVALS, raw)
    for number in range(3):
        report = run(after=number * MINUTE)
        assert (report.error, report.looked_at, report.left) == ("", 0, 1)
        assert "canary" in report.waits_for
    assert folder_of(ready) == [raw]
    assert db.session.scalar(select(Reply)) is None
    assert approvals.get(request.approval_id).status == "pending"
    assert standing().state == "waiting"
    assert len(sent()) == 1


def test_it_claims_what_the_server_never_said_and_bears_our_mark(ready: MailServer) -> None:
    run()
    (raw,) = sent()
    mail = read(raw)
    assert raw.startswith(b"Authentication-Results: ")
    forged = re.fullmatch(
        rf"{MX}; dmarc=pass header.from=(\w+\.invalid); "
        r"dkim=pass header.d=\1 header.i=@\1",
        forged_in(raw),
    )
    assert forged
    assert [value.split(";")[0] for value in all_forged_in(raw)] == [
        MX,
        MX.upper(),
        f'"{MX}"',
        f"(checked) {MX} 1",
        MX,
    ]
    assert mail["X-Flexmail"] == "canary"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == APPROVALS
    assert str(mail["Message-ID"]).endswith("@corp.test>")
    with transaction():
        db.session.delete(db.session.scalars(select(Canary)).one())
    run(after=MINUTE)
    assert forged_in(sent()[1]) != forged_in(raw)


def test_it_goes_to_the_address_that_answers_go_to(ready: MailServer) -> None:
    set_up(approval_reply_address="Answers <answers@corp.test>")
    run()
    assert [mail.recipient for mail in queued("canary")] == ["answers@corp.test"]


def test_once_the_header_is_gone_replies_decide_in_the_same_run(ready: MailServer) -> None:
    request, other = ask(), ask()
    ready.deliver(APPROVALS, reply(request, headers=(PASS,)))
    ready.deliver(APPROVALS, reply(other))
    run()
    ready.deliver(APPROVALS, without(sent()[0]))
    report = run(after=MINUTE)
    assert (report.error, report.waits_for, report.left) == ("", "", 0)
    assert report.by_outcome == {"approved": 1, "unauthenticated": 1}
    assert folder_of(ready) == []
    assert standing().state == "passed"
    assert run(after=2 * MINUTE).waits_for == ""
    assert len(sent()) == 1


REMOVED: dict[str, Callable[[str], str | None]] = {
    "removed": lambda _: None,
    "renamed": lambda it: f"X-Original-Authentication-Results: {it}",
    "under another name": lambda it: f"Authentication-Results: {it.replace(MX, 'relay.test')}",
    "one of its own instead": lambda _: f"Authentication-Results: {MX}; spf=none; dkim=none",
    "in a chain of others": lambda it: f"ARC-Authentication-Results: i=1; {it}",
}
SURVIVED: dict[str, Callable[[str], str | None]] = {
    "as it was": lambda it: f"Authentication-Results: {it}",
    "in other letters": lambda it: f"AUTHENTICATION-RESULTS: {it.upper()}",
    "folded": lambda it: "Authentication-Results: " + it.replace(" ", "\r\n\t"),
    "under the server's own": lambda it: (
        f"Authentication-Results: {MX}; dmarc=none header.from=corp.test\r\n"
        f"Authentication-Results: {it}"
    ),
    "under sixty others": lambda it: (
        "Authentication-Results: relay.test; none\r\n" * 60 + f"Authentication-Results: {it}"
    ),
    "in half": lambda it: f"Authentication-Results: {it.split('; dkim')[0]}",
    "in the other half": lambda it: f"Authentication-Results: {MX}; dkim{it.split('; dkim')[1]}",
    "as a failure": lambda it: f"Authentication-Results: {it.replace('pass', 'fail')}",
    "in a comment": lambda it: f"Authentication-Results: {MX}; none ({it})",
    "torn": lambda it: f"Authentication-Results: {it[:-1]} (",
}


@pytest.mark.parametrize("change", REMOVED.values(), ids=REMOVED)
def test_a_server_that_guards_its_name_is_trusted(
    change: Callable[[str], str | None], ready: MailServer
) -> None:
    run()
    ready.deliver(APPROVALS, answered(change))
    assert run(after=MINUTE).waits_for == ""
    assert standing().state == "passed"
    assert folder_of(ready) == []


@pytest.mark.parametrize("change", SURVIVED.values(), ids=SURVIVED)
def test_whatever_is_left_of_the_header_refuses_the_mode(
    change: Callable[[str], str | None], ready: MailServer
) -> None:
    request = ask()
    raw = reply(request, headers=(PASS,))
    ready.deliver(APPROVALS, raw)
    run()
    ready.deliver(APPROVALS, answered(change))
    for number in (1, 100):
        report = run(after=number * MINUTE)
        assert (report.error, report.left) == ("", 1)
        assert report.waits_for == standing().reason
    assert standing().state == "refused"
    assert "RFC 8601" in standing().reason
    assert folder_of(ready) == [raw]
    assert approvals.get(request.approval_id).status == "pending"
    assert len(sent()) == 1


@pytest.mark.parametrize("place", range(5))
def test_a_server_that_removes_all_but_one_is_refused(place: int, ready: MailServer) -> None:
    run()
    left = all_forged_in(sent()[0])[place]
    ready.deliver(APPROVALS, answered(lambda _: f"Authentication-Results: {left}"))
    assert left[:100] in run(after=MINUTE).waits_for


def test_a_canary_that_cannot_be_read_proves_nothing(ready: MailServer) -> None:
    run()
    torn = without(sent()[0]).replace(b"\r\n\r\n", b"\r\nno header at all\r\n\r\n", 1)
    ready.deliver(APPROVALS, torn)
    assert "cannot be read" in run(after=MINUTE).waits_for
    assert standing().state == "refused"
    assert folder_of(ready) == []


def test_the_form_without_a_name_is_put_to_the_test_too(ready: MailServer) -> None:
    set_up(trusted_authserv_id="Microsoft365")
    run()
    assert forged_in(sent()[0]).startswith("dmarc=pass header.from=")
    ready.deliver(APPROVALS, sent()[0])
    run()
    assert standing().state == "refused"


def test_of_two_copies_one_that_kept_the_header_is_enough(ready: MailServer) -> None:
    run()
    ready.deliver(APPROVALS, without(sent()[0]))
    ready.deliver(APPROVALS, sent()[0])
    run()
    assert standing().state == "refused"
    assert folder_of(ready) == []


def test_only_the_canary_itself_counts_and_goes(ready: MailServer) -> None:
    run()
    message_id = str(read(sent()[0])["Message-ID"])
    others = [
        without(sent()[0]).replace(message_id.encode(), b"<fm-other@corp.test>"),
        without(sent()[0]).replace(message_id.encode(), b"<x" + message_id.encode()),
        reply(None, headers=(f"In-Reply-To: {message_id}",)),
    ]
    for raw in others:
        ready.deliver(APPROVALS, raw)
    assert run(after=MINUTE).waits_for
    assert standing().state == "waiting"
    ready.deliver(APPROVALS, sent()[0])
    assert run(after=2 * MINUTE).left == 3
    assert folder_of(ready) == others


def test_waiting_is_no_failure_and_pauses_nothing(ready: MailServer) -> None:
    ready.deliver(APPROVALS, reply(ask()))
    run()
    db.session.rollback()
    shown = status.overview(now=NOW)["reply_processing"]
    assert (shown["failing_since"], shown["error"], shown["waiting"]) == (None, "", 1)
    assert shown["trust"] == {"state": "waiting", "reason": standing().reason}
    revision = settings.load().revision
    assert not channels.is_paused(inbox.CHANNEL, revision=revision, now=NOW)


def test_where_no_proof_is_asked_for_none_is_sent(people: Flask, server: MailServer) -> None:
    connect(server)
    server.deliver(APPROVALS, reply(ask()))
    assert run().by_outcome == {"approved": 1}
    assert standing() == Trust("not_needed")
    set_up(**MODE, enable_email_approval=False)
    run()
    assert standing() == Trust("not_needed")
    assert sent() == []


def test_the_other_mode_takes_up_the_replies_that_waited(ready: MailServer) -> None:
    request = ask()
    ready.deliver(APPROVALS, reply(request))
    run()
    ready.deliver(APPROVALS, sent()[0])
    run()
    assert set_up(reply_trust="reference_and_sender") == []
    assert run(after=MINUTE).by_outcome == {"approved": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("imap_host_name", "imap.corp.test"),
        ("imap_host_port", 1143),
        ("imap_enable_starttls", False),
        ("imap_implicit_tls", True),
        ("imap_user", "other@corp.test"),
        ("smtp_host_name", "smtp.corp.test"),
        ("smtp_host_port", 2525),
        ("smtp_user", "other@corp.test"),
        ("smtp_from_address", "other@corp.test"),
        ("email_reply_folder", "Replies"),
        ("approval_reply_address", "other@corp.test"),
        ("trusted_authserv_id", "mx2.corp.test"),
    ],
)
def test_whatever_the_answer_depends_on_asks_for_a_new_canary(
    field: str, value: str | int, ready: MailServer
) -> None:
    pass_the_canary(ready)
    (notice,) = set_up(**{field: value}, imap_password=SECRET, smtp_password=SECRET)
    assert "canary" in notice
    assert standing().state == "waiting"


def test_what_the_answer_does_not_depend_on_asks_for_none(ready: MailServer) -> None:
    pass_the_canary(ready)
    others: dict[str, object] = {
        "trusted_authserv_id": MX.upper(),
        "smtp_from_address": f"Another name <{APPROVALS}>",
        "approval_reply_address": APPROVALS,
        "email_reply_process_interval": 7,
        "approve_words": "approve",
        "smtp_password": SECRET,
    }
    assert set_up(**others) == []
    assert standing().state == "passed"
    assert set_up(reply_trust="reference_and_sender") == set_up(**MODE) == []
    assert standing().state == "passed"


def test_what_held_for_other_settings_is_forgotten(ready: MailServer) -> None:
    pass_the_canary(ready)
    set_up(approval_reply_address="answers@corp.test")
    run(after=MINUTE)
    set_up(approval_reply_address="")
    assert standing().state == "waiting"


@pytest.mark.parametrize("arrives", [True, False])
def test_a_save_asks_again_where_the_canary_did_not_pass(arrives: bool, ready: MailServer) -> None:
    run()
    if arrives:
        ready.deliver(APPROVALS, sent()[0])
        run()
        assert standing().state == "refused"
    (notice,) = set_up()
    assert notice == standing().reason
    assert standing().state == "waiting"
    run(after=MINUTE)
    ready.deliver(APPROVALS, without(sent()[1]))
    run(after=2 * MINUTE)
    assert standing().state == "passed"
    assert len(sent()) == 2


def test_asking_again_puts_even_a_passed_server_to_the_test(ready: MailServer) -> None:
    pass_the_canary(ready)
    trust.ask_again()
    assert standing().state == "waiting"
    run(after=MINUTE)
    ready.deliver(APPROVALS, sent()[1])
    assert run(after=2 * MINUTE).waits_for
    assert standing().state == "refused"


def note(state: str, answer: str = "") -> None:
    """Write down what became of the last canary on its way out."""
    with transaction():
        mail = db.session.scalars(select(OutboxMail).order_by(OutboxMail.id.desc())).first()
        assert mail is not None
        mail.state, mail.answer = state, answer
        mail.sent_at = mail.created_at if state == "sent" else None


def test_the_reason_says_how_far_it_came(ready: MailServer) -> None:
    assert f"the next run sends it to {APPROVALS}" in standing().reason
    run()
    assert "waits in the outbox" in standing().reason
    note("queued", "451 later")
    assert "451 later" in standing().reason
    note("failed", "550 no such user")
    assert "could not be delivered" in standing().reason
    assert "550 no such user" in standing().reason
    note("sent")
    assert f"sent to {APPROVALS} at 2026-11-02 09:00 UTC has not arrived" in standing().reason
    assert "awaited since 2026-11-02 09:00 UTC" in standing().reason
    run(after=2 * HOUR)
    note("sent")
    assert f"sent to {APPROVALS} at 2026-11-02 11:00 UTC has not arrived" in standing().reason
    assert "awaited since 2026-11-02 09:00 UTC" in standing().reason


def test_one_that_does_not_arrive_is_followed_by_a_few(ready: MailServer) -> None:
    run()
    note("sent")
    run(after=59 * MINUTE)
    assert len(sent()) == 1
    for hour in range(1, 24):
        run(after=hour * HOUR)
        note("sent")
    assert len(sent()) == canary.MAX_A_DAY
    assert len({str(read(raw)["Message-ID"]) for raw in sent()}) == canary.MAX_A_DAY
    ready.deliver(APPROVALS, without(sent()[0]))
    assert run(after=23.5 * HOUR).waits_for, "an earlier one is not the one that is awaited"
    ready.deliver(APPROVALS, without(sent()[-1]))
    assert run(after=23.6 * HOUR).waits_for == ""
    assert folder_of(ready) == []


def test_none_follows_one_that_has_not_left(ready: MailServer) -> None:
    run()
    run(after=5 * HOUR)
    assert len(sent()) == 1
    note("failed")
    run(after=5 * HOUR)
    assert len(sent()) == 2


def next_run(after: timedelta) -> timedelta:
    db.session.rollback()
    row, channel = settings.load(), channels.get(inbox.CHANNEL)
    due = status.next_run_at(row, channel, now=NOW + after)
    assert due is not None
    return due - NOW


def test_while_one_is_on_its_way_runs_come_soon(ready: MailServer) -> None:
    with transaction():
        channels.started(inbox.CHANNEL, now=NOW - SECOND)
    assert next_run(timedelta()) == 9 * SECOND
    run()
    note("sent")
    assert next_run(SECOND) == 10 * SECOND
    run(after=9 * MINUTE)
    assert next_run(9 * MINUTE) == 9 * MINUTE + 10 * SECOND
    run(after=11 * MINUTE)
    assert next_run(11 * MINUTE) == 16 * MINUTE
    ready.deliver(APPROVALS, sent()[0])
    run(after=16 * MINUTE)
    assert next_run(16 * MINUTE) == 21 * MINUTE


def test_trust_that_is_asked_for_again_under_a_run_ends_it_undecided(
    ready: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_the_canary(ready)
    request = ask()
    raw = reply(request, headers=(PASS,))
    ready.deliver(APPROVALS, raw)
    fetch = Folder.fetch

    def fetch_and_meanwhile(folder: Folder, *args: object, **given: object) -> object:
        mails = list(fetch(folder, *args, **given))  # type: ignore[arg-type]
        trust.ask_again()
        return iter(mails)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "fetch", fetch_and_meanwhile)
        report = run(after=MINUTE)
    assert "prove itself" in report.error
    assert folder_of(ready) == [raw]
    assert approvals.get(request.approval_id).status == "pending"
    assert run(after=2 * MINUTE).waits_for
    assert approvals.get(request.approval_id).status == "pending"


def test_an_answer_to_a_question_that_was_withdrawn_counts_for_nothing(
    ready: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    ready.deliver(APPROVALS, without(sent()[0]))
    find = Folder.find_header

    def find_and_meanwhile(folder: Folder, name: str, value: str) -> list[int]:
        trust.ask_again()
        return find(folder, name, value)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "find_header", find_and_meanwhile)
        assert run(after=MINUTE).waits_for
    assert standing().state == "waiting"


def test_a_run_that_goes_by_old_settings_or_lost_its_lease_sends_none(ready: MailServer) -> None:
    fence = leases.acquire(LEASE, "test:1:x", now=NOW, seconds=12)
    assert fence is not None
    old = settings.in_force(settings.load())
    with pytest.raises(OwnershipLost):
        canary.prepare(Run("x", old, NOW, fence + 1, Report(at=NOW), lambda: True))
    set_up()
    with pytest.raises(OwnershipLost):
        canary.prepare(Run("x", old, NOW, fence, Report(at=NOW), lambda: True))
    assert sent() == []


def test_a_canary_that_cannot_be_removed_is_an_error_and_becomes_a_mail_of_our_own(
    ready: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    ready.deliver(APPROVALS, without(sent()[0]))

    def refuse(_folder: Folder, _uids: object) -> frozenset[int]:
        raise Refused("STORE is not allowed.")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "delete", refuse)
        report = run(after=MINUTE)
        assert "STORE is not allowed" in report.error
        assert report.by_outcome == {"own_mail": 1}
    assert standing().state == "passed"
    assert run(after=2 * MINUTE).by_outcome == {}
    assert folder_of(ready) == []
