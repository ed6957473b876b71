"""Headers and their parameters come out as the standard parser gives them, only sooner."""

from __future__ import annotations

import email
import re
from email.message import Message
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flexmail.mail.bounded import has_bare_cr, header_block, read

VALUES = st.builds(
    lambda kind, parameters: kind + "".join(parameters),
    st.sampled_from(["text/plain", "attachment", "a/b+c", ""]),
    st.lists(
        st.builds(
            "{}{}={}".format,
            st.sampled_from([";", "; ", ";\t", " ; "]),
            st.sampled_from(["charset", "NAME", "name*", "name*0", "a-b", "x y", ""]),
            st.text('ab.-/: "*;=<>\\\t', max_size=6),
        ),
        max_size=3,
    ),
)


def standard(value: str) -> dict[str, str]:
    message: Message = email.message_from_string(f"Content-Type: {value}\n\nx")
    found: dict[str, str] = {}
    parameters: list[Any] = message.get_params([])
    for key, text in parameters:
        found.setdefault(key.lower(), str(text[2] if isinstance(text, tuple) else text))
    return found


@given(VALUES)
@example('text/plain; charset="utf-8"; format=flowed')
@example("text/plain; name=a; NAME=b")
@example('multipart/mixed; name="=_a=b"; charset="----=_Part"')
@example('text/plain; name="= a="')
@example("text/plain; name==a; charset=b=c")
@example('text/plain; name="a;b"; charset=x')
def test_parameters_are_read_as_the_standard_reader_does(value: str) -> None:
    # It breaks off where one name has a number and none (RFC 2231), and so does ours.
    assume(not ("name*=" in value and "name*0=" in value))
    part = read(f"Content-Type: {value}\n\nx".encode())
    for name, text in standard(value).items():
        if name in ("charset", "name", "a-b"):
            assert part.parameter(name) == text
    assert part.parameter("missing") == ""


@pytest.mark.parametrize("name", ["Subject", "subject", "X-Twice", "X-None"])
def test_headers_are_found_whatever_their_case_the_topmost_first(name: str) -> None:
    raw = b"SUBJECT: one\nX-Twice: a\nx-twice: b\n\nx"
    part, message = read(raw), email.message_from_bytes(raw)
    assert list(part.all(name)) == message.get_all(name, [])
    assert (part.first(name) or None, part.get(name)) == (message[name], message[name])
    assert (name in part) == (name in message)


def test_a_part_of_a_digest_is_a_mail_unless_it_says_otherwise() -> None:
    raw = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b\n"
    raw += b"Content-Type: text/plain\n\nz\n--b--\n"
    assert [part.get_content_type() for part in read(raw).children] == [
        "message/rfc822",
        "text/plain",
    ]


@given(st.binary().map(lambda raw: bytes(b"\r\n\nx"[one % 4] for one in raw)))
@example(b"\n\r\n\n")
@example(b"x\r\n\r\nx\n\nx")
def test_headers_end_with_the_first_empty_line_below_them(raw: bytes) -> None:
    end = re.search(rb"\n\r?\n", raw)
    assert header_block(raw) == (raw[: end.end()] if end else raw)
    assert has_bare_cr(raw) == bool(re.search(rb"\r(?!\n)", raw))
