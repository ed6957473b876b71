from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexmail.mail.delivery_report import (
    MAX_DIAGNOSTIC,
    MAX_REPORTS,
    DeliveryReport,
    status_code_in,
)
from flexmail.mail.parse import Parsed, parse

OURS = "<fm-abcdefghijklmnopqrstuvwxyz@corp.test>"
REFERENCE = "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RETURNED = f"From: approvals@corp.test\r\nMessage-ID: {OURS}\r\nSubject: Deploy 4.2.1\r\n"
POSTFIX = (
    "Reporting-MTA: dns; mx.corp.test\r\nX-Postfix-Queue-ID: 8E73E1FAB7\r\n"
    "Arrival-Date: Mon, 2 Nov 2026 09:00:00 +0000\r\n\r\n"
    "Final-Recipient: rfc822; bob@corp.test\r\nOriginal-Recipient: rfc822;bob@corp.test\r\n"
    "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mail.corp.test\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <bob@corp.test>: user unknown\r\n"
)


def part(kind: str, text: str, *headers: str) -> str:
    return "\r\n".join([f"Content-Type: {kind}", *headers, "", text])


def mail(body: str, *headers: str, sender: str = "MAILER-DAEMON@mx.corp.test") -> Parsed:
    head = [f"From: {sender}", "Subject: Undelivered", *headers]
    return parse("\r\n".join([*head, "", body]).encode())


def report(
    status: str,
    returned: str = part("text/rfc822-headers", RETURNED),
    kind: str = "message/delivery-status",
) -> Parsed:
    leaves = [part("text/plain", "It failed."), part(kind, status), returned]
    body = "".join(f"--b\r\n{leaf}\r\n" for leaf in leaves) + "--b--\r\n"
    return mail(body, "Content-Type: multipart/report; report-type=delivery-status; boundary=b")


def only(parsed: Parsed) -> DeliveryReport:
    (found,) = parsed.reports
    return found


def test_a_report_says_to_whom_what_and_why() -> None:
    parsed = report(POSTFIX)
    assert parsed.bounce == "a delivery report"
    assert only(parsed) == DeliveryReport(
        "bob@corp.test", "failed", "5.1.1", "<bob@corp.test>: user unknown", (OURS,)
    )


def test_a_returned_message_id_is_in_no_repr() -> None:
    assert OURS not in repr(report(POSTFIX))


@pytest.mark.parametrize(
    ("fields", "action", "status_code"),
    [
        ("Action: failed\r\nStatus: 5.1.1", "failed", "5.1.1"),
        ("Action: failed\r\nStatus: 4.4.7", "failed", "4.4.7"),
        ("Action: FAILED (gave up)\r\nStatus: 4.2.2 (mailbox: full)", "failed", "4.2.2"),
        ("Action:delayed\r\nStatus:4.4.1", "delayed", "4.4.1"),
        ("Action: delivered\r\nStatus: 2.0.0", "delivered", "2.0.0"),
        ("Action: relayed\r\nStatus: 2.0.0", "relayed", "2.0.0"),
        ("Action: expanded\r\nStatus: 2.0.0", "expanded", "2.0.0"),
        ("Action: failed", "failed", ""),
        ("Action: failed\r\nStatus: broken", "failed", ""),
        ("Action: failed\r\nDiagnostic-Code: smtp; 552 5.2.2 full", "failed", "5.2.2"),
        ("Action: undeliverable\r\nStatus: 5.7.1", "failed", "5.7.1"),
        ("Status: 4.4.1", "delayed", "4.4.1"),
        ("Status: 2.1.5", "delivered", "2.1.5"),
        ("ACTION : failed\r\nSTATUS : 5.0.0", "failed", "5.0.0"),
    ],
)
def test_action_and_status_are_read(fields: str, action: str, status_code: str) -> None:
    found = only(report(f"Final-Recipient: rfc822; bob@corp.test\r\n{fields}\r\n"))
    assert (found.action, found.status_code) == (action, status_code)


