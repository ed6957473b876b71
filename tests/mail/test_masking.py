"""References behind a coding, markup or unseen characters are found, and shown to nobody."""

from __future__ import annotations

import base64

import pytest

from flexmail.mail.masking import LEFT_OUT, hides, open_header
from flexmail.mail.reference import MASKED, mask

REFERENCE = "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BASE64 = base64.b64encode(f"Re: {REFERENCE}".encode()).decode()
PERCENT = "".join(f"%{ord(letter):02x}" for letter in REFERENCE)


@pytest.mark.parametrize(
    "text",
    [
        f"=?utf-8?B?{BASE64}?=",
        f"=?UTF-8?b?{BASE64[:20]}?=\r\n =?utf-8*en?b?{BASE64[20:]}?=",
        f"=?us-ascii?q?Re:_=46M-{REFERENCE[3:]}?=",
        f'<a href="mailto:a@b.test?body=%46M-{REFERENCE[3:]}">',
        f'<a href="mailto:a@b.test?body={PERCENT}">',
        f'<a href="mailto:a@b.test?body=&#37;46M-{REFERENCE[3:]}">',
        f"{REFERENCE[:9]}&shy;{REFERENCE[9:]}",
        f"{REFERENCE[:9]}&#8203;&#xFEFF;{REFERENCE[9:]}",
        f"{REFERENCE[:9]}=C2=AD{REFERENCE[9:]}",
        f"{REFERENCE[:9]}<b\nid=x>{REFERENCE[9:]}</b>",
        f"&#70;M-{REFERENCE[3:].lower()}",
        *(f"{REFERENCE[:at]}\u200b{REFERENCE[at:]}" for at in range(1, len(REFERENCE))),
    ],
)
def test_what_a_client_would_show_is_found(text: str) -> None:
    assert hides(f"Before {text} after")


@pytest.mark.parametrize(
    "text",
    ["", "FM-", "=?utf-8?b?!!!?=", "=?nonsense?q?=46?=", "100 % &amp; more = less", REFERENCE[:20]],
)
def test_what_holds_no_reference_hides_none(text: str) -> None:
    assert not hides(text)


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u2060\ufeff", "\U000e0041", "\ufe0f" * 8])
def test_unseen_characters_do_not_keep_a_reference_from_being_masked(unseen: str) -> None:
    assert mask(f"Hm {unseen.join(REFERENCE)}.") == f"Hm {MASKED}."


def test_a_field_that_hides_a_reference_is_left_out_and_no_other() -> None:
    subject = f"Subject: =?utf-8?B?{BASE64[:20]}?=\r\n =?utf-8?B?{BASE64[20:]}?="
    raw = (
        f"From: a@b.test\r\n{subject}\r\nX-Seen: {REFERENCE}\r\nTo: c@d.test\r\n\r\nHm\r\n".encode()
    )
    head, rest = open_header(raw)
    assert head.decode() == (
        f"From: a@b.test\r\nSubject: {LEFT_OUT}\r\nX-Seen: {REFERENCE}\r\nTo: c@d.test"
    )
    assert rest == b"\r\n\r\nHm\r\n"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_header_that_hides_nothing_stays_as_it_came(end: str) -> None:
    raw = f"From: a@b.test{end}Subject: =?utf-8?q?R=C3=A9?={end}{end}Hm".encode()
    assert b"".join(open_header(raw)) == raw
