from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexmail.mail.address import (
    Mailbox,
    decode_words,
    is_safe_header,
    normalise,
    parse_mailbox,
    sole_author,
)
from flexmail.mail.charset import decode_text

BOB = "bob@corp.test"


@pytest.mark.parametrize(
    ("typed", "name", "addr_spec"),
    [
        ("bob@corp.test", "", BOB),
        ("  bob@corp.test  ", "", BOB),
        ("<bob@corp.test>", "", BOB),
        ("Bob <bob@CORP.Test>", "Bob", BOB),
        ("Bob.Builder@Corp.test", "", "Bob.Builder@corp.test"),
        ('"Builder, Bob (Ops)" <bob@corp.test>', "Builder, Bob (Ops)", BOB),
        (r'"Bob \"B\" Builder" <bob@corp.test>', 'Bob "B" Builder', BOB),
        ("Bob O'Hara-Müller Jr. <bob@corp.test>", "Bob O'Hara-Müller Jr.", BOB),
        ("=?utf-8?b?QsO2Yg==?= <bob@corp.test>", "Böb", BOB),
        ('"bob@corp.test" <bob@corp.test>', BOB, BOB),
        ("Approvals <bob+fm@bücher.test>", "Approvals", "bob+fm@xn--bcher-kva.test"),
        ("bøb@corp.test", "", "bøb@corp.test"),
    ],
)
def test_a_typed_address_is_read_with_its_name(typed: str, name: str, addr_spec: str) -> None:
    assert parse_mailbox(typed) == Mailbox(name, addr_spec)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "Bob",
        "bob@",
        "@corp.test",
        "bob@corp",
        "bob@corp.test, charlie@corp.test",
        "bob@corp.test charlie@corp.test",
        "Builder, Bob <bob@corp.test>",
        "Ops: bob@corp.test;",
        "<bob@corp.test> <charlie@x.test>",
        "Bob <bob@corp.test> trailing",
        "bob@corp.test (Bob)",
        '"open <bob@corp.test>',
        '"b b"@corp.test',
        "bob@[127.0.0.1]",
        "charlie@x.test <bob@corp.test>",
        '"charlie@x.test" <bob@corp.test>',
        "bob@corp.test\r\nBcc: charlie@x.test",
        "Bob\x00 <bob@corp.test>",
        "Bob\u2028 <bob@corp.test>",
        "=?utf-8?q?a=0D=0AB?= <bob@corp.test>",
        "B" * 201 + " <bob@corp.test>",
        "b" * 300 + "@corp.test",
    ],
)
def test_anything_but_one_safe_address_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\."):
        parse_mailbox(typed)


@given(
    name=st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters='@<>"\\＠﹫')
        | st.just(" "),
        max_size=60,
    ).map(lambda text: " ".join(text.split()))
)
def test_a_mailbox_written_out_reads_back_the_same(name: str) -> None:
    mailbox = Mailbox(name, BOB)
    written = str(mailbox)
    assert written.isascii()
    assert parse_mailbox(written) == mailbox


def test_a_name_with_specials_is_quoted_and_one_with_umlauts_encoded() -> None:
    assert str(Mailbox("Builder, Bob", BOB)) == '"Builder, Bob" <bob@corp.test>'
    assert str(Mailbox('a "b" \\ c', BOB)) == r'"a \"b\" \\ c" <bob@corp.test>'
    assert str(Mailbox("Böb", BOB)) == "=?utf-8?q?B=C3=B6b?= <bob@corp.test>"
    assert str(Mailbox("=?x?q?y?=", BOB)).startswith("=?utf-8?")
    assert str(Mailbox("", BOB)) == BOB


def test_only_the_domain_is_lowered_and_written_in_a_labels() -> None:
    assert normalise("Bob@BÜCHER.Test") == "Bob@xn--bcher-kva.test"


