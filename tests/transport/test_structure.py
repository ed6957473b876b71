"""Where the texts of a mail end, by what the server tells of its parts."""

from __future__ import annotations

from typing import Any

import pytest
from imapclient.response_parser import parse_response

from flexmail.transport.structure import Texts, texts_in

HEAD = b"Subject: x\r\n\r\n"
PLAIN = '("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 100 3 NIL NIL NIL NIL)'
NAMED = '("text" "plain" ("name*" "a.txt") NIL NIL "7bit" 100 3 NIL NIL NIL NIL)'
FILE = '("text" "plain" NIL NIL NIL "7bit" 100 3 NIL ("inline" ("filename*0" "a.txt")) NIL NIL)'
ASIDE = '("text" "html" NIL NIL NIL "7bit" 100 3 NIL ("attachment" NIL) NIL NIL)'
IMAGE = '("image" "png" NIL NIL NIL "base64" 9000 NIL ("inline" NIL) NIL NIL)'
SHORT = '("image" "png" NIL NIL NIL "base64" 9000)'
MAIL = (
    f'("message" "rfc822" NIL NIL NIL "7bit" 700 (NIL) {PLAIN} 12 NIL ("attachment" NIL) NIL NIL)'
)
STATUS = '("message" "delivery-status" NIL NIL NIL "7bit" 300 NIL NIL NIL NIL)'


def told(*parts: str) -> Any:
    text = f'({"".join(parts)} "mixed" ("boundary" "b") NIL NIL NIL)'
    return parse_response([f"1 (BODYSTRUCTURE {text})".encode()])[1][1]


def ends(*parts: str) -> tuple[int, int] | None:
    """Return in which part the last text begins and ends, counted in octets of parts."""
    found = texts_in(told(*parts), HEAD, 0)
    if found is None:
        return None
    return found.last_begins - len(HEAD), (found.end - len(HEAD)) % 2048


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ((PLAIN,), (0, 100)),
        ((PLAIN, IMAGE), (0, 100)),
        ((PLAIN, SHORT), (0, 100)),
        ((PLAIN, NAMED, FILE, ASIDE), (0, 100)),
        ((PLAIN, IMAGE, PLAIN), (9100, (9200) % 2048)),
        ((PLAIN, IMAGE, MAIL), (9100, 9800 % 2048)),
        ((PLAIN, IMAGE, STATUS), (9100, 9400 % 2048)),
        ((f'({PLAIN}{IMAGE} "related")', IMAGE), (0, 100)),
        ((IMAGE,), None),
        ((NAMED,), None),
        ((PLAIN,) * 51, None),
    ],
)
def test_texts_end_with_the_last_part_that_may_be_one(
    parts: tuple[str, ...], where: tuple[int, int] | None
) -> None:
    assert ends(*parts) == where


def test_a_mail_of_one_part_is_that_text() -> None:
    whole = parse_response([f"1 (BODYSTRUCTURE {PLAIN})".encode()])[1][1]
    assert texts_in(whole, HEAD, 114) == Texts(len(HEAD), len(HEAD) + 100 + 2048)


@pytest.mark.parametrize(
    "structure",
    [
        *(None, (), ((),), (None, None), (b"text",), (b"text", b"plain", None), b"text", 7),
        *((((),),), (10**14, b"plain")),
    ],
)
def test_what_is_no_structure_says_nothing(structure: Any) -> None:
    assert texts_in(structure, HEAD, 0) is None


def test_parts_that_are_nested_too_deep_say_nothing() -> None:
    text = PLAIN
    for _ in range(12):
        text = f'({text} "mixed")'
    deep = parse_response([f"1 (BODYSTRUCTURE {text})".encode()])[1][1]
    assert texts_in(deep, HEAD, 0) is None


def test_without_the_end_of_the_headers_nobody_knows() -> None:
    assert texts_in(told(PLAIN), b"Subject: x\r\n", 0) is None


def test_what_belongs_to_no_part_may_stand_before_the_last_text() -> None:
    found = texts_in(told(PLAIN, IMAGE, PLAIN), HEAD, len(HEAD) + 9200 + 70_000)
    assert found == Texts(len(HEAD) + 9100 + 70_000, len(HEAD) + 9200 + 70_000)
