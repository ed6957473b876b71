"""Mails about events over SMTP: what becomes of each recipient's, and what is on the wire."""

from __future__ import annotations

import threading
from datetime import timedelta
from email.header import decode_header, make_header

import pytest
from flask import Flask

from flexmail.services import channels, delivery, events, unsubscribing
from flexmail.services.delivery import Report, deliver_due
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.rogue import Peer
from tests.services.sink import Sink, states, to_recipients
from tests.services.stage import ADA, BOB, opened, queued, read, set_up, text_of

FIVE = (ADA, BOB, "eve@corp.test", "dora@corp.test", "team@corp.test")
JUERGEN, BUECHER = "jürgen@example.test", "bob@bücher.test"
UTF8 = (b"PIPELINING", b"8BITMIME", b"SMTPUTF8")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def site(people: Flask) -> Flask:
    people.config["BASE_URL"] = "https://flexmail.corp.test"
    return people


def tell(*recipients: str, **given: object) -> None:
    told = NewEvent("failed", recipients=recipients, **given)  # type: ignore[arg-type]
    assert events.send(told, now=NOW).queued == len(recipients)


def test_what_is_refused_for_now_is_taken_later_under_the_same_name(site: Flask) -> None:
    with Sink({"RCPT": b"450 4.2.0 greylisted\r\n"}) as sink:
        tell(BOB)
        assert deliver_due(now=NOW) == Report(deferred=1)
        (mail,) = queued()
        assert (mail.state, mail.attempts, mail.status_code) == ("queued", 1, "4.2.0")
        before, next_try = opened(mail), mail.retry_at
        assert next_try >= NOW + MINUTE
        del sink.answers["RCPT"]
        assert deliver_due(now=next_try - timedelta(seconds=1)) == Report()
        assert deliver_due(now=next_try) == Report(sent=1)
        assert sink.mails() == [before]
    assert states() == [(BOB, "sent", 2)]


def test_550_for_one_of_five_holds_back_none_of_the_others(site: Flask) -> None:
    refused = to_recipients({b"eve@": b"550 5.1.1 no such user\r\n"})
    with Sink({"RCPT": refused}) as sink:
        tell(*FIVE)
        assert deliver_due(now=NOW) == Report(sent=4, failed=1)
    assert [state for _, state, _ in states()] == ["sent", "sent", "failed", "sent", "sent"]
    assert queued(to="eve@corp.test")[0].answer.endswith("550 5.1.1 no such user")
    arrived = [str(read(raw)["To"]) for raw in sink.mails()]
    assert arrived == [to for to in FIVE if not to.startswith("eve")]


def test_421_costs_no_recipient_a_try_and_all_go_in_the_end(site: Flask) -> None:
    taken: list[bytes] = []

    def third(peer: Peer, line: bytes) -> None:
        taken.append(line)
        if len(taken) == 3:
            peer.send(b"421 4.3.2 going down\r\n")
            peer.close()
        else:
            peer.send(b"250 2.0.0 taken\r\n")

    with Sink({".": third}) as sink:
        tell(*FIVE)
        report = deliver_due(now=NOW)
        assert (report.sent, report.failed) == (2, 0)
        assert {tries for _, state, tries in states() if state == "queued"} == {0}
        assert deliver_due(now=NOW + 10 * MINUTE).sent == 3
    assert [state for _, state, _ in states()] == ["sent"] * 5
    assert len(sink.mails()) == 6  # the one under way may have arrived: at least once


def test_a_server_that_is_slow_to_answer_is_waited_for(site: Flask) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def late(peer: Peer, line: bytes) -> None:
        waiting.set()
        assert go_on.wait(10)
        peer.send(b"250 2.0.0 taken\r\n")

    with Sink({".": late}):
        tell(BOB)

        def let_it_go_on() -> None:
            if waiting.wait(10):
                go_on.set()

        helper = threading.Thread(target=let_it_go_on)
        helper.start()
        assert deliver_due(now=NOW) == Report(sent=1)
        helper.join(10)
    assert waiting.is_set()


