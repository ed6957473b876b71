"""The text of our own pages is found without a parser, and never another text than it shows."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from flexmail.mail.html import visible_text
from flexmail.mail.pieces import spaced, words_of
from flexmail.mail.simple_page import simple_text
from tests.fuzz.asked import page

TOKENS = st.sampled_from(
    [
        *("<p>", "</p>", "<div>", "</div>", "<h1>", "</h1>", "<br>", "<a>", "</a>", "<strong>"),
        *("</strong>", "<html>", "</html>", "<body>", "</body>", '<a href="mailto:a@b?x&amp;y">'),
        *('<p style="white-space:pre-line">', '<div style="margin:0;font-size:16px">'),
        *('<a style="background:#1a7f37;color:#ffffff">', '<p style="opacity:0.8">'),
        *('<a style="color:#fff">', '<p style="background:#fff">', '<p style="font-size:0">'),
        *('<a style="display:none">', '<p style="color:#000;background:#fff">', '<p style="">'),
        *('<p style="color:#fff;background:none">', '<a style="text-decoration:line-through">'),
        *('<p style="background:#000">', '<p style="color:#eee;background:#000">'),
        *(
            "<p hidden>",
            "<span>",
            "</span>",
            "<pre>",
            "<title>",
            "</title>",
            "<xmp>",
            "<plaintext>",
        ),
        *("<!-- x -->", "<script>", "</script>", "<", ">", "<p", "<p >", "<P>", "<a href=x>"),
        *("one", "Two", "3", "four", "fi", "ve", " ", "\n", "  ", "\t", "\r", "\x01", "\x85", "\0"),
        *("&amp;", "&lt;", "&gt;", "&#34;", "&#39;", "&nbsp;", "&am", "p;", "&", "\u00a0", "漢字"),
        *("https://x.test/a", "mailto:x", "[1]", "%41b", "é", "\ufffe", "\u200b", "*", "."),
    ]
)


@given(st.lists(TOKENS, max_size=25))
@settings(max_examples=800)
@example(["<p>", "one", "<strong>", "Two", "</strong>", "</p>", "3"])
@example(['<a style="color:#fff">', "one", "</a>"])
@example(['<p style="background:#000">', "<p>", "one"])
@example(['<p style="color:#eee;background:#000">', '<p style="background:#fff">', "one"])
@example(["<title>", "one", "</title>", "Two"])
@example(["<plaintext>", "<p>", "one"])
@example(["one", "\x01", "Two"])
@example(["&am", "<a>", "p;", "lt;"])
@example(["one", "</p>", "Two"])
@example(["<p>", "one", "<p>", "Two", "</p>", "3", "</p>", "four"])
def test_no_words_show_that_are_not_found(tokens: list[str]) -> None:
    source = "".join(tokens)
    if (text := simple_text(source)) is not None and "<" not in text:
        assert words_of(text) == words_of(visible_text(source))


@pytest.mark.parametrize(
    "odd",
    [
        *("<p hidden>one</p>", "<span>one</span>", "<pre>one</pre>", "<plaintext><p>one"),
        *("one < two", "<p", "<P>one</P>", "<!-- one -->", "one\rtwo", "one\0two", "\ufffe"),
        *("&nbsp;", "&amp", "&am<a>p;</a>", "<a title='x'>one</a>", '<p class="x">one</p>'),
        *('<p style="display:none">one</p>', '<p style="font-size:0">one</p>'),
        *('<p style="color:#fff">one</p>', '<p style="background:#000">one</p>'),
        *('<a style="text-decoration:line-through">one</a>', '<a style="a&amp;b">one</a>'),
        '<p style="color:#000;background:#fff">one</p>',
        f'<p style="margin:0{" " * 400}">one</p>',
        *(
            "one</p>two",
            "<p><a>one</p></a>",
            "<p>one<p>two</p>three</p>four",
            "<p>one</a></p>",
            "<div>one",
            "</div>",
        ),
        *("<a>one<a>two</a></a>", "<h1>one<p>two</p></h1>", "<body>one</body>", "<html>one</html>"),
        "<head><title>one</title></head>",
        '<p style="margin:0" style="display:none">one</p>',
    ],
)
def test_a_page_that_may_show_otherwise_is_left_to_the_parser(odd: str) -> None:
    assert simple_text(f"<p>One</p>{odd}") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<html><head></head><body style="font-size:0">', "</body></html>"),
        ("<html><head></head><body>", "</body></html>two"),
        ("<html><head></head><body>", "</html>"),
        ("<html><head>x</head><body>", "</body></html>"),
        ("<html><body>", "</body></html>"),
    ],
)
def test_what_is_around_the_body_is_written_so_or_not_at_all(before: str, after: str) -> None:
    right = "<!doctype html><html><head></head><body>"
    assert simple_text(f"{right}one</body>\n</html>\n") == "one"
    assert simple_text(f"<!doctype html>{before}one{after}") is None


@given(st.text(max_size=40), st.text(max_size=40))
@example("a < b & c > d \"e\" 'f'", "https://x.test/?a=b")
@example("</p><p hidden>", "\u2028\r\n")
def test_what_the_requester_writes_is_found_as_it_shows(title: str, details: str) -> None:
    source = (
        f"{page('FM-' + 'A' * 26)}<h1>Request: {escape(title)}</h1>"
        f'<p style="white-space:pre-line">{escape(details)}</p>'
    )
    if (text := simple_text(source)) is not None and "<" not in text:
        assert spaced(words_of(text)) == spaced(words_of(visible_text(source)))