@pytest.mark.parametrize(
    "fields", ["", "Remote-MTA: dns; x.test", "Action: nonsense", "Status: RO"]
)
def test_a_recipient_of_whom_nothing_is_said_is_no_report(fields: str) -> None:
    parsed = report(f"Final-Recipient: rfc822; bob@corp.test\r\n{fields}\r\n")
    assert [found.recipient for found in parsed.reports] == [""]  # what the returned mail tells


@pytest.mark.parametrize(
    ("diagnostic", "words"),
    [
        ("smtp; 550 5.1.1 user unknown", "user unknown"),
        ("smtp;550 5.1.1 user unknown.", "user unknown."),
        ("SMTP; 550-5.1.1 user\r\n    550-5.1.1 is\r\n 550 5.1.1 unknown", "user is unknown"),
        ("smtp; 550 user unknown", "user unknown"),
        ("smtp; 550-user\r\n 550 unknown", "user unknown"),
        ("x-unix; user unknown", "user unknown"),
        ("user unknown", "user unknown"),
        ("smtp; 550 5.1.1\r\n\t user unknown", "user unknown"),
        ("smtp; 550 #5.1.1 user unknown", "user unknown"),
        ("smtp; 550 host 10.5.1.1 says no", "host 10.5.1.1 says no"),
        ("smtp;", "there is no such mailbox"),
    ],
)
def test_the_diagnostic_is_one_line_without_the_codes(diagnostic: str, words: str) -> None:
    status = "Final-Recipient: rfc822; x@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    assert only(report(f"{status}Diagnostic-Code: {diagnostic}\r\n")).diagnostic == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("5.2.2", "the mailbox is full"),
        ("4.4.7", "the mail could not be delivered in time"),
        ("5.0.0", ""),
    ],
)
def test_a_code_without_words_is_explained_as_far_as_it_is_known(code: str, words: str) -> None:
    assert only(report(f"Action: failed\r\nStatus: {code}\r\n")).diagnostic == words


def test_a_diagnostic_is_bounded_printable_and_masked() -> None:
    said = f"smtp; 550 5.1.1 {REFERENCE} {OURS} \x1b[31m\u202e " + "x" * 5000
    found = only(report(f"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: {said}\r\n"))
    assert len(found.diagnostic) == MAX_DIAGNOSTIC
    assert found.diagnostic.isprintable()
    assert REFERENCE not in found.diagnostic
    assert OURS[1:30] not in found.diagnostic


TWO = ("bob@corp.test failed 5.1.1", "carol@corp.test delayed 4.4.1")
BOBS = ["Final-Recipient: rfc822; bob@corp.test", "Action: failed", "Status: 5.1.1"]
CAROLS = ["Final-Recipient: rfc822; <carol@corp.test>", "Action: delayed", "Status: 4.4.1"]
MTA = ["Reporting-MTA: dns; mx.test"]


@pytest.mark.parametrize(
    "lines",
    [
        [*MTA, "", *BOBS, "", *CAROLS],
        ["", "", *MTA, "", "", *BOBS, "", "", *CAROLS, "", ""],
        [*MTA, *BOBS, *CAROLS],
        [line for each in (*MTA, *BOBS, *CAROLS) for line in (each, "")],
        [*MTA, "", BOBS[1], BOBS[0], BOBS[2], "", CAROLS[1], CAROLS[0], CAROLS[2]],
        [*MTA, "", "MIME-Version: 1.0", *BOBS, "Content-Type: text/plain", "", *CAROLS],
        [*MTA, "", "This line is no field", *BOBS, "", *CAROLS],
        [*MTA, "", *(each.replace(": ", ":\r\n\t") for each in (*BOBS, *CAROLS))],
    ],
    ids=["RFC 3464", "blanks", "no blanks", "blank each", "Exim", "MIME", "junk", "folded"],
)
def test_several_recipients_are_told_apart_however_the_server_writes_them(
    lines: list[str],
) -> None:
    found = report("\r\n".join(lines) + "\r\n").reports
    assert tuple(f"{each.recipient} {each.action} {each.status_code}" for each in found) == TWO
    assert {each.message_ids for each in found} == {(OURS,)}


def test_more_recipients_than_the_cap_are_left_out() -> None:
    assert len(report("\r\n".join(BOBS * (MAX_REPORTS + 5))).reports) == MAX_REPORTS


