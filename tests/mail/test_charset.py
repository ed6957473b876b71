"""Bytes become text: by the charset they claim, by what such bytes mostly are, and never not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexmail.mail.charset import charset_of_page, decode_text
from flexmail.mail.parse import parse

NEW_CHINESE = "报价没有问题，镕"  # the last letter is in GB 18030 and GBK, not in GB 2312
CIRCLED = "見積りは①です"  # machine-dependent, in Windows' Shift_JIS only
KOREAN = "견적서 똠"  # the last syllable is in Windows' 949, not in KS X 1001
HONG_KONG = "報價冇問題"


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("gb2312", "gb18030", NEW_CHINESE),
        ("GB2312", "gb18030", NEW_CHINESE),
        ("x-gbk", "gb18030", NEW_CHINESE),
        ("gbk", "gb18030", NEW_CHINESE),
        ("hz-gb-2312", "hz", "报价没有问题"),
        ("ks_c_5601-1987", "cp949", KOREAN),
        ("euc-kr", "cp949", KOREAN),
        ("x-windows-949", "cp949", KOREAN),
        ("iso-2022-kr", "iso2022_kr", "견적서"),
        ("shift_jis", "cp932", CIRCLED),
        ("x-sjis", "cp932", CIRCLED),
        ("windows-31j", "cp932", CIRCLED),
        ("iso-2022-jp", "iso2022_jp_ext", "見積りはﾃﾞｽ"),
        ("iso-2022-jp", "iso2022_jp", "見積りです"),
        ("cp50220", "iso2022_jp", "見積りです"),
        ("euc-jp", "euc_jp", "見積りです"),
        ("x-euc-jp", "euc_jp", "見積りです"),
        ("big5", "big5hkscs", HONG_KONG),
        ("x-x-big5", "big5", "報價"),
        ("windows-874", "cp874", "อนุมัติ"),
        ("tis-620", "cp874", "อนุมัติ"),
        ("x-mac-cyrillic", "mac_cyrillic", "Цена в порядке"),
        ("x-mac-roman", "mac_roman", "Höhe"),
        ("macintosh", "mac_roman", "Höhe"),
        ("x-mac-ce", "mac_latin2", "Žádost"),
        ("x-cp1251", "cp1251", "Цена"),
        ("windows1251", "cp1251", "Цена"),
        ("cp-850", "cp850", "Höhe"),
        ("cp-1252", "cp1252", "Höhe – 5 €"),
        ("ansi_x3.4-1968", "cp1252", "Höhe – 5 €"),
        ("us-ascii", "utf-8", "Höhe – 5 €"),
        ("iso-8859-1", "cp1252", "Höhe – 5 €"),
        ("iso8859_1", "cp1252", "Höhe – 5 €"),
        ("iso-8859-9", "cp1254", "“Şirket”"),
        ("iso-8859-8-i", "iso8859-8", "אישור"),
        ("iso-8859-8-e", "iso8859-8", "אישור"),
        ("iso-8859-6-e", "iso8859-6", "موافق"),
        ("koi8-ru", "koi8_u", "Ціна"),
        ("utf8", "utf-8", "Höhe"),
        ("utf-8 ", "utf-8", "Höhe"),
        ('"utf-8"', "utf-8", "Höhe"),
        ("utf8mb4", "utf-8", "Höhe"),
        ("unicode-1-1-utf-8", "utf-8", "Höhe"),
        ("utf-16", "utf-16", "Höhe"),
        ("utf-16le", "utf-16-le", "Höhe"),
        ("utf-7", "utf-7", "Höhe"),
        ("unicode-1-1-utf-7", "utf-7", "Höhe"),
        ("x-unknown", "utf-8", "Höhe"),
        ("unknown-8bit", "cp1252", "Höhe"),
        ("x-user-defined", "cp1252", "Höhe"),
        ("default", "cp1252", "Höhe"),
        ("_iso-2022-jp$esc", "utf-8", "Höhe"),
        ("", "utf-8", "Höhe"),
        ("", "cp1252", "Höhe"),
        ("big5", "utf-8", "Höhe – 5 €"),
    ],
)
def test_text_is_read_as_it_was_meant(charset: str, codec: str, text: str) -> None:
    assert decode_text(text.encode(codec), charset) == text


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("utf-8", b"H\xc3\xb6he \xe4 5", "Höhe ä 5"),
        ("utf-8", b"\x93H\xc3\xb6he\x94", "“Höhe”"),
        ("gb2312", "报价".encode("gb18030") + b" \xff 5", "报价 \ufffd 5"),
        ("iso-2022-jp", "見積り".encode("iso2022_jp") + b"\x80 5", "見積り\ufffd 5"),
        ("utf-8", b"H\xc3\xb6he \xc3", "Höhe "),
        ("cp1253", b"\xd2 5", "\ufffd 5"),
        ("utf-8", b"\xe4" * 1000, "ä" * 1000),
    ],
)
def test_a_wrong_byte_costs_a_letter_and_not_the_text(charset: str, raw: bytes, text: str) -> None:
    assert decode_text(raw, charset) == text


@pytest.mark.parametrize(
    "charset",
    [
        "rot13",
        "hex",
        "zlib",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "mbcs",
        "\0",
        "é" * 99,
    ],
)
def test_what_is_no_charset_of_mail_is_none(charset: str) -> None:
    assert decode_text(b"Approve H\xc3\xb6he", charset) == "Approve Höhe"


@given(st.binary(max_size=60), st.text(max_size=20) | st.sampled_from(["gb2312", "utf-7", "hz"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_of_any_charset_become_text(raw: bytes, charset: str) -> None:
    decode_text(raw, charset).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("page", "charset"),
    [
        (b'<meta charset="koi8-r"><p>', "koi8-r"),
        (
            b"<META HTTP-EQUIV=content-type CONTENT='text/html; charset=windows-1251'>",
            "windows-1251",
        ),
        (b"<meta name=x content=y>\n<meta charset = gb2312 >", "gb2312"),
        (b"<p>charset=koi8-r</p>", ""),
        (b"<meta " * 10_000, ""),
        (b" " * 5000 + b'<meta charset="koi8-r">', ""),
        (b"", ""),
    ],
)
def test_a_page_may_tell_its_charset_itself(page: bytes, charset: str) -> None:
    assert charset_of_page(page) == charset


def test_a_page_of_a_mail_without_a_charset_is_read_by_its_own() -> None:
    page = '<meta charset="windows-1251"><p>Reject, цена высока</p>'.encode("cp1251")
    head = b"From: bob@corp.test\r\nContent-Type: text/html%s\r\n\r\n"
    assert "цена высока" in (parse(head % b"" + page).html or "")
    assert "цена высока" not in (parse(head % b"; charset=koi8-r" + page).html or "")
