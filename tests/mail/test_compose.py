from __future__ import annotations

import email
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flexmail.mail.address import Mailbox, decode_words, parse_mailbox, sole_author
from flexmail.mail.compose import (
    MARKER_ABOVE,
    MARKER_BELOW,
    OutgoingContent,
    compose,
    header_lines,
    mailto,
    reference_block,
    reply_body,
    texts_of,
)
from flexmail.mail.parse import parse

REFERENCE = "FM-ABCDEFGHIJKLMNOPQRSTUVWX27"
CONTENT = OutgoingContent("Release 12 [FM #7]", "Hello Bob\n", "<p>Hello Bob</p>\n")


def written(**changes: Any) -> bytes:
    values: dict[str, Any] = {
        "sender": Mailbox("flexmail", "flexmail@corp.test"),
        "recipient": "bob@corp.test",
        "content": CONTENT,
        "message_id": "<fm-abc@corp.test>",
        "date": datetime(2026, 11, 2, 9, 30, tzinfo=timezone(timedelta(hours=1))),
        "reply_to": "Approvals <approvals@corp.test>",
        "in_reply_to": None,
        "kind": "approval",
    }
    return compose(**{**values, **changes})


def read_back(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=default)


def test_headers_to_stand_above_a_mail_are_folded_and_break_no_line() -> None:
    above = header_lines(
        [("Authentication-Results", f"mx.corp.test; {'none; ' * 30}none"), ("X", "y")]
    )
    mail = read_back(above + written())
    assert " ".join(mail["Authentication-Results"].split()).count("none") == 31
    assert (mail["X"], mail["X-Flexmail"]) == ("y", "approval")
    assert max(map(len, above.split(b"\r\n"))) <= 78
    for value in ("x\r\nBcc: charlie@evil.test", "x\0", "y" * 2000):
        with pytest.raises(ValueError, match="Authentication-Results"):
            header_lines([("Authentication-Results", value)])


def test_a_mail_reads_back_as_it_was_given() -> None:
    mail = read_back(written())
    assert mail["From"] == "flexmail <flexmail@corp.test>"
    assert mail["To"] == "bob@corp.test"
    assert mail["Reply-To"] == "Approvals <approvals@corp.test>"
    assert mail["Subject"] == "Release 12 [FM #7]"
    assert mail["Message-ID"] == "<fm-abc@corp.test>"
    assert mail["Date"] == "Mon, 02 Nov 2026 09:30:00 +0100"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["X-Flexmail"] == "approval"
    assert mail["In-Reply-To"] is None
    assert mail["References"] is None
    assert mail["MIME-Version"] == "1.0"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert not mail.defects


def test_our_own_parser_knows_our_mail_as_ours() -> None:
    parsed = parse(written())
    assert parsed.problem == ""
    assert parsed.own_mark == "approval"
    assert parsed.automatic == "Auto-Submitted: auto-generated"
    assert parsed.author == Mailbox("flexmail", "flexmail@corp.test")
    assert (parsed.plain, parsed.html) == (CONTENT.text, CONTENT.html)


def test_an_answer_says_what_it_answers() -> None:
    mail = read_back(written(in_reply_to="<bob-1@corp.test>", reply_to=None))
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] == mail["References"] == "<bob-1@corp.test>"
    assert mail["Reply-To"] is None


def test_what_is_empty_is_not_written() -> None:
    raw = written(reply_to="", in_reply_to="")
    assert b"Reply-To" not in raw
    assert b"In-Reply-To" not in raw
    assert b"References" not in raw


def test_the_same_values_give_the_same_bytes() -> None:
    assert written() == written()
    assert written() != written(message_id="<fm-other@corp.test>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no newline at the end",
        "a\r\nb\rc\n",
        ".\n..\nFrom here\n",
        "trailing space \n\ttab\t\n-- \nBob\n",
        "Größe ✓ 承認 👍\n" * 50,
        "https://corp.test/" + "a=b&" * 500 + "\n",
        "x" * 5000,
        "=?utf-8?q?x?= =3D =\n",
        "--=_fm_\n--\n",
        "nul \0 and bell \a\n",
    ],
)
def test_any_text_arrives_unchanged_in_short_crlf_lines(text: str) -> None:
    raw = written(content=OutgoingContent("s", text, text))
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()
    parsed = parse(raw)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert parsed.plain == parsed.html == lines.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert texts_of(raw) == {"plain": lines, "html": lines}