def test_a_report_with_more_parts_than_are_parsed_is_read_as_text() -> None:
    parsed = report(POSTFIX + "\r\n" + "\r\n\r\n".join(["X-More: y"] * 100))
    assert parsed.problem
    assert (parsed.reports[0].status_code, parsed.reports[0].message_ids) == ("5.1.1", (OURS,))


def encoded(text: str) -> str:
    return base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")


@pytest.mark.parametrize(
    "returned",
    [
        part("message/rfc822", RETURNED + "\r\nApprove?\r\n"),
        part("text/rfc822-headers", RETURNED),
        part("message/rfc822-headers", RETURNED),
        part("message/global-headers", RETURNED),
        part("message/global", RETURNED + "\r\nx"),
        part("text/rfc822", RETURNED + "\r\nx"),
        part("TEXT/RFC822-Headers; charset=us-ascii; name=h.txt", f"\r\n{RETURNED}"),
        part("message/rfc822", RETURNED.replace("Message-ID: ", "message-id:\r\n\t")),
        part("text/rfc822-headers", encoded(RETURNED), "Content-Transfer-Encoding: base64"),
        part("message/rfc822", encoded(RETURNED + "\r\nx"), "Content-Transfer-Encoding: base64"),
        part(
            "text/rfc822-headers",
            RETURNED.replace("corp.test>", "corp=\r\n.test>"),
            "Content-Transfer-Encoding: quoted-printable",
        ),
        part("text/plain", f"--- The header of your mail ---\r\n\r\n{RETURNED}"),
        part("message/rfc822", "X-Cut: y\r\n") + f"\r\n--b\r\n{part('text/plain', RETURNED)}",
    ],
)
def test_our_message_id_is_found_in_what_was_returned(returned: str) -> None:
    assert only(report(POSTFIX, returned)).message_ids == (OURS,)


def test_the_message_id_counts_and_not_what_the_returned_mail_quotes() -> None:
    other = OURS.replace("fm-abc", "fm-bbb")
    quoted = f"{RETURNED}References: {other}\r\nIn-Reply-To: {other}\r\n\r\nMessage-ID: {other}\r\n"
    for kind in ("message/rfc822", "text/rfc822", "text/rfc822-headers"):
        assert only(report(POSTFIX, part(kind, quoted))).message_ids == (OURS,)


@pytest.mark.parametrize(
    "message_id",
    [
        "<x@corp.test>",
        "<fm-short@corp.test>",
        "<FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ@corp.test>",
        "<fm-abcdefghijklmnopqrstuvwxyz1@corp.test>",
        "<fm-abcdefghijklmnopqrstuvwxyz>",
    ],
)
def test_a_message_id_of_another_form_is_nothing_of_ours(message_id: str) -> None:
    returned = part("text/rfc822-headers", RETURNED.replace(OURS, message_id))
    assert only(report(POSTFIX, returned)).message_ids == ()


def test_a_report_in_base64_is_read_although_it_must_not_be() -> None:
    status = "message/delivery-status\r\nContent-Transfer-Encoding: base64"
    assert only(report(encoded(POSTFIX), kind=status)).status_code == "5.1.1"


def test_a_report_in_utf_8_is_read() -> None:
    status = "Final-Recipient: utf-8; jürgen@corp.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    found = only(report(status, kind="message/global-delivery-status"))
    assert (found.recipient, found.action) == ("jürgen@corp.test", "failed")


def test_a_report_whose_boundary_never_comes_is_read_as_text() -> None:
    body = f"{POSTFIX}\r\n{RETURNED}"
    parsed = mail(body, "Content-Type: multipart/report; report-type=delivery-status; boundary=x")
    assert only(parsed).status_code == "5.1.1"
    assert only(parsed).message_ids == (OURS,)


