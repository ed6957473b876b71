from __future__ import annotations

import pytest

from flexmail.mail.parse import Parsed, parse


def mail(*headers: str, sender: str = "Bob <bob@corp.test>", body: str = "approve\r\n") -> Parsed:
    lines = [f"From: {sender}", "Subject: Re: Release", *headers, "", body]
    return parse("\r\n".join(lines).encode())


def report(kind: str, part: str) -> Parsed:
    body = (
        f"--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: {part}\r\n\r\nAction: failed\r\n--b--\r\n"
    )
    return mail(f"Content-Type: multipart/report; {kind}boundary=b", body=body)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Auto-Submitted: no"],
        ["Auto-Submitted: No (a person)"],
        ["Precedence: list"],
        ["Precedence: first-class"],
        ["List-Id: <ops.corp.test>", "List-Unsubscribe: <mailto:x@corp.test>"],
        ["X-Auto-Response-Suppress: DR, RN, NRN"],
        ["X-Auto-Response-Suppress: None"],
        ["Return-Path: <bob@corp.test>"],
        ["X-Mailer: noreply"],
    ],
)
def test_mail_of_a_person_shows_no_sign(headers: list[str]) -> None:
    parsed = mail(*headers)
    assert (parsed.automatic, parsed.bounce, parsed.own_mark) == ("", "", "")


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=x@corp.test",
        "Auto-Submitted: AUTO-NOTIFIED",
        "Auto-Submitted:",
        "auto-submitted: nothing",
        "X-Autoreply: yes",
        "X-Autorespond: out of office",
        "Precedence: bulk",
        "Precedence: Junk",
        "Precedence: auto_reply",
        "Precedence: auto-reply",
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "X-Auto-Response-Suppress: oof",
        "Return-Path: <>",
        "Return-Path: < >",
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b",
        "Content-Type: message/disposition-notification",
        "Content-Type: message/feedback-report",
    ],
)
def test_each_sign_of_an_automaton_is_enough(header: str) -> None:
    parsed = mail(header)
    assert parsed.automatic
    assert "\n" not in parsed.automatic


def test_a_second_header_of_the_same_name_counts_too() -> None:
    assert mail("Auto-Submitted: no", "Auto-Submitted: auto-replied").automatic


@pytest.mark.parametrize(
    "sender",
    [
        "MAILER-DAEMON@corp.test",
        "Mail Delivery System <Mailer-Daemon@corp.test>",
        "Mail Delivery Subsystem <x@corp.test>",
        "postmaster@corp.test",
        "noreply@corp.test",
        "No Reply <no-reply@corp.test>",
        "no.reply+tag@corp.test",
        "Do_Not_Reply@corp.test",
        "noreply-dmarc@corp.test",
        "MAILER-DAEMON",
        "<MAILER-DAEMON>",
        "MAILER-DAEMON (Mail Delivery System)",
    ],
)
def test_the_name_of_a_machine_in_from_is_a_sign(sender: str) -> None:
    assert mail(sender=sender).automatic.startswith("From: ")


@pytest.mark.parametrize("sender", ["postmasterson@corp.test", "Bob Noren <reply@corp.test>"])
def test_a_name_that_only_resembles_a_machine_is_no_sign(sender: str) -> None:
    assert mail(sender=sender).automatic == ""


@pytest.mark.parametrize(
    "parsed",
    [
        report("report-type=delivery-status; ", "message/delivery-status"),
        report('report-type="Delivery-Status"; ', "text/plain"),
        report("", "text/rfc822-headers"),
        report("report-type=nonsense; ", "message/delivery-status"),
        mail("Content-Type: message/delivery-status"),
        mail("X-Failed-Recipients: charlie@x.test"),
        mail("Return-Path: <>", sender="MAILER-DAEMON@corp.test"),
        mail("Return-Path: <>", sender="MAILER-DAEMON"),
        mail("Return-Path: <>", sender="Mail Delivery System <x@corp.test>"),
    ],
)
def test_a_bounce_is_known(parsed: Parsed) -> None:
    assert parsed.bounce


@pytest.mark.parametrize(
    "parsed",
    [
        report("report-type=disposition-notification; ", "message/disposition-notification"),
        report("report-type=feedback-report; ", "message/feedback-report"),
        mail("Return-Path: <>"),
        mail(sender="MAILER-DAEMON@corp.test"),
    ],
)
def test_other_automatic_mail_is_no_bounce(parsed: Parsed) -> None:
    assert parsed.bounce == ""
    assert parsed.automatic


def test_a_bounce_with_more_recipients_than_parts_allowed_is_still_a_bounce() -> None:
    blocks = "Final-Recipient: rfc822; x@x.test\r\n\r\n" * 100
    parsed = report("report-type=delivery-status; ", f"message/delivery-status\r\n\r\n{blocks}")
    assert parsed.bounce
    assert parsed.problem == "The mail has more than 50 parts."


@pytest.mark.parametrize(
    ("value", "mark"),
    [("approval", "approval"), (" probe-1 ", "probe-1"), ("", "unknown"), ("<>", "unknown")],
)
def test_our_own_mark_is_known(value: str, mark: str) -> None:
    assert mail(f"X-Flexmail: {value}").own_mark == mark


def test_an_own_mark_is_short_and_plain_whatever_it_holds() -> None:
    assert mail("X-Flexmail: " + "a<b>" * 500).own_mark == "ab" * 15