def test_of_a_mail_that_is_not_ours_no_texts_are_taken() -> None:
    assert texts_of(b"Subject: x\r\n\r\nApprove\r\n") == {}
    assert texts_of(b"") == {}


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300))
def test_any_subject_without_controls_arrives_unchanged(subject: str) -> None:
    raw = written(content=OutgoingContent(subject, "t", "h"))
    head = raw.partition(b"\r\n\r\n")[0]
    assert all(0 < len(line) <= 998 and line.strip() for line in head.split(b"\r\n"))
    value = email.message_from_bytes(raw)["Subject"].replace("\r\n ", " ")
    assert decode_words(value) == subject


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient", "bob@corp.test\r\nBcc: charlie@x.test"),
        ("recipient", "bob@corp.test, charlie@x.test"),
        ("recipient", "bob@corp.test\n"),
        ("recipient", ""),
        ("reply_to", "a@corp.test\nX: y"),
        ("reply_to", "a@corp.test, b@corp.test"),
        ("sender", Mailbox("flex\nX: y", "flexmail@corp.test")),
        ("sender", Mailbox("fléx\r\nX: y", "flexmail@corp.test")),
        ("sender", Mailbox("flexmail", "flexmail@corp.test\r\nX: y")),
        ("content", OutgoingContent("a\r\nBcc: charlie@x.test", "t", "h")),
        ("content", OutgoingContent("ä\nb", "t", "h")),
        ("content", OutgoingContent("a\0b", "t", "h")),
        ("message_id", "<a@x.test>\r\nX: y"),
        ("message_id", "<" + "a" * 1000 + "@x.test>"),
        ("in_reply_to", "<a@x.test>\n"),
        ("kind", "approval\r\n\r\nbody"),
        ("date", datetime(2026, 11, 2, 9, 0)),
    ],
)
def test_a_value_that_could_break_out_of_its_header_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        written(**{field: value})


