"""A server that wants mail slower gets it slower, and loses nobody's mail over it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from flexmail.db import db, transaction
from flexmail.errors import LoginRefused, MailServerError, Refused, Unreachable
from flexmail.models import Channel
from flexmail.services import channels, claims, delivery, pace, status
from flexmail.services.delivery import Report, deliver_due
from tests.conftest import NOW
from tests.rogue import Peer
from tests.servers import PASSWORD, Exim
from tests.services.sink import Sink, cut, queue, states, to_recipients
from tests.services.stage import ADA, BOB, queued, set_up

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SLOWER = b"450 4.7.0 too many messages, slow down\r\n"


def current_pace() -> int | None:
    db.session.rollback()
    return channels.get(delivery.CHANNEL).pace


def set_pace(value: int) -> None:
    with transaction():
        db.session.merge(Channel(name=delivery.CHANNEL, error="", pace=value))


def crowd(number: int) -> list[str]:
    return [f"person{n}@corp.test" for n in range(number)]


def after(number: int, answer: bytes) -> Callable[[Peer, bytes], None]:
    """Take so many recipients, and say something else to those that follow."""
    seen: list[bytes] = []

    def reply(peer: Peer, line: bytes) -> None:
        seen.append(line)
        peer.send(b"250 fine\r\n" if len(seen) <= number else answer)

    return reply


@pytest.mark.parametrize(
    ("error", "asks"),
    [
        (Unreachable("The server closes down: 421 4.3.2 busy", code=421), True),
        (Unreachable("mail.test closed the connection."), False),
        (Refused("The server refused the mail: 432 4.3.2 concurrent", code=432), True),
        (Refused("The server refused the mail: 450 4.7.1 rate", code=450), True),
        (Refused("The server refused the recipient: 451 4.7.500 busy", code=451), True),
        (Refused("The server refused the mail: 452 4.3.2 later", code=452), True),
        (Refused("The server refused the mail: 451 Rate exceeded", code=451), True),
        (Refused("The server refused the mail: 450 too many messages", code=450), True),
        (Refused("The server refused the mail: 451 4.3.0 generate error", code=451), False),
        (Refused("The server refused the recipient: 451 4.7.1 Greylisted", code=451), False),
        (Refused("The server refused the recipient: 452 4.2.2 over its limit", code=452), False),
        (Refused("The server refused the recipient: 550 5.7.1 rate", code=550), False),
        (LoginRefused("The server refused the login: 432 4.7.0 too many", code=432), False),
    ],
)
def test_what_asks_for_less_mail_is_told_from_what_is_about_one(
    error: MailServerError, asks: bool
) -> None:
    assert pace.throttles(error) is asks


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_a_farewell_before_the_mail_was_taken_costs_no_try(command: str, people: Flask) -> None:
    with Sink({command: b"421 4.7.0 try again later\r\n"}) as sink:
        queue(ADA, BOB)
        assert "421" in deliver_due(now=NOW).error
        assert states() == [(ADA, "queued", 0), (BOB, "queued", 0)]
        assert current_pace() == claims.BATCH // 2
        heard = len(sink.heard)
        assert deliver_due(now=NOW + 59 * SECOND) == Report()
        assert len(sink.heard) == heard
        del sink.answers[command]
        assert deliver_due(now=NOW + 2 * MINUTE).sent == 2
    assert channels.get(delivery.CHANNEL).failing_since is None


def test_a_mail_that_always_gets_a_farewell_blocks_no_other(people: Flask) -> None:
    farewell = b"421 4.3.0 not this one\r\n"
    with Sink({"RCPT": to_recipients({b"killer": farewell})}):
        queue("killer@corp.test", ADA, BOB)
        for minute in range(3):
            deliver_due(now=NOW + 2 * minute * MINUTE)
    assert [state for _, state, _ in states()] == ["queued", "sent", "sent"]


@pytest.mark.parametrize("answer", [b"432 4.3.2 concurrent connections\r\n", SLOWER])
def test_two_mails_in_a_row_that_are_to_wait_end_the_batch(answer: bytes, people: Flask) -> None:
    everyone = crowd(10)
    with Sink({"RCPT": after(3, answer)}) as sink:
        queue(*everyone)
        report = deliver_due(now=NOW)
        assert (report.sent, report.deferred, report.failed) == (3, 2, 0)
        assert answer[:3].decode() in report.error
        assert sink.recipients() == everyone[:5]
    assert [tries for _, _, tries in states()] == [1] * 5 + [0] * 5
    channel = channels.get(delivery.CHANNEL)
    assert channel.pace == claims.BATCH // 2
    assert channel.paused_until is not None
    assert NOW + MINUTE <= channel.paused_until < NOW + 2 * MINUTE
    assert channel.failing_since is None  # it took three
    assert any("50 at a time" in warning for warning in status.overview(now=NOW)["warnings"])


def test_a_server_that_takes_nothing_but_asks_for_less_counts_as_failing(people: Flask) -> None:
    with Sink({"RCPT": SLOWER}):
        queue(ADA, BOB, "carol@corp.test")
        deliver_due(now=NOW)
    channel = channels.get(delivery.CHANNEL)
    assert channel.failing_since == NOW
    assert "slow down" in channel.error


@pytest.mark.parametrize("answer", [SLOWER, b"451 4.7.1 Greylisted\r\n"])
def test_one_recipient_who_is_to_wait_slows_nobody_down(answer: bytes, people: Flask) -> None:
    with Sink({"RCPT": to_recipients({b"person3@": answer})}):
        queue(*crowd(6))
        assert deliver_due(now=NOW) == Report(sent=5, deferred=1)
    channel = channels.get(delivery.CHANNEL)
    assert (channel.pace, channel.paused_until) == (None, None)


def test_greylisted_recipients_slow_nobody_down(people: Flask) -> None:
    with Sink({"RCPT": to_recipients({b"new": b"451 4.7.1 Greylisting in action\r\n"})}):
        queue("new1@corp.test", "new2@corp.test", "new3@corp.test", BOB)
        assert deliver_due(now=NOW) == Report(sent=1, deferred=3)
    assert current_pace() is None


def test_the_pace_halves_down_to_one_and_no_further(people: Flask) -> None:
    now = NOW
    seen = []
    with Sink({"MAIL": b"421 4.7.0 later\r\n"}):
        queue(BOB)
        for _ in range(7):
            deliver_due(now=now)
            seen.append(current_pace())
            now += 2 * MINUTE
    assert seen == [50, 25, 12, 6, 3, 1, 1]


def test_the_pace_grows_again_with_batches_that_go_well(people: Flask) -> None:
    set_up()
    set_pace(20)
    now = NOW
    sent, paces = [], []
    with Sink() as sink:
        queue(*crowd(145))
        for _ in range(4):
            sent.append(deliver_due(now=now).sent)
            paces.append(current_pace())
            assert deliver_due(now=now + 5 * SECOND).sent == 0
            now += 20 * SECOND
    assert sent == [20, 40, 80, 5]
    assert paces == [40, 80, None, None]
    assert len(sink.mails()) == 145


def test_what_is_sent_by_hand_goes_whole_even_while_mail_is_held_back(people: Flask) -> None:
    set_up()
    set_pace(20)
    with Sink() as sink:
        queue(*crowd(145))
        assert deliver_due(now=NOW, at_once=True).sent == 145
    assert sink.commands(b"EHLO") == 1
    assert current_pace() is None


@pytest.mark.parametrize("end", [cut, b"421 4.3.0 and now go\r\n"])
def test_a_server_that_hangs_up_after_a_no_gets_the_others_at_once(
    end: Callable[[Peer, bytes], None] | bytes, people: Flask
) -> None:
    def refuse(peer: Peer, line: bytes) -> None:
        if b"bad" not in line:
            peer.send(b"250 fine\r\n")
            return
        peer.send(b"550 5.1.1 nobody\r\n")
        if isinstance(end, bytes):
            peer.send(end)
        else:
            end(peer, line)

    with Sink({"RCPT": refuse}) as sink:
        queue(ADA, "bad@corp.test", BOB)
        assert deliver_due(now=NOW) == Report(sent=2, failed=1)
    assert sink.commands(b"EHLO") == 2
    assert current_pace() is None


def test_what_became_of_mails_is_stored_some_at_a_time(people: Flask) -> None:
    begun: list[str] = []
    with Sink():
        queue(*crowd(30))

        @event.listens_for(db.engine, "before_cursor_execute")
        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("BEGIN IMMEDIATE"):
                begun.append(statement)

        assert deliver_due(now=NOW).sent == 30
    # Claim, store, look for more, note the run; more only where the machine is slow.
    assert len(begun) < 30


@pytest.mark.exim
def test_a_real_server_takes_some_and_refuses_others_in_one_conversation(
    people: Flask, exim: Exim, new_address: Callable[[], str]
) -> None:
    first, last = new_address(), new_address()
    set_up(
        smtp_host_name=exim.host,
        smtp_host_port=exim.smtp_port,
        smtp_user="ada@example.test",
        smtp_password=PASSWORD,
        smtp_from_address="ada@example.test",
        tls_ca_certificates=exim.ca_pem,
    )
    queue(first, "nobody@example.test", "later@example.test", last)
    assert deliver_due(now=NOW) == Report(sent=2, deferred=1, failed=1)
    assert [state for _, state, _ in states()] == ["sent", "failed", "queued", "sent"]
    assert [mail.encrypted for mail in queued()] == [True, None, None, True]
    assert queued()[2].retry_at >= NOW + MINUTE
