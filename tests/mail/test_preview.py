"""A mail within a page of ours: it looks the same, and neither runs nor fetches anything."""

from __future__ import annotations

import re

import pytest

from flexmail.mail.preview import framed

PAGE = '<!doctype html><html lang="en"><head><title>a</title></head><body>{}</body></html>'


def body(inside: str) -> str:
    return framed(PAGE.format(inside), "nonce-1")


def test_styles_become_rules_that_carry_the_nonce() -> None:
    page = body('<p style="color:red">a</p><p class="x" style="color:red">b</p>')
    assert " style=" not in page
    assert '<style nonce="nonce-1">.fm-0.fm-0.fm-0 {color:red}</style>' in page
    assert '<p class="fm-0">a</p><p class="x fm-0">b</p>' in page


def test_a_style_sheet_of_the_mail_carries_the_nonce_too() -> None:
    assert '<style nonce="nonce-1">p {color: red}</style>' in body("<style>p {color: red}</style>a")


@pytest.mark.parametrize(
    "style", ["</style><script>alert(1)</script>", "}</style>", "} * {display: none", "<!--"]
)
def test_a_style_stays_within_its_rule(style: str) -> None:
    page = body(f'<p style="{style}">a</p>')
    assert page.count("</style>") == 1
    assert "<script" not in page
    sheet = page.partition('nonce="nonce-1">')[2].partition("</style>")[0]
    assert (sheet.count("{"), sheet.count("}"), sheet.count("<")) == (1, 1, 0)


def test_nothing_is_fetched() -> None:
    page = body(
        '<img src="https://x.test/a.png" srcset="https://x.test/b.png" alt="A picture">'
        '<table background="https://x.test/c.png"><tr><td>a</td></tr></table>'
    )
    assert "x.test" not in page
    assert 'alt="A picture"' in page


def test_links_look_like_links_and_open_nowhere() -> None:
    page = body('<a href="https://x.test/1">a</a>')
    assert '<a href="https://x.test/1">a</a>' in page
    assert re.search(r'<base target="_blank">.*<body>', page)


def test_characters_stay_what_they_are() -> None:
    assert "Grüße – 東京 &lt;b&gt; &amp;amp;" in body("<p>Grüße – 東京 &lt;b&gt; &amp;amp;</p>")