EXIM = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@corp.test
    host mx.corp.test [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<bob@corp.test>:
    550 5.1.1 <bob@corp.test>: no such user

------ This is a copy of the message, including all the headers. ------

Return-path: <approvals@corp.test>
{RETURNED}
"""
QMAIL = f"""Hi. This is the qmail-send program at mx.corp.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@corp.test>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <approvals@corp.test>
{RETURNED}
"""
WARNING = f"""This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered after more than 24 hours on the queue.
Delivery attempts will continue to try for some time.

{RETURNED}
"""
BARE = f"Delivery failed 10 attempts: bob@corp.test\n\nOriginal message follows.\n\n{RETURNED}"
SILENT = f"> {RETURNED}"


@pytest.mark.parametrize(
    ("body", "headers", "action", "status_code", "words"),
    [
        (EXIM, ["X-Failed-Recipients: bob@corp.test"], "failed", "5.1.1", "no such user"),
        (QMAIL, ["Return-Path: <>"], "failed", "5.1.1", "no mailbox here by that name."),
        (QMAIL, [], "failed", "5.1.1", "no mailbox here by that name."),
        (WARNING, [], "delayed", "", ""),
        (BARE, [], "failed", "", ""),
        (SILENT, [], "failed", "", ""),
        ("550 No such user here\n\n" + RETURNED, [], "failed", "", "No such user here"),
    ],
)
def test_a_bounce_in_plain_words_is_read(
    body: str, headers: list[str], action: str, status_code: str, words: str
) -> None:
    parsed = mail(body.replace("\r\n", "\n"), *headers)
    assert parsed.bounce
    found = only(parsed)
    assert (found.action, found.status_code, found.message_ids) == (action, status_code, (OURS,))
    assert found.diagnostic.endswith(words)
    assert bool(found.diagnostic) == bool(words)


@pytest.mark.parametrize(
    ("sender", "headers", "is_bounce"),
    [
        ("MAILER-DAEMON@mx.test", [], True),
        ("Mail Delivery System <x@mx.test>", [], True),
        ("postmaster@mx.test", ["Return-Path: <>"], True),
        ("postmaster@mx.test", [], False),
        ("System <x@mx.test>", ["Subject: Undeliverable: Approval requested"], True),
        ("Bob <bob@corp.test>", [], False),
        ("Bob <bob@corp.test>", ["Return-Path: <>"], False),
        ("Bob <bob@corp.test>", ["Auto-Submitted: auto-replied"], False),
    ],
)
def test_plain_words_with_our_message_id_are_a_bounce_from_a_mail_system_only(
    sender: str, headers: list[str], is_bounce: bool
) -> None:
    head = [f"From: {sender}", *(headers or ["Subject: Re: Deploy"])]
    parsed = parse("\r\n".join([*head, "", QMAIL]).encode())
    assert (bool(parsed.bounce), bool(parsed.reports)) == (is_bounce, is_bounce)


def test_plain_words_about_somebody_elses_mail_report_nothing() -> None:
    parsed = mail(QMAIL.replace(OURS, "<x@corp.test>"))
    assert (parsed.bounce, parsed.reports) == ("", ())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("The server refused the recipient: 550 5.1.1 user unknown", "5.1.1"),
        ("550-5.7.26 no", "5.7.26"),
        ("The server refused the content: 451 4.7.1 later", "4.7.1"),
        ("550 user unknown", ""),
        ("550 version 5.1.1", ""),
        ("host 10.5.1.1 is gone", ""),
        ("", ""),
    ],
)
def test_the_code_in_a_servers_answer_is_known(answer: str, code: str) -> None:
    assert status_code_in(answer) == code


@given(st.text(max_size=400), st.binary(max_size=400))
def test_nothing_in_a_report_raises_or_leaves_the_bounds(text: str, raw: bytes) -> None:
    for kind in ("message/delivery-status", "text/rfc822-headers", "text/plain", "message/rfc822"):
        head = f"From: MAILER-DAEMON\r\nX-Failed-Recipients: x\r\nContent-Type: {kind}\r\n\r\n"
        for hostile in (text.encode("utf-8", "replace"), raw):
            body = b"Action: failed\r\nStatus: " + hostile + RETURNED.encode() + hostile
            for found in parse(head.encode() + body).reports:
                assert len(found.diagnostic) <= MAX_DIAGNOSTIC
                assert (found.recipient + found.diagnostic + found.status_code).isprintable()
