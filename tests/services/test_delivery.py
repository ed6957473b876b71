"""Delivery: at least once, the same bytes each time, and no mail waits for another's trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import delete

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.models import OutboxContent, OutboxMail
from flexmail.services import channels, claims, delivery, outbox, receipts
from flexmail.services.delivery import Report, deliver_due
from tests.conftest import NOW
from tests.rogue import Peer
from tests.services.sink import Sink, change, cut, queue, states, to_recipients
from tests.services.stage import (
    ADA,
    BOB,
    SECRET,
    ask,
    connect,
    opened,
    queued,
    set_up,
    together,
)

MINUTE = timedelta(minutes=1)


def test_what_is_due_is_sent_over_one_connection(people: Flask) -> None:
    with Sink() as sink:
        queue(ADA, BOB)
        contents = [opened(mail) for mail in queued()]
        assert deliver_due(now=NOW) == Report(sent=2)
    assert sink.commands(b"EHLO") == 1
    assert sink.recipients() == [ADA, BOB]
    assert sink.mails() == contents
    assert states() == [(ADA, "sent", 1), (BOB, "sent", 1)]
    sent = queued()[0]
    assert (sent.encrypted, sent.claimed_by) == (False, None)
    assert sent.sent_at is not None
    assert NOW <= sent.sent_at < NOW + MINUTE
    assert "250" in sent.answer


def test_nothing_is_sent_twice_and_nothing_to_do_opens_no_connection(people: Flask) -> None:
    with Sink() as sink:
        queue(BOB)
        deliver_due(now=NOW)
        deliver_due(now=NOW + MINUTE)
    assert sink.commands(b"EHLO") == 1
    assert len(sink.mails()) == 1


def test_more_than_a_batch_is_sent_in_one_call(people: Flask) -> None:
    number = claims.BATCH * 2 + 1
    with Sink() as sink:
        queue(*(f"person{n}@corp.test" for n in range(number)))
        assert deliver_due(now=NOW).sent == number
    assert sink.recipients() == [f"person{n}@corp.test" for n in range(number)]
    assert sink.commands(b"EHLO") == 1


def test_a_line_that_begins_with_a_dot_arrives_whole(people: Flask) -> None:
    with Sink() as sink:
        set_up(smtp_host_name="127.0.0.1")
        request = ask(title=".")
        deliver_due(now=NOW)
    assert sink.mails() == [request.raw]


def test_over_tls_with_a_login_the_mail_counts_as_encrypted(
    people: Flask, server: MailServer
) -> None:
    connect(server)
    request = ask()
    assert deliver_due(now=NOW).sent == 1
    assert queued()[0].encrypted is True
    (arrived,) = [raw for _, raw in server.mailbox(BOB)]
    assert request.raw.strip() in arrived


def test_a_temporary_refusal_is_retried_by_the_schedule(people: Flask) -> None:
    waits = []
    with Sink({"RCPT": b"451 4.3.0 later\r\n"}) as sink:
        queue(BOB)
        now = NOW
        for _ in range(8):
            assert deliver_due(now=now).deferred == 1
            retry_at = queued()[0].retry_at
            waits.append(round((retry_at - now) / MINUTE))
            before = len(sink.heard)
            deliver_due(now=retry_at - timedelta(seconds=1))
            assert len(sink.heard) == before
            now = retry_at
        sink.answers["RCPT"] = b"250 fine\r\n"
        assert deliver_due(now=now).sent == 1
    assert waits == [1, 2, 5, 10, 15, 30, 30, 30]
    assert "451" not in queued()[0].answer


def test_after_four_days_a_temporary_refusal_is_final(people: Flask) -> None:
    with Sink({"RCPT": b"451 4.3.0 later\r\n"}):
        queue(BOB)
        deliver_due(now=NOW + receipts.GIVE_UP_AFTER - MINUTE)
        assert states()[0][1] == "queued"
        deliver_due(now=NOW + receipts.GIVE_UP_AFTER + MINUTE)
    assert states()[0][1] == "failed"
    assert "451" in queued()[0].answer


@pytest.mark.parametrize(
    ("command", "answer", "state"),
    [
        ("MAIL", b"550 5.7.1 no\r\n", "failed"),
        ("RCPT", b"550 5.1.1 nobody\r\n", "failed"),
        ("RCPT", b"452 4.2.2 full\r\n", "queued"),
        ("MAIL", b"200 fine\r\n", "sent"),
        ("RCPT", b"251 forwarded\r\n", "sent"),
        ("RCPT", b"252 fine as far as known\r\n", "sent"),
        (".", b"200 taken\r\n", "sent"),
        ("DATA", b"554 no\r\n", "failed"),
        (".", b"554 5.6.0 spam\r\n", "failed"),
        (".", b"451 4.3.0 greylisted\r\n", "queued"),
        (".", b"432 4.7.0 throttled\r\n", "queued"),
    ],
)
def test_the_code_decides_whether_a_mail_fails_or_waits(
    command: str, answer: bytes, state: str, people: Flask
) -> None:
    with Sink({command: answer}):
        queue(BOB)
        report = deliver_due(now=NOW)
    assert states() == [(BOB, state, 1)]
    assert report.error == ""
    assert answer[:3].decode() in queued()[0].answer or state == "sent"


def test_one_bad_recipient_blocks_no_other(people: Flask) -> None:
    refusals = {b"bad": b"550 5.1.1 nobody\r\n", b"slow": b"451 4.3.0 later\r\n"}
    with Sink({"RCPT": to_recipients(refusals)}) as sink:
        queue("bad@corp.test", ADA, "slow@corp.test", BOB)
        assert deliver_due(now=NOW) == Report(sent=2, deferred=1, failed=1)
    assert [state for _, state, _ in states()] == ["failed", "sent", "queued", "sent"]
    assert len(sink.mails()) == 2


def test_a_refused_login_costs_no_try_and_pauses(people: Flask) -> None:
    with Sink({"AUTH": b"535 5.7.8 no\r\n"}) as sink:
        set_up(smtp_host_name="127.0.0.1", smtp_user="deploy", smtp_password=SECRET)
        queue(ADA, BOB)
        report = deliver_due(now=NOW)
        assert "535" in report.error
        assert SECRET not in report.error
        assert states() == [(ADA, "queued", 0), (BOB, "queued", 0)]
        assert {mail.retry_at for mail in queued()} == {NOW}
        tries = sink.commands(b"AUTH")
        for minutes in (1, 2, 5):
            assert deliver_due(now=NOW + minutes * MINUTE) == Report()
        assert sink.commands(b"AUTH") == tries
        assert "535" in deliver_due(now=NOW + 6 * MINUTE).error
    channel = channels.get(delivery.CHANNEL)
    assert channel.failing_since == NOW
    assert "SMTP Password" in channel.error


def test_refused_logins_are_at_most_ten_an_hour(people: Flask) -> None:
    with Sink({"AUTH": b"535 5.7.8 no\r\n"}) as sink:
        set_up(smtp_host_name="127.0.0.1", smtp_user="deploy", smtp_password=SECRET)
        queue(BOB)
        for seconds in range(0, 3600, 60):
            deliver_due(now=NOW + timedelta(seconds=seconds))
    assert sink.commands(b"AUTH") <= 10


@pytest.mark.parametrize("how", ["at once", "new settings"])
def test_a_pause_ends_by_hand_or_with_new_settings(how: str, people: Flask) -> None:
    with Sink({"AUTH": b"535 5.7.8 no\r\n"}) as sink:
        set_up(smtp_host_name="127.0.0.1", smtp_user="deploy", smtp_password=SECRET)
        queue(BOB)
        deliver_due(now=NOW)
        sink.answers["AUTH"] = b"235 welcome\r\n"
        if how == "new settings":
            set_up(smtp_host_name="127.0.0.1", smtp_user="deploy", smtp_password="right")
        assert deliver_due(now=NOW + MINUTE, at_once=how == "at once").sent == 1
    channel = channels.get(delivery.CHANNEL)
    assert (channel.error, channel.failing_since, channel.paused_until) == ("", None, None)


def test_a_server_that_is_not_there_costs_no_try(people: Flask) -> None:
    with Sink() as sink:
        queue(BOB)
    assert sink.heard == []
    assert "refused the connection" in deliver_due(now=NOW).error
    assert states() == [(BOB, "queued", 0)]


def test_a_connection_cut_after_the_content_sends_the_same_mail_again(people: Flask) -> None:
    with Sink({".": cut}) as sink:
        queue(ADA, BOB)
        report = deliver_due(now=NOW)
        assert report.error
        assert states() == [(ADA, "queued", 1), (BOB, "queued", 0)]
        del sink.answers["."]
        assert deliver_due(now=NOW + 2 * MINUTE).sent == 2
    first, *others = sink.mails()
    assert others.count(first) == 1  # same bytes, same Message-ID
    assert len(others) == 2
    assert [state for _, state, _ in states()] == ["sent", "sent"]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("how", ["cut", "421"])
def test_a_connection_that_ends_under_way_leaves_every_mail_to_be_sent(
    how: str, command: str, people: Flask
) -> None:
    with Sink({command: cut if how == "cut" else b"421 4.3.2 closing\r\n"}) as sink:
        queue(ADA, BOB)
        assert deliver_due(now=NOW).error
        assert [state for _, state, _ in states()] == ["queued", "queued"]
        del sink.answers[command]
        assert deliver_due(now=NOW + 2 * MINUTE).sent == 2


def test_a_mail_that_kills_every_connection_lets_the_others_pass(people: Flask) -> None:
    def kill(peer: Peer, line: bytes) -> None:
        if b"killer" in line:
            peer.close()
        else:
            peer.send(b"250 fine\r\n")

    with Sink({"RCPT": kill}):
        queue("killer@corp.test", ADA, BOB)
        for minute in range(4):
            deliver_due(now=NOW + minute * MINUTE)
    assert [state for _, state, _ in states()] == ["queued", "sent", "sent"]


def test_the_report_counts_what_was_sent_before_the_connection_was_lost(people: Flask) -> None:
    def kill(peer: Peer, line: bytes) -> None:
        if BOB.encode() in line:
            peer.close()
        else:
            peer.send(b"250 fine\r\n")

    with Sink({"RCPT": kill}):
        queue(ADA, BOB)
        report = deliver_due(now=NOW)
    assert [state for _, state, _ in states()] == ["sent", "queued"]
    assert (report.sent, report.deferred) == (1, 1)


def test_claims_of_a_dead_sender_come_back(people: Flask) -> None:
    with Sink() as sink:
        queue(BOB)
        change(state="sending", claimed_by="dead:1", claimed_until=NOW + claims.CLAIM, attempts=1)
        assert deliver_due(now=NOW + claims.CLAIM) == Report()
        assert deliver_due(now=NOW, at_once=True) == Report()
        assert deliver_due(now=NOW + claims.CLAIM + timedelta(seconds=1)).sent == 1
    assert states() == [(BOB, "sent", 2)]
    assert len(sink.mails()) == 1


def test_a_sender_that_is_killed_leaves_its_mail_for_the_next(people: Flask) -> None:
    class Killed(BaseException):
        pass

    def kill() -> bool:
        raise Killed

    with Sink() as sink:
        queue(BOB)
        change(retry_at=NOW)
        with pytest.raises(Killed):
            deliver_due(now=NOW, keep_going=kill)
        assert deliver_due(now=NOW + claims.CLAIM + MINUTE).sent == 1
    assert len(sink.mails()) == 1


def test_a_sender_that_wakes_up_late_does_not_queue_again_what_was_cancelled(
    people: Flask,
) -> None:
    with Sink({"RCPT": b"451 4.3.0 later\r\n"}):
        queue(BOB)
        (mail,) = claims.claim(NOW, NOW)
        deliver_due(now=NOW + claims.CLAIM + MINUTE)  # the claim ran out meanwhile
    outbox.cancel(mail.id)
    late = receipts.Receipts()
    late.add(receipts.Receipt(mail.id, NOW, "451 4.3.0 later", temporary=True))
    late.store()
    assert states() == [(BOB, "cancelled", 2)]
    assert "Cancelled by" in queued()[0].answer


def test_a_sender_that_wakes_up_late_does_not_send_again_what_went_out(people: Flask) -> None:
    with Sink() as sink:
        queue(BOB)
        (mail,) = claims.claim(NOW, NOW)
        late = NOW + claims.CLAIM + MINUTE
        deliver_due(now=late)
        receipt = receipts.Receipt(mail.id, late, "did not answer in time", temporary=True)
        woken = receipts.Receipts()
        woken.add(receipt)
        woken.store()
        assert deliver_due(now=late + MINUTE, at_once=True) == Report()
    assert states() == [(BOB, "sent", 2)]
    assert len(sink.mails()) == 1


def test_a_sender_that_wakes_up_late_takes_nothing_from_the_one_that_took_over(
    people: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(smtp_host_name="127.0.0.1")
    queue(ADA, BOB)
    late = NOW + claims.CLAIM + MINUTE
    first, second = claims.claim(NOW, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(claims, "sender", lambda: "other:2")
        claims.claim(late, late)
    woken = receipts.Receipts()
    woken.add(receipts.Receipt(first.id, late, "closed", temporary=True, counted=False))
    woken.store()
    claims.give_back([second.id])
    assert states() == [(ADA, "sending", 2), (BOB, "sending", 2)]
    assert claims.claim(late, late) == []


def test_a_mail_whose_row_is_gone_costs_no_other_its_receipt(people: Flask) -> None:
    set_up(smtp_host_name="127.0.0.1")
    queue(ADA, BOB)
    first, second = claims.claim(NOW, NOW)
    with transaction():
        db.session.execute(delete(OutboxContent).where(OutboxContent.id == second.id))
        db.session.execute(delete(OutboxMail).where(OutboxMail.id == second.id))
    known = receipts.Receipts()
    known.add(receipts.Receipt(first.id, NOW, "250 taken", encrypted=True))
    known.add(receipts.Receipt(second.id, NOW, "451 later", temporary=True))
    known.store()
    assert states() == [(ADA, "sent", 1)]


@pytest.mark.parametrize("state", ["queued", "sending"])
def test_a_clock_that_was_ahead_holds_no_mail_back(state: str, people: Flask) -> None:
    ahead = NOW + timedelta(days=400)
    with Sink():
        queue(BOB, now=ahead)
        if state == "sending":
            claims.claim(ahead, ahead)
        assert deliver_due(now=NOW).sent == 1


def test_at_once_acts_before_the_retry_time(people: Flask) -> None:
    with Sink() as sink:
        queue(BOB)
        change(retry_at=NOW + 30 * MINUTE)
        assert deliver_due(now=NOW) == Report()
        assert deliver_due(now=NOW, at_once=True).sent == 1
    assert len(sink.mails()) == 1


def test_at_once_tries_each_mail_once_only(people: Flask) -> None:
    with Sink({"RCPT": b"451 4.3.0 later\r\n"}) as sink:
        queue(ADA, BOB)
        assert deliver_due(now=NOW, at_once=True) == Report(deferred=2)
    assert sink.recipients() == [ADA, BOB]


def test_failed_mail_is_left_alone_even_at_once(people: Flask) -> None:
    with Sink() as sink:
        queue(BOB)
        change(state="failed")
        assert deliver_due(now=NOW, at_once=True) == Report()
    assert sink.heard == []


def test_stopping_between_mails_gives_the_rest_back_untried(people: Flask) -> None:
    with Sink() as sink:
        queue(ADA, BOB, "carol@corp.test")
        asked = iter([True, False])
        assert deliver_due(now=NOW, keep_going=lambda: next(asked)).sent == 1
        assert states()[1:] == [(BOB, "queued", 0), ("carol@corp.test", "queued", 0)]
        assert deliver_due(now=NOW).sent == 2
    assert len(sink.mails()) == 3


def test_two_senders_at_once_send_each_mail_once(people: Flask, server: MailServer) -> None:
    connect(server)
    queue(*[BOB] * 40)
    results = together(people, *[lambda: deliver_due(now=NOW).sent] * 2)
    assert sum(result for result in results if isinstance(result, int)) == 40, results
    assert len(server.mailbox(BOB)) == 40


def test_without_settings_the_report_says_so(context: Flask) -> None:
    with Sink():
        queue(BOB)
    set_up()
    with transaction():
        db.session.execute(db.text("UPDATE email_settings SET smtp_host_name = ''"))
    assert "not set up" in deliver_due(now=NOW).error
    assert states() == [(BOB, "queued", 0)]


def test_a_password_that_no_key_opens_is_told_and_costs_no_try(people: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    queue(BOB)
    other = create_app({"TESTING": True, "ENCRYPTION_KEYS": Fernet.generate_key().decode()})
    with other.app_context():
        assert "encryption key" in deliver_due(now=NOW).error
        assert states() == [(BOB, "queued", 0)]
        assert "encryption key" in channels.get(delivery.CHANNEL).error


def test_a_mail_that_no_key_opens_blocks_no_other(people: Flask) -> None:
    with Sink():
        queue(ADA)
    other = create_app({"TESTING": True, "ENCRYPTION_KEYS": Fernet.generate_key().decode()})
    with other.app_context(), Sink() as sink:
        queue(BOB)
        deliver_due(now=NOW)
        deliver_due(now=NOW + 2 * MINUTE)
        assert BOB in sink.recipients()


def test_a_mail_row_shows_no_secret_in_its_repr(people: Flask) -> None:
    set_up()
    request = ask()
    assert request.reference not in repr(db.session.get(OutboxMail, 1))