# What could end a header, a word or a line, begin another, or be half a character.
BREAKERS = (
    *("\r\nBcc: charlie@evil.test", "\nX: y", "\r", "\n\n", "\r\n\r\n<p>", "\n ", "\r\n\t", "\0"),
    *("\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x7f", "\ud800", "\udc0a", "\ufeff"),
    *(
        "=?utf-8?q?=0ABcc:_c@evil.test?=",
        "=?utf-8?b?DQpCY2M6IGNAZXZpbC50ZXN0?=",
        "=0D=0A",
        "%0D%0A",
    ),
    *(", charlie@evil.test", "; charlie@evil.test", "<charlie@evil.test>", "charlie@evil.test"),
    *(":", ";", '"', "\\", "(", ")", "<", ">", "@", "\u202e", "\u200b", "ö", "😀", "x" * 1000, " "),
    *("bob@corp.test", "Bob", "bücher.test", "[127.0.0.1]", "=?", "?=", "From: ", "To:"),
)
bits = st.one_of(st.sampled_from(BREAKERS), st.text(max_size=8))
values = st.lists(bits, max_size=5).map("".join)
NAMES = [
    *("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
    *("Auto-Submitted", "X-Auto-Response-Suppress", "X-Flexmail"),
]


@given(
    name=values,
    local=st.one_of(st.just("bob"), values),
    to=values,
    reply_to=values,
    subject=values,
    message_id=values,
    kind=values,
)
@settings(max_examples=100, derandomize=True, deadline=None)
@example("Bob", "bob", "x\r\nBcc: c@evil.test", "", "s", "<a@b.test>", "k")
@example(
    "Bob, Ada", "bob", "Bob <bob@corp.test>", "Bob <bob@corp.test>", "\ud800", "<a@b.test>", "k"
)
def test_no_value_adds_a_header_a_line_or_a_recipient(
    name: str, local: str, to: str, reply_to: str, subject: str, message_id: str, kind: str
) -> None:
    given_values = (name, to, reply_to, subject, message_id, kind)
    for at in range(len(given_values)):
        # one odd value at a time, then all together
        odd = [
            value if number == at else good
            for number, (value, good) in enumerate(
                zip(given_values, ("Bob", "bob@corp.test", "", "s", "<a@b.test>", "k"), strict=True)
            )
        ]
        expect_whole(odd, "bob")
    expect_whole(list(given_values), local)


def expect_whole(values: list[str], local: str) -> None:
    """Expect a refusal, or a mail with the values that were given and nothing else."""
    name, to, reply_to, subject, message_id, kind = values
    sender = Mailbox(name, f"{local}@corp.test")
    try:
        raw = written(
            sender=sender,
            recipient=to,
            reply_to=reply_to,
            content=OutgoingContent(subject, "t", "h"),
            message_id=message_id,
            in_reply_to=message_id,
            kind=kind,
        )
    except ValueError:
        return
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body.startswith(b"--=_fm_")
    assert all(len(one) <= 998 and one.strip() for one in head.split(b"\r\n"))
    assert not set(head.replace(b"\r\n", b"")) & {*range(32), 127}
    mail = email.message_from_bytes(raw)
    assert not mail.defects
    expected = [one for one in NAMES if reply_to or one != "Reply-To"]
    expected = [one for one in expected if message_id or one not in NAMES[5:8]]
    expected = [one for one in expected if kind or one != "X-Flexmail"]
    assert mail.keys() == ["Content-Type", "MIME-Version", *expected]
    unfolded = dict(
        one.split(": ", 1)
        for one in head.decode().replace("\r\n ", " ").split("\r\n")
        if ": " in one
    )
    assert decode_words(unfolded["Subject"]) == subject
    assert sole_author([unfolded["To"]]) in (parse_mailbox(to), None)
    assert len(getaddresses([unfolded["To"]])) == len(getaddresses([unfolded["From"]])) == 1
    assert sole_author([unfolded["From"]]) in (sender, None)


def test_names_and_addresses_beyond_ascii_are_written_so_that_servers_can_read_them() -> None:
    raw = written(
        sender=Mailbox("Frëigabe, Team", "f@corp.test"), recipient="Bob <bob@bücher.test>"
    )
    assert raw.isascii()
    mail = read_back(raw)
    assert mail["From"].addresses[0].display_name == "Frëigabe, Team"
    assert mail["To"].addresses[0].addr_spec == "bob@xn--bcher-kva.test"
    assert "To: bøb@corp.test\r\n".encode() in written(recipient="bøb@corp.test")


def test_utc_is_written_as_an_offset() -> None:
    raw = written(date=datetime(2026, 11, 2, tzinfo=UTC))
    assert b"Date: Mon, 02 Nov 2026 00:00:00 +0000\r\n" in raw


def test_a_link_opens_a_filled_in_answer() -> None:
    body = reply_body("Approve", REFERENCE)
    link = mailto("Approvals <fm+in@corp.test>", "Re: Größe & Co? [FM #7]", body)
    assert link.isascii()
    assert link.startswith("mailto:fm%2Bin@corp.test?subject=Re%3A%20Gr%C3%B6%C3%9Fe%20%26%20Co%3F")
    assert " " not in link
    assert "+" not in link
    fields = parse_qs(urlsplit(link).query)
    assert fields["body"][0].split("\r\n") == body.splitlines()
    assert "%0D%0A" in link


@pytest.mark.parametrize(
    ("address", "subject"),
    [("bob@corp.test?bcc=c@x.test\n", "s"), ("bob", "s"), ("b@corp.test", "a\nb")],
)
def test_a_link_with_an_unsafe_address_or_subject_is_refused(address: str, subject: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mailto(address, subject, "body")


def test_an_address_cannot_add_fields_to_a_link() -> None:
    assert mailto("a?bcc=c@corp.test", "s", "b").startswith(
        "mailto:a%3Fbcc%3Dc@corp.test?subject=s"
    )


def test_the_answer_has_the_word_first_and_the_reference_last() -> None:
    assert reply_body("Reject", REFERENCE).splitlines() == [
        "Reject",
        "",
        "******* You may add a comment after the word on the line above. *******",
        "******* Please do not change anything below this line. *******",
        f"Reference: {REFERENCE}",
    ]
    assert reply_body("Reject", REFERENCE).endswith(reference_block(REFERENCE))
    assert reference_block(REFERENCE).startswith(f"{MARKER_ABOVE}\n{MARKER_BELOW}\n")
