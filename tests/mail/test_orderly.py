"""What is taken apart without the standard parser comes out as that parser gives it."""

from __future__ import annotations

import email
import signal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flexmail.mail.bounded import MAX_PARTS, read_standard
from flexmail.mail.orderly import read_orderly
from flexmail.mail.part import Part

TWO = (
    b"From: Bob <bob@corp.test>\r\nSubject: a\r\n b\r\n"
    b'Content-Type: multipart/alternative;\r\n boundary="=_x\'(1)"\r\n\r\npreamble\r\n'
    b"--=_x'(1)\r\nContent-Type: text/plain\r\n\r\nApprove\r\n\r\n"
    b"--=_x'(1)  \r\n\r\n<p>Approve\r\n--=_x'(1)--\r\nepilogue\r\n--=_x'(1)\r\n"
)
ODD = {
    "a line end that is none for mail servers": TWO.replace(b"preamble", b"pre\ramble"),
    "no end of the headers": b"From: Bob <bob@corp.test>\r\n",
    "no colon": b"From: Bob <bob@corp.test>\r\nApprove\r\n\r\nx",
    "a space before the colon": b"From: Bob <bob@corp.test>\r\nSubject : x\r\n\r\nx",
    "no name": b"From: Bob <bob@corp.test>\r\n: x\r\n\r\nx",
    "a continuation first": b" x\r\nFrom: Bob <bob@corp.test>\r\n\r\nx",
    "a line of mbox": b"From bob\r\nFrom: Bob <bob@corp.test>\r\n\r\nx",
    "a mail as a mail": b"Content-Type: message/rfc822\r\n\r\nFrom: x\r\n\r\nx",
    "a mail inside": TWO.replace(b"text/plain", b"message/rfc822"),
    "parts inside a part": TWO.replace(b"text/plain", b"multipart/mixed"),
    "a digest": TWO.replace(b"alternative", b"digest"),
    "no boundary": TWO.replace(b"boundary", b"founder"),
    "an odd boundary": TWO.replace(b"=_x'(1)", b"<x>"),
    "a boundary in pieces": TWO.replace(b"boundary=", b"boundary*0="),
    "no first boundary": TWO.replace(b"--=_x'(1)\r\n", b"").replace(b"--=_x'(1)  ", b""),
    "no last boundary": TWO.replace(b"(1)--", b"(1)-"),
    "two boundaries in a row": TWO.replace(b"--=_x'(1)\r\nC", b"--=_x'(1)\r\n--=_x'(1)\r\nC"),
    "a longer word than the boundary": TWO.replace(
        b"Approve\r\n", b"\r\n--=_x'(1)2\r\n\r\nx\r\n", 1
    ),
    "a part without an empty line": TWO.replace(b"  \r\n\r\n<p>", b"\r\nX: <p>"),
    "too many parts": TWO.replace(b"--=_x'(1)--", b"--=_x'(1)\r\n\r\n\r\n" * 50 + b"--=_x'(1)--"),
}
PIECES = st.sampled_from(
    [
        *("From: Bob <bob@corp.test>", "Subject: x", "X:", "X: y ", "a: \t", "\xe9: \xe9", ": x"),
        *(" more", "\t", " ", "", "", "", "From x", "no colon", "X : y", "x" * 80, "\0", "\x0b"),
        *("Content-Type: text/plain", "Content-Type: text/html; charset=utf-8", "content-type: x"),
        *("Content-Type: multipart/mixed; boundary=b", 'Content-Type: multipart/x; boundary="b"'),
        *('Content-Type: multipart/mixed; boundary="b-"', "Content-Type: multipart/mixed"),
        *('Content-Type: multipart/mixed; boundary="b "', "Content-Type: multipart/digest"),
        *("Content-Type: multipart/mixed; boundary=b; boundary=c", "Content-Type: message/rfc822"),
        *('Content-Type: multipart/mixed; boundary="<b>"', " ; boundary=b", "Content-Type:"),
        *("Content-Type: multipart/mixed; boundary*=b", "Content-Type: multipart/mixed;"),
        *("Content-Transfer-Encoding: base64", "Content-Type: message/delivery-status"),
        *("--b", "--b", "--b", "--b", "--b--", "--b--", "--b-", "--b ", "--b-- \t", "--bc", "---b"),
        *("Approve", "--", "--c", "-", "\rx", "x\r"),
    ]
)
MAILS = st.builds(
    lambda head, body, ends: b"".join(
        line.encode("latin-1") + end
        for line, end in zip([*head, *body], [*ends, *[ends[-1]] * 60], strict=False)
    ),
    st.lists(PIECES, max_size=6),
    st.lists(PIECES, max_size=24),
    st.lists(st.sampled_from([b"\r\n"] * 8 + [b"\n"] * 2), min_size=1, max_size=20),
)


def shape(part: Part) -> list[object]:
    """Return all that the parsers know of a part, and of those inside it."""
    content = [shape(one) for one in part.children] or part.get_payload()
    values = [(name, part.all(name)) for name in part.keys()]  # noqa: SIM118 a mail is no mapping
    return [part.get_content_type(), values, content]


@given(MAILS)
@settings(max_examples=500)
@example(TWO)
@example(TWO.replace(b"\r\n", b"\n"))
@example(b"\r\nApprove")
@example(b"Subject:\r\n x\r\n \r\n\r\n\xff\r\n\0")
@example(TWO.replace(b"text/plain", b"text/plain; charset=x\r\nContent-Transfer-Encoding: 8bit"))
def test_an_orderly_mail_has_the_parts_that_the_standard_parser_finds(raw: bytes) -> None:
    orderly = read_orderly(raw)
    if orderly is not None:
        standard = read_standard(raw)
        assert shape(orderly) == shape(standard)
        assert [shape(part) for part in orderly.walk()] == [shape(part) for part in standard.walk()]
        assert [part.depth for part in orderly.children] == [1] * len(orderly.children)


@pytest.mark.parametrize("raw", [TWO, TWO.replace(b"\r\n", b"\n"), b"\nApprove", b"X: y\n\n"])
def test_a_mail_as_programs_write_it_is_orderly(raw: bytes) -> None:
    orderly = read_orderly(raw)
    assert orderly is not None
    assert orderly.get_content_type() == email.message_from_bytes(raw).get_content_type()


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_an_odd_mail_is_left_to_the_standard_parser(raw: bytes) -> None:
    assert read_orderly(raw) is None


@pytest.mark.parametrize("padding", [b" ", b"\t", b"\n "])
def test_what_ends_within_its_headers_takes_no_longer_than_its_size(padding: bytes) -> None:
    def end(_number: int, _frame: object) -> None:
        raise TimeoutError("It would take minutes.")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, 10)
    try:
        assert read_orderly(b"From: Bob <bob@corp.test>\r\nX:" + padding * 32_000) is None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def test_as_many_parts_as_are_read_are_orderly_too() -> None:
    part = b"--b\n\nx\n"
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + part * (MAX_PARTS - 2) + b"--b--\n"
    orderly = read_orderly(raw)
    assert orderly is not None
    assert len(orderly.children) == MAX_PARTS - 2
