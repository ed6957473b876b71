"""Undo: a mail goes back or is judged again by its kept copy, and no door but the usual one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import select, update

from flexmail.crypto import key_store
from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import Conflict, NotFound, ReaderUnavailable, SecretUnreadable, Unreachable
from flexmail.models import Approval, Canary, Installation, Reply
from flexmail.services import (
    accounts,
    answers,
    approvals,
    audit,
    explaining,
    kept_mail,
    leases,
    reply_log,
    settings,
    trust,
    undo,
)
from flexmail.services.apart import Apart
from flexmail.services.inbox import process_replies
from flexmail.services.kept_mail import raw_of
from flexmail.transport.imap import open_folder
from tests.conftest import NOW
from tests.services.stage import (
    ADA,
    APPROVALS,
    BOB,
    ask,
    connect,
    hand_in,
    queued,
    reply,
    set_up,
    together,
)
from tests.services.test_explaining import contents
from tests.services.test_taking import Keeping, take_from

LATER = NOW + timedelta(minutes=1)
AFTER = NOW + timedelta(minutes=2)


@pytest.fixture
def ready(people: Flask, server: MailServer) -> Flask:
    connect(server)
    run()  # the folder is known from its beginning: nothing in it is held back
    return people


def run() -> list[tuple[int, str | None]]:
    """Run the reply job; return what became of the mails that it took."""
    report = process_replies(now=AFTER, at_once=True)
    assert not (report.error)
    assert not (report.held)
    return [(row.id, row.outcome) for row in reply_log.by_ids(report.reply_ids)]


def outcomes() -> list[str | None]:
    db.session.rollback()
    return list(db.session.scalars(select(Reply.outcome).order_by(Reply.id)))


def recorded(action: str) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.subject, entry.proof) for entry in audit.listing(action=action).items]


def refused_for_bob(server: MailServer) -> int:
    """Let a good reply be refused because its account is disabled; mend that; return its id."""
    accounts.set_active(BOB, True)
    request = ask()
    accounts.set_active(BOB, False)
    server.deliver(APPROVALS, reply(request))
    ((reply_id, outcome),) = run()
    assert outcome == "not_an_approver"
    accounts.set_active(BOB, True)
    return reply_id


def approval_of(reply_id: int) -> Approval:
    return approvals.get(reply_log.get(reply_id).approval_id or 0)


# Put back


def test_a_mail_that_was_put_back_is_processed_as_new_and_a_second_copy_is_a_duplicate(
    ready: Flask, server: MailServer
) -> None:
    reply_id = refused_for_bob(server)
    raw = raw_of(reply_log.get(reply_id))

    row = undo.restore(reply_id, now=LATER)

    assert recorded("mail_restored") == [(f"reply {reply_id}", {})]
    assert (row.outcome, row.restored_at is not None) == ("not_an_approver", True)
    assert [mail for _, mail in server.mailbox(APPROVALS)] == [raw]
    server.deliver(APPROVALS, raw)
    assert [outcome for _, outcome in run()] == ["approved", "duplicate"]
    assert outcomes() == ["not_an_approver", "approved", "duplicate"]
    assert len(approval_of(reply_id).decisions) == 1
    assert server.mailbox(APPROVALS) == []


def test_a_duplicate_that_was_put_back_is_new_too(ready: Flask, server: MailServer) -> None:
    reply_id = refused_for_bob(server)
    server.deliver(APPROVALS, raw_of(reply_log.get(reply_id)))
    ((again, outcome),) = run()
    assert outcome == "duplicate"
    undo.restore(again, now=LATER)
    assert [outcome for _, outcome in run()] == ["approved"]
    assert "put back" in undo.means(reply_log.get(reply_id)).restore


def test_what_was_put_back_can_be_put_back_once_more_as_the_mail_that_it_became(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(None))
    ((first, _),) = run()
    undo.restore(first, now=LATER)
    ((second, outcome),) = run()
    assert (second != first, outcome) == (True, "unknown_reference")
    undo.restore(second, now=LATER)
    assert [outcome for _, outcome in run()] == ["unknown_reference"]


def test_a_decision_that_was_put_back_finds_its_request_decided(
    ready: Flask, server: MailServer
) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    ((reply_id, _),) = run()
    undo.restore(reply_id, now=LATER)
    assert [outcome for _, outcome in run()] == ["already_decided"]
    assert len(approvals.get(request.approval_id).decisions) == 1


def test_a_mail_put_back_twice_at_once_is_put_back_once(ready: Flask, server: MailServer) -> None:
    reply_id = refused_for_bob(server)
    clicks = [lambda: undo.restore(reply_id, now=LATER)] * 2
    results = together(ready, *clicks)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Reply"]
    with pytest.raises(Conflict, match="put back into the folder at 2026-11-02"):
        undo.restore(reply_id, now=LATER)
    assert len(server.mailbox(APPROVALS)) == 1


def test_while_a_run_reads_the_folder_nothing_is_put_back(ready: Flask, server: MailServer) -> None:
    reply_id = refused_for_bob(server)
    leases.acquire("replies", "elsewhere:1:x", now=LATER, seconds=10)
    with pytest.raises(Conflict, match="being read right now"):
        undo.restore(reply_id, now=LATER)
    leases.release("replies", "elsewhere:1:x", now=LATER)
    undo.restore(reply_id, now=LATER)
    assert leases.holder("replies", now=LATER) == ""


@pytest.mark.parametrize("moved", [{"email_reply_folder": "Other"}, {"imap_user": "new@corp.test"}])
def test_a_mail_goes_back_only_to_the_folder_that_replies_are_read_from(
    ready: Flask, server: MailServer, moved: dict[str, str]
) -> None:
    reply_id = refused_for_bob(server)
    set_up(imap_password="another", **moved)
    with pytest.raises(Conflict, match=f"came from INBOX of {APPROVALS}@.* now read from"):
        undo.restore(reply_id, now=LATER)
    assert server.mailbox(APPROVALS) == []


def test_without_a_server_to_put_it_into_the_reason_is_said(ready: Flask) -> None:
    row = hand_in(reply(None))
    set_up(enable_email_approval=False, imap_host_name="")
    assert undo.means(reply_log.get(row.id)).restore.startswith("There is no IMAP host")


def test_a_server_that_does_not_take_it_leaves_everything_as_it_was(
    people: Flask,
) -> None:
    with MailServer(dict.fromkeys((ADA, BOB, APPROVALS), "s3cret-of-the-mailbox")) as server:
        connect(server)
        run()
        reply_id = refused_for_bob(server)
    with pytest.raises(Unreachable):
        undo.restore(reply_id, now=LATER)
    assert undo.means(reply_log.get(reply_id)).restore == ""
    assert leases.holder("replies", now=LATER) == ""


class Killed(BaseException):
    """The process ends here."""


def test_a_crash_after_the_mail_was_put_back_costs_nothing_but_another_try(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply_id = refused_for_bob(server)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(undo, "_note_return", killed)
        with pytest.raises(Killed):
            undo.restore(reply_id, now=LATER)
    assert [outcome for _, outcome in run()] == ["duplicate"]
    undo.restore(reply_id, now=LATER)
    assert [outcome for _, outcome in run()] == ["approved"]


def test_a_lease_that_was_lost_meanwhile_is_said_and_the_mail_can_be_put_back_again(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply_id = refused_for_bob(server)

    @contextmanager
    def overtaken(*args: Any, **options: Any) -> Iterator[object]:
        with open_folder(*args, **options) as folder:
            yield folder
        hour = timedelta(hours=1)
        leases.acquire("replies", "elsewhere:1:x", now=LATER + hour, seconds=1)

    with monkeypatch.context() as patch:
        patch.setattr(undo, "open_folder", overtaken)
        with pytest.raises(Conflict, match="once more"):
            undo.restore(reply_id, now=LATER)
    assert undo.means(reply_log.get(reply_id)).restore == ""


def test_a_database_that_another_claims_meanwhile_is_left_alone(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply_id = refused_for_bob(server)

    @contextmanager
    def claimed(*args: Any, **options: Any) -> Iterator[object]:
        with open_folder(*args, **options) as folder:
            yield folder
        with transaction():
            db.session.execute(update(Installation).values(mark="another"))

    monkeypatch.setattr(undo, "open_folder", claimed)
    with pytest.raises(Conflict):
        undo.restore(reply_id, now=LATER)
    assert reply_log.get(reply_id).restored_at is None


def test_a_mail_that_the_server_kept_is_not_put_back_beside_itself(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(ask()))
    assert take_from(Keeping).by_outcome == {"approved": 1}
    ((_, kept),) = server.mailbox(APPROVALS)
    (reply_id,) = db.session.scalars(select(Reply.id))
    with pytest.raises(Conflict, match="in the folder still"):
        undo.restore(reply_id, now=LATER)
    assert [raw for _, raw in server.mailbox(APPROVALS)] == [kept]
    assert run() == []
    assert outcomes() == ["approved"]


def test_a_server_that_gives_the_old_uid_again_loses_no_mail(
    ready: Flask, server: MailServer
) -> None:
    reply_id = refused_for_bob(server)
    undo.restore(reply_id, now=LATER)
    ((uid, _),) = server.mailbox(APPROVALS)
    with transaction():
        db.session.execute(update(Reply).where(Reply.id == reply_id).values(uid=uid))
    assert run() == [(reply_id, "approved")]
    assert reply_log.get(reply_id).restored_at is None
    assert reply_log.get(reply_id).tries == 1
    assert server.mailbox(APPROVALS) == []


def test_what_a_server_once_kept_and_got_again_under_its_old_uid_is_removed_after_all(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply_id = refused_for_bob(server)
    undo.restore(reply_id, now=LATER)
    ((uid, _),) = server.mailbox(APPROVALS)
    with transaction():
        as_it_was = {"uid": uid, "kept_by_server": True}
        db.session.execute(update(Reply).where(Reply.id == reply_id).values(**as_it_was))
    with monkeypatch.context() as patch:  # the process ends between commit and delete
        patch.setattr("flexmail.services.settling.delete", lambda *_: None)
        assert run() == [(reply_id, "approved")]
    assert len(server.mailbox(APPROVALS)) == 1
    assert run() == []
    assert server.mailbox(APPROVALS) == []


def large(text_last: bool) -> bytes:
    """Return a mail of more than is fetched, whose text lies behind its attachment or before."""
    text = "--b\r\nContent-Type: text/plain\r\n\r\nApprove\r\n"
    attached = (
        "--b\r\nContent-Type: application/octet-stream; name=x\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n" + ("A" * 76 + "\r\n") * 30_000
    )
    parts = attached + text if text_last else text + attached
    return reply(
        ask(), headers=("Content-Type: multipart/mixed; boundary=b",), body=parts + "--b--"
    )


def test_a_partial_copy_that_was_put_back_is_judged_as_partial_still(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, large(text_last=True))
    ((first, outcome),) = run()
    size = reply_log.get(first).size_bytes
    assert (outcome, size > 2 << 20) == ("too_large", True)
    undo.restore(first, now=LATER)
    ((second, outcome),) = run()
    row = reply_log.get(second)
    assert (outcome, row.raw_partial, row.size_bytes) == ("too_large", True, size)


def test_a_partial_copy_under_its_old_uid_is_partial_at_a_second_try_too(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "--b\r\nContent-Type: text/plain\r\n\r\nApprove\r\n"
    raw = large(text_last=True).replace(b"\r\n\r\n", f"\r\n\r\n{text}".encode(), 1)
    server.deliver(APPROVALS, raw)  # it goes on behind what is fetched, and may say anything there
    ((first, outcome),) = run()
    assert outcome == "too_large"
    undo.restore(first, now=LATER)
    ((uid, _),) = server.mailbox(APPROVALS)
    with transaction():
        db.session.execute(update(Reply).where(Reply.id == first).values(uid=uid))
    with monkeypatch.context() as patch:
        patch.setattr("flexmail.services.concluding.receive", lambda *_, **__: 1 / 0)
        assert run() == []
    assert run() == [(first, "too_large")]
    assert reply_log.get(first).tries == 2


# Process again


def test_a_mail_is_judged_again_by_todays_accounts_and_decides(
    ready: Flask, server: MailServer
) -> None:
    reply_id = refused_for_bob(server)
    row = undo.reprocess(reply_id, now=LATER)
    assert (row.outcome, row.processed_at, row.tries) == ("approved", LATER, 1)
    told = {"was": "not_an_approver", "is": "approved"}
    assert recorded("mail_reprocessed") == [(f"reply {reply_id}", told)]
    (decision,) = approval_of(reply_id).decisions
    assert (decision.user.email, decision.channel, decision.at) == (BOB, "email", LATER)
    assert [mail.recipient for mail in queued("reply_confirmation")] == [BOB]
    assert outcomes() == ["approved"]
    assert server.mailbox(APPROVALS) == []


def test_a_mail_is_judged_again_by_todays_settings(ready: Flask) -> None:
    request = ask()
    row = hand_in(reply(request, "Genehmigt"))
    assert row.outcome == "unclear"
    set_up(approve_words="approve, genehmigt")
    assert undo.reprocess(row.id, now=LATER).outcome == "approved"


def test_its_own_duplicates_do_not_make_a_mail_a_duplicate(ready: Flask) -> None:
    raw = reply(ask())
    accounts.set_active(BOB, False)
    first, second = hand_in(raw), hand_in(raw)
    assert (first.outcome, second.outcome) == ("not_an_approver", "duplicate")
    accounts.set_active(BOB, True)
    assert undo.reprocess(second.id, now=LATER).outcome == "duplicate"
    assert undo.reprocess(first.id, now=LATER).outcome == "approved"
    assert undo.reprocess(second.id, now=LATER).outcome == "duplicate"


def test_of_a_kept_part_only_what_is_whole_decides(ready: Flask) -> None:
    row = hand_in(reply(ask(), "Hm"))
    cut_off = large(text_last=True)[: 1 << 20]
    with transaction():
        stored = db.session.get_one(Reply, row.id)
        stored.sealed_raw, stored.raw_partial = kept_mail.sealed(cut_off), True
    assert undo.reprocess(row.id, now=LATER).outcome == "too_large"


def test_what_was_decided_stays_decided(ready: Flask) -> None:
    request = ask()
    row = hand_in(reply(request, "Hm"))
    hand_in(reply(request, "Reject"))
    with transaction():
        db.session.get_one(Reply, row.id).outcome = "failed"
    again = undo.reprocess(row.id, now=LATER)
    assert again.outcome == "already_decided"
    assert approvals.get(request.approval_id).status == "rejected"
    assert len(approvals.get(request.approval_id).decisions) == 1


@pytest.mark.parametrize("words", ["Approve", "Reject"])
def test_a_mail_that_decided_is_not_judged_again(words: str, ready: Flask) -> None:
    row = hand_in(reply(ask(), words))
    before = contents(ready)
    with pytest.raises(Conflict, match=f"It was {row.outcome}: there is nothing to mend"):
        undo.reprocess(row.id, now=LATER)
    assert contents(ready) == before


def test_a_mail_that_was_put_back_is_processed_from_the_folder_alone(
    ready: Flask, server: MailServer
) -> None:
    reply_id = refused_for_bob(server)
    undo.restore(reply_id, now=LATER)
    with pytest.raises(Conflict, match="put back into the folder"):
        undo.reprocess(reply_id, now=LATER)


def test_with_approval_off_no_kept_mail_decides(ready: Flask, server: MailServer) -> None:
    reply_id = refused_for_bob(server)
    set_up(enable_email_approval=False)
    with pytest.raises(Conflict, match="approval is off"):
        undo.reprocess(reply_id, now=LATER)


def test_before_the_canary_has_passed_no_kept_mail_decides(
    ready: Flask, server: MailServer
) -> None:
    reply_id = refused_for_bob(server)
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    with pytest.raises(Conflict, match="canary"):
        undo.reprocess(reply_id, now=LATER)
    let_the_canary_pass()
    assert undo.reprocess(reply_id, now=LATER).outcome == "unauthenticated"


def test_the_canary_of_one_mailbox_says_nothing_about_mail_from_another(ready: Flask) -> None:
    row = hand_in(reply(ask(), "Hm", headers=("Authentication-Results: mx.corp.test; dmarc=pass",)))
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    let_the_canary_pass()
    with pytest.raises(Conflict, match="came from INBOX of"):
        undo.reprocess(row.id, now=LATER)
    set_up(reply_trust="reference_and_sender")
    assert undo.reprocess(row.id, now=LATER).outcome == "unclear"


def let_the_canary_pass() -> None:
    with transaction():
        target = trust.target(settings.load())
        passed = Canary(target_digest=target, message_id="<c@corp.test>", created_at=NOW)
        passed.state = "passed"
        db.session.add(passed)


def test_a_mail_judged_twice_at_once_decides_once(ready: Flask, server: MailServer) -> None:
    reply_id = refused_for_bob(server)
    clicks = [lambda: undo.reprocess(reply_id, now=LATER)] * 2
    results = together(ready, *clicks)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Reply"]
    assert len(approval_of(reply_id).decisions) == 1
    assert len(queued("reply_confirmation")) == 1


def test_a_mail_that_breaks_its_reader_again_stays_as_it_is(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = hand_in(reply(ask(), "Hm"))
    before = contents(ready)
    for desk, refusal, words in (
        (lambda: Apart(seconds=1e-9), Conflict, "Nothing was changed: .* took more than"),
        (lambda: Apart("there.is.no.such.module"), ReaderUnavailable, "cannot start"),
    ):
        monkeypatch.setattr(undo, "Apart", desk)
        with pytest.raises(refusal, match=words):
            undo.reprocess(row.id, now=LATER)
    assert contents(ready) == before


def test_what_breaks_while_a_mail_is_judged_again_leaves_everything_as_it_was(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = hand_in(reply(ask(), "Hm"))
    before = contents(ready)

    def breaks(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(answers, "queue", breaks)
    with pytest.raises(Conflict, match=r"broke off again \(ValueError\): nothing was changed"):
        undo.reprocess(row.id, now=LATER)
    assert contents(ready) == before


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        ("the settings", "changed meanwhile"),
        ("the mail", "changed meanwhile"),
        ("the owner", "another flexmail"),
        ("the folder", "put back into the folder"),
    ],
)
def test_what_changed_while_the_mail_was_read_ends_it(
    ready: Flask, monkeypatch: pytest.MonkeyPatch, meanwhile: str, why: str
) -> None:
    row = hand_in(reply(ask(), "Hm"))

    class Slow(Apart):
        def __exit__(self, *how: object) -> None:
            super().__exit__(*how)
            monkeypatch.undo()
            if meanwhile == "the mail":
                undo.reprocess(row.id, now=LATER)
            elif meanwhile == "the owner":
                with transaction():
                    db.session.execute(update(Installation).values(mark="another"))
            elif meanwhile == "the folder":
                with transaction():
                    db.session.execute(update(Reply).values(restored_at=LATER))
            else:
                set_up(email_reply_process_count=7)

    monkeypatch.setattr(undo, "Apart", Slow)
    with pytest.raises(Conflict, match=why):
        undo.reprocess(row.id, now=AFTER)


# Both


Act = Callable[[int], object]
BOTH: tuple[Act, Act] = (
    lambda reply_id: undo.restore(reply_id, now=LATER),
    lambda reply_id: undo.reprocess(reply_id, now=LATER),
)


@pytest.mark.parametrize("act", BOTH)
def test_without_a_copy_nothing_can_be_undone(act: Act, ready: Flask) -> None:
    row = hand_in(reply(ask(), "Hm"))
    reply_log.remove_old_copies(now=NOW + timedelta(days=31))
    with pytest.raises(Conflict, match="No copy"):
        act(row.id)
    with pytest.raises(NotFound):
        act(99)


@pytest.mark.parametrize("act", BOTH)
def test_a_database_of_another_flexmail_is_left_alone(act: Act, ready: Flask) -> None:
    row_id = hand_in(reply(ask(), "Hm")).id
    with transaction():
        db.session.execute(update(Installation).values(mark="another"))
    with pytest.raises(Conflict, match="another flexmail"):
        act(row_id)


@pytest.mark.parametrize("act", BOTH)
def test_a_copy_that_no_key_opens_cannot_be_undone(act: Act, ready: Flask) -> None:
    row_id = hand_in(reply(ask(), "Hm")).id
    key_store().replace([Fernet.generate_key().decode()])
    with pytest.raises((Conflict, SecretUnreadable), match="None of the encryption keys"):
        act(row_id)


def test_explaining_a_mail_that_was_put_back_does_not_call_it_a_duplicate(
    ready: Flask, server: MailServer
) -> None:
    reply_id = refused_for_bob(server)
    raw = raw_of(reply_log.get(reply_id))
    assert explaining.explain(raw, now=LATER).outcome == "duplicate"
    undo.restore(reply_id, now=LATER)
    told = explaining.explain(raw, now=LATER)
    assert told.outcome == "approved"
    assert all(rule.ok for rule in told.rules if rule.rule == "seen_before")
