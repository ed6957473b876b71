"""What IMAP servers answer: mostly plain words, and whatever else the grammar allows."""

from __future__ import annotations

from typing import Any

import pytest
from imapclient.response_parser import parse_response

from flexmail.transport import responses
from flexmail.transport.responses import fetched_items

PLAIN: list[tuple[list[Any], dict[bytes, Any]]] = [
    ([b"1 (UID 7)"], {b"UID": 7}),
    (
        [b"12 (UID 7 RFC822.SIZE 6144 FLAGS (\\Seen $Junk a-b))"],
        {b"UID": 7, b"RFC822.SIZE": 6144, b"FLAGS": (b"\\Seen", b"$Junk", b"a-b")},
    ),
    ([b"12 (flags () uid 7)"], {b"UID": 7, b"FLAGS": ()}),
    (
        [(b"3 (UID 7 RFC822.SIZE 5 BODY[]<0> {5}", b"(UID "), b")"],
        {b"UID": 7, b"RFC822.SIZE": 5, b"BODY[]<0>": b"(UID "},
    ),
    (
        [(b"3 (UID 7 BODY[HEADER.FIELDS (SUBJECT TO)] {2}", b"\r\n"), b")"],
        {b"UID": 7, b"BODY[HEADER.FIELDS (SUBJECT TO)]": b"\r\n"},
    ),
]

OTHERS: list[tuple[list[Any], dict[bytes, Any]]] = [
    ([b'1 (UID 7 BODY[] "a)b")'], {b"UID": 7, b"BODY[]": b"a)b"}),
    ([b"1 (UID 7 BODY[] NIL)"], {b"UID": 7, b"BODY[]": None}),
    ([b"1 (UID 7 MODSEQ (12))"], {b"UID": 7, b"MODSEQ": (12,)}),
    ([(b"1 (BODY[] {2}", b"ab"), b" UID 7)"], {b"UID": 7, b"BODY[]": b"ab"}),
    ([(b"1 (UID 7 BODY[] ~{2}", b"ab"), b")"], {b"UID": 7, b"BODY[]": b"ab"}),
    (
        [(b"1 (UID 7 BODY[1] {1}", b"a"), (b" BODY[2] {1}", b"b"), b")"],
        {b"UID": 7, b"BODY[1]": b"a", b"BODY[2]": b"b"},
    ),
]


@pytest.mark.parametrize(("answer", "items"), PLAIN + OTHERS)
def test_the_items_of_a_mail_are_told_by_name(answer: list[Any], items: dict[bytes, Any]) -> None:
    assert list(fetched_items(answer)) == [items]


@pytest.mark.parametrize(("answer", "items"), PLAIN)
def test_an_answer_in_plain_words_needs_no_parser(
    answer: list[Any], items: dict[bytes, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = dict(zip(*[iter(parse_response(answer)[1])] * 2, strict=True))
    assert {key.upper(): value for key, value in named.items()} == items
    monkeypatch.delattr(responses, "_parsed")
    assert list(fetched_items(answer)) == [items]


@pytest.mark.parametrize(
    "answer",
    [
        b"1 ()",
        b"1 (FLAGS (\\Seen))",
        b"1 (UID 0)",
        b"1 (UID 9223372036854775808 MODSEQ (1))",
    ],
)
def test_an_answer_that_names_no_mail_is_passed_over(answer: bytes) -> None:
    assert list(fetched_items([answer])) == []


@pytest.mark.parametrize(
    "answer",
    [
        [b"1 (UID 7"],
        [b"1 (UID 7 BODY[] {2})"],
        [(b"1 (UID 7)", b"ab"), b")"],
        [(b"1 (UID 7 BODY[] {2}", b"ab"), b"garbage)"],
        [b"1 (UID 7 " + b"FLAGS (" + b"a " * 1000 + b'"'],
        [b"1 (UID 7 99999999999999 x)"],
    ],
)
def test_an_answer_that_is_none_is_not_guessed_at(answer: list[Any]) -> None:
    with pytest.raises(responses.PARSER_ERRORS):
        list(fetched_items(answer))
