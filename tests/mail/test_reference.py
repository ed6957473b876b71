from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flexmail.mail.reference import (
    MAX_FOUND,
    digest,
    find_message_ids,
    find_references,
    mask,
    new_message_id,
    new_reference,
)

WORD = "ABCDEFGHIJKLMNOPQRSTUVWX27"
REFERENCE = f"FM-{WORD}"
OTHER = "FM-" + "Z" * 26


def test_a_new_reference_has_130_bits_and_never_comes_twice() -> None:
    made = {new_reference() for _ in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(r"FM-[A-Z2-7]{26}", reference) for reference in made)


def test_a_new_message_id_is_found_again_in_a_header() -> None:
    message_id = new_message_id("corp.test")
    assert re.fullmatch(r"<fm-[a-z2-7]{26}@corp\.test>", message_id)
    assert find_message_ids([f"<other@x.test> {message_id}"]) == ("<other@x.test>", message_id)


def test_the_digest_is_sha_256_in_hex_for_any_text() -> None:
    assert digest(REFERENCE) == hashlib.sha256(REFERENCE.encode()).hexdigest()
    assert len(digest("\udc80")) == 64


@pytest.mark.parametrize(
    "text",
    [
        REFERENCE,
        f"Reference: {REFERENCE}\n",
        f"> > Reference:\n> > {REFERENCE}.",
        f"*{REFERENCE}*",
        f"_{REFERENCE}_",
        f"<{REFERENCE}>",
        f"[{REFERENCE}](https://x.test/{REFERENCE})",
        f"<mailto:r@corp.test?body=Approve%0D%0AReference%3A%20{REFERENCE}%0D%0A>",
        f"Reference: FM-\n{WORD}",
        f"> Reference: FM-{WORD[:10]}\r\n> {WORD[10:]}\r\n> more",
        f"> > FM-{WORD[:10]}\n>> {WORD[10:20]}\n> > {WORD[20:]}\nNEXT",
        f"FM-{WORD[:20]}=\r\n{WORD[20:]}",
        f"{REFERENCE}\nNEXT LINE",
        f"{REFERENCE}\n> {REFERENCE}",
        f"FM-SHORT {REFERENCE}",
    ],
)
def test_a_reference_is_found_however_a_client_carried_it(text: str) -> None:
    assert find_references(text) == {REFERENCE}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FM-",
        f"FM-{WORD[:25]}",
        f"XFM-{WORD}",
        f"3FM-{WORD}",
        f"{REFERENCE}a",
        f"{REFERENCE}0",
        REFERENCE.lower(),
        f"FM-{WORD[:25]}0",
        f"FM-{WORD[:10]} {WORD[10:]}",
        f"FM-{WORD[:10]}\n\n{WORD[10:]}",
        f"FM-{WORD[:10]}\n{WORD[10:]}x",
        f"FM-{WORD[:10]}\n{WORD[10:]}A",
        "FM-" + "A" * 65,
    ],
)
def test_what_only_resembles_a_reference_is_none(text: str) -> None:
    assert find_references(text) == frozenset()


def test_several_references_are_all_found() -> None:
    assert find_references(f"{REFERENCE}\n> {OTHER}") == {REFERENCE, OTHER}
    longer = "FM-" + "A" * 40
    assert find_references(longer) == {longer}


def test_hostile_text_yields_a_bounded_answer() -> None:
    distinct = "\n".join(new_reference() for _ in range(MAX_FOUND + 50))
    assert len(find_references(distinct)) == MAX_FOUND
    assert find_references("FM-" * 100_000) == frozenset()
    assert find_references("FM-\n> " * 50_000) == frozenset()
    assert find_references("FM-A\n" + " " * 100_000) == frozenset()
    assert mask("FM-A\n" * 50_000).startswith("FM-A")


@pytest.mark.parametrize(
    "text",
    [
        REFERENCE,
        REFERENCE.lower(),
        f"x{REFERENCE}y",
        f"FM-\n> {WORD}",
        f"FM-{WORD[:10]}\r\n> {WORD[10:]}",
        f"FM-{WORD[:10]}=\r\n{WORD[10:]}",
        f"Reference%3A%20{REFERENCE}",
        f"<fm-{WORD.lower()}@corp.test>",
        "FM-" + "A" * 64,
    ],
)
def test_no_secret_can_be_read_in_masked_text(text: str) -> None:
    masked = mask(f"before {text} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "FM-…(masked)" in masked
    assert not re.search(r"ABCDEFGH|QRSTUVWX|AAAA", masked, re.IGNORECASE)


def test_masking_leaves_other_text_alone() -> None:
    text = f"FM-SHORT and XYZ-{WORD} and fm-radio"
    assert mask(text) == text


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ([], ()),
        (["no id here"], ()),
        (["<a@x.test>"], ("<a@x.test>",)),
        (
            ["<a@x.test>\t<b@x.test><a@x.test>", "<c@x.test>"],
            ("<a@x.test>", "<b@x.test>", "<c@x.test>"),
        ),
        (["Bob's mail of <a@x.test> (today)"], ("<a@x.test>",)),
        (["<a b@x.test> <>"], ()),
        (["<" * 50_000], ()),
        (["<" + "a" * 300 + ">"], ()),
    ],
)
def test_message_ids_are_read_in_order_and_once(values: list[str], ids: tuple[str, ...]) -> None:
    assert find_message_ids(values) == ids


def test_the_number_of_message_ids_is_bounded() -> None:
    assert len(find_message_ids(["".join(f"<{i}@x>" for i in range(1000))])) == MAX_FOUND


CARRIED = st.lists(
    st.sampled_from(
        [
            *("FM-", "fm-", "Fm-", "%20", "%2", "-", "1", WORD, WORD.lower(), WORD[:10], WORD[10:]),
            *(WORD[:24], WORD[24:], "A", "b"),
            *("\n", "\r\n", "=\r\n", "\n> ", " \n>> | ", " ", "A" * 40, "A" * 70),
        ]
    ),
    max_size=8,
).map("".join)


@given(CARRIED)
@example(f"fm-{WORD[:24]}=\n> {WORD[24:]}{'A' * 70}")
@example(f"FM-\n{WORD}")
@example(f"FM-{WORD}{'A' * 70}\nA")
def test_ascii_is_masked_as_it_is_beside_another_character(text: str) -> None:
    assert mask(f"{text}\u00e9") == f"{mask(text)}\u00e9"


@given(st.text("aZ9%2Ff-_=é漢 \n", max_size=4))
@example("%2")
@example("%4G")
@example("a%3F")
def test_a_reference_begins_where_no_word_goes_on_but_an_escape_may(before: str) -> None:
    begins = re.search(r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))FM-", f"{before}{REFERENCE}")
    assert find_references(f"{before}{REFERENCE}") == ({REFERENCE} if begins else set())