@pytest.mark.parametrize("bad", ["", "bob", "bob@corp..test", "a b@corp.test", "bob@corp.test\n"])
def test_what_is_no_address_does_not_normalise(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normalise(bad)


@pytest.mark.parametrize(
    "value",
    [
        "bob@corp.test",
        "<bob@corp.test>",
        "Bob <bob@Corp.Test>",
        "Bob\t<bob@corp.test>",
        '"Builder, Bob" <bob@corp.test>',
        "Bob Builder (Ops) <bob@corp.test>",
        "=?utf-8?q?B=C3=B6b?= <bob@corp.test>",
        "Böb <bob@corp.test>",
        "\"'bob@corp.test'\" <bob@corp.test>",
    ],
)
def test_one_plain_author_is_found(value: str) -> None:
    author = sole_author([value])
    assert author is not None
    assert author.addr_spec == BOB


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["bob@corp.test", "charlie@x.test"],
        ["bob@corp.test", "bob@corp.test"],
        [""],
        ["<>"],
        ["MAILER-DAEMON"],
        ["bob@corp.test, charlie@x.test"],
        ["bob@corp.test <charlie@x.test>"],
        ["bob@corp.test charlie@x.test"],
        ['"bob@corp.test" <charlie@x.test>'],
        ["=?utf-8?q?bob@corp.test?= <charlie@x.test>"],
        ["=?utf-8?q?bob=40corp.test?= <charlie@x.test>"],
        ["=?utf-8?b?Ym9iQGNvcnAudGVzdA==?= <charlie@x.test>"],
        ["bob＠corp.test <charlie@x.test>"],
        ["(bob@corp.test) charlie@x.test"],
        ["Charlie (bob@corp.test) <charlie@x.test>"],
        ["charlie@x.test (bob@corp.test)"],
        ["bob@corp.test(<charlie@x.test>)"],
        ["Team: bob@corp.test;"],
        ["Team: bob@corp.test, charlie@x.test;"],
        ["<@x.test:bob@corp.test>"],
        ["<bob@corp.test> <charlie@x.test>"],
        ["<<bob@corp.test>>"],
        ['"bob"@corp.test'],
        ['"bob@corp.test "@x.test'],
        ["bob@corp.test\x00@x.test"],
        ["bob@corp.test\r\n"],
        ["=?utf-8?q?a=00b?= <bob@corp.test>"],
        ["bøb@corp.test"],
        ["bob@cörp.test"],
        ["Bob <bob@ｃｏｒｐ.test>"],
        ["bob@corp.test."],
        ["bob@corp. test"],
        ["bob @corp.test"],
        ["Bob <bob@corp.test"],
        ["Bob bob@corp.test>"],
        ["x" * 990 + " <bob@corp.test>"],
        ["(" * 900],
        ["(" * 5000],
        ['"' * 901 + "<bob@corp.test>"],
        ["=?a?q?" * 150 + "<bob@corp.test>"],
    ],
)
def test_where_any_reader_could_see_someone_else_there_is_no_author(values: list[str]) -> None:
    assert sole_author(values) is None


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\x1bb", "a\x7f", "a\x85b", "a\u2029b"])
def test_line_breaks_and_controls_are_not_safe_in_a_header(bad: str) -> None:
    assert not is_safe_header(bad)
    assert is_safe_header("Größe ✓ – 100 %")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=B6=C3=9Fe_x?=", "Größe x"),
        ("=?UTF-8?B?R3LDtsOfZQ==?=", "Größe"),
        ("a =?utf-8?q?=C3=B6?= b", "a ö b"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=F6?=", "aö"),
        ("=?utf-8?b?w7Y=?= x =?utf-8?b?w7Y=?=", "ö x ö"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "ö"),
        ("=?utf-8*en?q?x?=", "x"),
        ("=?nonsense?q?=C3=B6?=", "ö"),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        (r"\u0041 ö =?utf-8?q?x?=", r"\u0041 ö x"),
    ],
)
def test_encoded_words_are_read_and_broken_ones_stay(written: str, read: str) -> None:
    assert decode_words(written) == read


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"gr\xc3\xb6n", "utf-8", "grön"),
        (b"gr\xf6n", "iso-8859-1", "grön"),
        (b"\x93gr\xf6n\x94", "iso-8859-1", "“grön”"),
        (b"gr\xf6n ja", "utf-8", "grön ja"),
        (b"gr\xc3\xb6n", "us-ascii", "grön"),
        (b"gr\xc3\xb6n", "no-such-charset", "grön"),
        (b"gr\xc3\xb6n", "", "grön"),
        (b"gr\xc3\xb6n", "utf-8\0", "grön"),
        (b"gr\xc3\xb6n", "punycode", "grön"),
        (b"gr\xc3\xb6n", "hex", "grön"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
        ("да".encode("koi8-r"), "koi8-r", "да"),
        ("はい".encode("iso-2022-jp"), "iso-2022-jp", "はい"),
        ("approve ö".encode()[:-1], "utf-8", "approve "),
        ("はい".encode("shift_jis")[:-1], "shift_jis", "は"),
        ("ja".encode("utf-16-le")[:-1], "utf-16-le", "j"),
        (b"caf\xe9", "", "café"),
        (b"\x81\x8d x", "", "\ufffd\ufffd x"),
    ],
)
def test_bytes_become_text_whatever_charset_they_claim(raw: bytes, charset: str, text: str) -> None:
    assert decode_text(raw, charset) == text