@pytest.mark.parametrize(
    ("refusal", "what_to_do"),
    [
        (b"530 5.7.0 Must issue a STARTTLS command first\r\n", "Tick SMTP Enable STARTTLS"),
        (b"530 5.7.0 Authentication required\r\n", "Fill in SMTP User and SMTP Password."),
    ],
)
@pytest.mark.parametrize("extensions", [(b"PIPELINING",), (b"SIZE",)])
def test_what_the_server_wants_first_is_said_and_costs_no_mail_a_try(
    refusal: bytes, what_to_do: str, extensions: tuple[bytes, ...], site: Flask
) -> None:
    wants = {"MAIL": refusal, "RCPT": b"503 5.5.1 no MAIL\r\n", "DATA": b"503 5.5.1 no RCPT\r\n"}
    with Sink(dict(wants), extensions=extensions) as sink:
        tell(*FIVE)
        report = deliver_due(now=NOW)
        assert (report.sent, report.failed, report.deferred) == (0, 0, 1)
        assert what_to_do in report.error
        assert refusal[:9].decode() in report.error
        assert [(state, tries) for _, state, tries in states()] == [("queued", 0)] * 5
        assert what_to_do in channels.get(delivery.CHANNEL).error
        assert deliver_due(now=NOW) == Report()  # a pause: asking again at once would not help
        sink.answers.clear()
        assert deliver_due(now=NOW + 10 * MINUTE).sent == 5


def test_international_addresses_go_out_as_rfc_6531_says(site: Flask) -> None:
    with Sink(extensions=UTF8) as sink:
        tell(JUERGEN, BUECHER, BOB)
        assert deliver_due(now=NOW) == Report(sent=3)
    heard = [line for line in sink.heard if line.upper().startswith((b"MAIL", b"RCPT"))]
    assert heard == [
        b"MAIL FROM:<approvals@corp.test> SMTPUTF8 BODY=8BITMIME",
        "RCPT TO:<jürgen@example.test>".encode(),
        b"MAIL FROM:<approvals@corp.test>",
        b"RCPT TO:<bob@xn--bcher-kva.test>",
        b"MAIL FROM:<approvals@corp.test>",
        b"RCPT TO:<bob@corp.test>",
    ]
    assert "To: jürgen@example.test\r\n".encode() in sink.mails()[0]
    assert all(raw.isascii() for raw in sink.mails()[1:])


def test_without_smtputf8_only_whose_address_needs_it_gets_nothing(site: Flask) -> None:
    with Sink(extensions=(b"PIPELINING", b"8BITMIME")) as sink:
        tell(JUERGEN, BUECHER, BOB)
        assert deliver_due(now=NOW) == Report(sent=2, failed=1)
    failed = queued(to=JUERGEN)[0]
    assert failed.state == "failed"
    assert "takes no addresses with letters beyond ASCII (SMTPUTF8)" in failed.answer
    assert sink.recipients() == ["bob@xn--bcher-kva.test", BOB]


def test_an_ascii_envelope_with_another_header_asks_for_smtputf8_too(site: Flask) -> None:
    from tests.services.stage import ask

    with Sink(extensions=UTF8) as sink:
        set_up(approval_reply_address="freigabe@corp.test")
        ask()
        set_up(approval_reply_address="grün@corp.test")
        ask()
        assert deliver_due(now=NOW).sent == 2
    first, second = (line for line in sink.heard if line.upper().startswith(b"MAIL"))
    assert b"SMTPUTF8" not in first
    assert second.endswith(b" SMTPUTF8 BODY=8BITMIME")


def test_letters_beyond_ascii_are_the_same_at_the_other_end(site: Flask) -> None:
    subject = "Störung in Zürich – 数据库没有启动, " + "sehr lang " * 9
    with Sink() as sink:
        set_up(smtp_from_address='"Überwachung, Zürich" <approvals@corp.test>')
        tell(BOB, subject=subject, data={"details": "Größe: 3 µm\n数据库"})
        assert deliver_due(now=NOW).sent == 1
    (raw,) = sink.mails()
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(len(line) for line in lines if b"https://" not in line) <= 78
    header = read(raw)
    told = str(make_header(decode_header(header["Subject"])))
    assert told == f"Failed: {subject}".strip()
    assert header["From"].addresses[0].display_name == "Überwachung, Zürich"
    for kind in ("plain", "html"):
        assert "Größe: 3 µm" in text_of(raw, kind)
        assert "数据库" in text_of(raw, kind)


def test_each_recipient_has_a_reason_and_a_link_of_their_own(site: Flask) -> None:
    with Sink():
        told = NewEvent("failed", data={"submitter": ADA}, recipients=(BOB, JUERGEN))
        assert events.send(told, now=NOW).queued == 3
        mails = {mail.recipient: opened(mail) for mail in queued()}
    for to, why in ((BOB, "named you"), (ADA, "named as submitter")):
        link = unsubscribing.link(to, "failed")
        others = [unsubscribing.link(other, "failed") for other in mails if other != to]
        for kind in ("plain", "html"):
            text = text_of(mails[to], kind)
            assert why in text
            assert link in text
            assert not any(other in text for other in others)
    assert len({str(read(raw)["Message-ID"]) for raw in mails.values()}) == 3
