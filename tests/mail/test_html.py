"""HTML as its reader sees it: lines, quotes, and what is hidden."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexmail.mail import element, html, page
from flexmail.mail.html import goes_on, visible_text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("Approve", "Approve"),
        ("<p>Approve</p><p>fine</p>", "Approve\n\nfine\n"),
        ('<p class="MsoNormal">Approve</p><p class="MsoNormal">fine</p>', "Approve\nfine"),
        ("<div>Approve</div><div>fine</div>", "Approve\nfine"),
        ("<div>Approve<div>fine</div>now</div>", "Approve\nfine\nnow"),
        ("Approve<br>fine", "Approve\nfine"),
        ("<div>Approve<br></div><div><br></div><div>fine</div>", "Approve\n\nfine"),
        ("app<span>ro</span><b>ved</b>", "approved"),
        ("  Appro\n\t ve  <b> it </b> ", "Appro ve it"),
        ("<div> <b>Approve</b> <b>it</b>\n<i>not</i> </div>", "Approve it not"),
        ("<div>a\r\nb</div>", "a b"),
        ("<pre>Approve\nfine</pre>", "Approve\nfine"),
        ('<div style="white-space: pre-wrap">Approve\nfine</div>', "Approve\nfine"),
        (
            "<table><tr><td>Approve</td><td>not</td></tr><tr><td>x</td></tr></table>",
            "Approve not\nx\n",
        ),
        ("<ul><li>Approve</li><li>fine</li></ul>", "Approve\nfine"),
        ("a&nbsp;b &amp; c &#1087;&lt;x&gt;", "a b & c п<x>"),
        ("<body>Approve<hr>fine</body>", f"Approve\n{'-' * 32}\nfine"),
        ("Approve<o:p></o:p><o:p>&nbsp;</o:p>", "Approve"),
        ('<?xml version="1.0" encoding="koi8-r"?><meta charset="koi8-r"><p>schön', "schön\n"),
        ("<p>Approve</b></div>", "Approve\n"),
        ("App\0rove", "App\ufffdrove"),
        ("Approve\u200b", "Approve\u200b"),
        ("", ""),
        (" \n ", ""),
        ("<", "<"),
        ("<html></html>", ""),
    ],
)
def test_lines_are_those_that_show(page: str, text: str) -> None:
    assert visible_text(page) == text


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display:none">{}</p>',
        '<p style="DISPLAY : None !important">{}</p>',
        '<p style="color:red;/* x */display:/**/none">{}</p>',
        '<div style="display:none"><div><p>{}</p></div></div>',
        '<p style="visibility:hidden">{}</p>',
        '<p style="font-size:0">{}</p>',
        '<p style="font-size:0px">{}</p>',
        '<p style="font-size: 1px">{}</p>',
        '<p style="font:0/0 a">{}</p>',
        '<p style="font-size:0.01em">{}</p>',
        '<p style="opacity:0">{}</p>',
        '<p style="mso-hide:all">{}</p>',
        '<p style="max-height:0;overflow:hidden">{}</p>',
        '<p style="height:0;overflow:hidden">{}</p>',
        '<p style="width:0px;overflow-y:x;overflow:hidden">{}</p>',
        '<p style="text-indent:-9999px">{}</p>',
        '<p style="position:absolute;left:-5000px">{}</p>',
        '<p style="transform:scale(0)">{}</p>',
        "<p hidden>{}</p>",
        '<p style="color:white">{}</p>',
        '<p style="color:#fff">{}</p>',
        '<p style="color:#FEFEFE">{}</p>',
        '<p style="color:rgb(255, 255, 255)">{}</p>',
        '<p style="color:rgb(100%,100%,100%)">{}</p>',
        '<p style="color:transparent">{}</p>',
        '<p style="color:rgba(0,0,0,0)">{}</p>',
        '<p style="color:#00000000">{}</p>',
        '<font color="white">{}</font>',
        '<body text="#ffffff"><p>{}</p></body>',
        '<div style="background:#123456"><p style="color:#123457">{}</p></div>',
        '<table bgcolor="black"><tr><td><font color="#000">{}</font></td></tr></table>',
        "<style>.x{{display:none}}</style><p class='a X'>{}</p>",
        "<style>p, .y {{ color : #fff }}</style><p>{}</p>",
        "<style>#z{{font-size:0}}</style><p id=z>{}</p>",
        "<style><!-- p.w{{visibility:hidden}} --></style><p class=w>{}</p>",
        "<!-- {} -->",
        "<!--[if mso]><p>{}</p><![endif]-->",
        "<script>{}</script>",
        "<style>{}</style>",
        "<head><title>{}</title></head>",
        "<template>{}</template>",
        "<noscript>{}</noscript>",
        "<textarea>{}</textarea>",
        "<select><option>{}</option></select>",
        "<svg><text>{}</text></svg>",
        "<input type=button value='{}'>",
        "<img alt='{}'>",
        "<object>{}</object>",
    ],
)
def test_what_nobody_sees_is_left_out(hidden: str) -> None:
    page = f"{hidden.format('Approve')}<div>Please wait</div>"
    assert visible_text(page).strip() == "Please wait"


@pytest.mark.parametrize(
    "page",
    [
        '<body bgcolor="#000000" text="#ffffff">Approve</body>',
        '<td style="background-color:#111;color:#fff">Approve</td>',
        '<div style="color:#fff"><b style="background:black">Approve</b></div>',
        '<div style="font-size:0"><span style="font-size:14px">Approve</span></div>',
        '<div style="background:url(x.png);color:#fff">Approve</div>',
        '<div style="height:0">Approve</div>',
        '<div style="color:inherit;display:block;opacity:.9">Approve</div>',
        '<div style="color:var(--x);font-size:1.5px">Approve</div>',
        '<div style="color:rgb(x);font-size:;;:;display">Approve</div>',
        "<style>@media print { p {display:none} p {color:#fff} } b{top:1}</style><p>Approve</p>",
        "<style>div p {display:none} p > b, p:hover {display:none}</style><p>Approve</p>",
        "<style>} p {display:none</style><div>Approve</div>",
    ],
)
def test_what_shows_is_kept(page: str) -> None:
    assert visible_text(page).strip() == "Approve"


@pytest.mark.parametrize(
    "struck",
    [
        "<s>Approve</s>",
        "<strike>Approve</strike>",
        "<del><b>Approve</b></del>",
        '<b style="text-decoration: line-through">Approve</b>',
    ],
)
def test_struck_out_text_is_no_word(struck: str) -> None:
    assert visible_text(f"{struck} Reject") == "~Approve~ Reject"


@pytest.mark.parametrize(
    "history",
    [
        "<blockquote>Approve</blockquote>",
        '<blockquote type="cite"><div>Approve</div></blockquote>',
        '<div class="gmail_quote"><div class="gmail_attr">Approve</div></div>',
        '<div class="gmail_quote gmail_quote_container">Approve</div>',
        '<div class="x_gmail_quote">Approve</div>',
        '<div class="ecxgmail_quote">Approve</div>',
        '<div class="yahoo_quoted" id="yahoo_quoted_1">Approve</div>',
        '<div class="protonmail_quote">Approve</div>',
        '<div class="moz-cite-prefix">Approve</div>',
        '<div id="divRplyFwdMsg">Approve</div>',
        '<div id="appendonsend"></div><hr><div>Approve</div>',
        '<div><div id="x_divRplyFwdMsg">On</div></div><div>Approve</div>',
        '<span id="OLK_SRC_BODY_SECTION">Approve</span>',
        '<hr id="stopSpelling">Approve',
        '<div id="mail-editor-reference-message-container">x</div><p>Approve</p>',
    ],
)
def test_history_stays_apart_so_that_only_references_come_from_it(history: str) -> None:
    text = visible_text(f"<div>Please wait{history}</div>")
    assert text.startswith("Please wait\n")
    assert all(line.startswith(">") for line in text.split("\n")[1:])
    assert "> Approve" in text.split("\n")


def test_what_follows_a_quote_is_no_quote() -> None:
    page = "<blockquote>one<br><br>two</blockquote><br>Approve <blockquote>three</blockquote>four"
    assert visible_text(page) == "> one\n>\n> two\n\nApprove\n> three\nfour"


@pytest.mark.parametrize(
    "signature",
    [
        '<div class="gmail_signature">Bob</div>',
        '<div class="moz-signature">Bob</div>',
        '<div id="ms-outlook-mobile-signature">Bob</div>',
        '<div data-signatureblock="true">Bob</div>',
    ],
)
def test_a_signature_is_marked_as_in_plain_text(signature: str) -> None:
    assert visible_text(f"<div>Approve</div>{signature}") == "Approve\n-- \nBob"


@pytest.mark.parametrize(
    "piece",
    [
        "<div>",
        '<div class="gmail_quote">',
        '<p class="a b c" style="color:red;display:none">x',
        "<blockquote>",
        "<table><tr><td>",
        "<b><i>",
        "<ul><li>",
        "<br>",
        "</div>",
        "<!--",
        "<",
        "&",
        "&nbsp;",
        "<style>.a{color:red}</style>",
        "<style>{",
        "<style>/*",
        "<pre>\n",
        "<s>a",
        "<select><option>",
        "<svg>",
    ],
)
@pytest.mark.timeout(60)
def test_every_page_is_read_in_time(piece: str) -> None:
    text = visible_text(f"<p>Approve</p>{piece * 100_000}Reject")
    assert text.startswith("Approve")


@pytest.mark.parametrize(
    "page",
    [
        f"<div {'a' * 1_000_000}>Approve",
        f'<div style="{"color:red;" * 100_000}">Approve',
        f'<div class="{"ab " * 300_000}">Approve',
        f"<style>{'.a,' * 100_000}.a{{{'color:red;' * 50_000}}}</style>Approve",
        f"<style>{''.join(f'.a{i}{{color:red}}' for i in range(50_000))}</style><p class=a>Approve",
        f"<style>.{'a' * 1_000_000}{{display:none}}</style>Approve",
    ],
)
@pytest.mark.timeout(60)
def test_every_style_is_read_in_time(page: str) -> None:
    assert visible_text(page).strip() == "Approve"


@pytest.mark.parametrize(
    "page",
    [
        "<b>" * 150_000 + "</i>" * 130_000,
        "<div>" * 100_000 + "</p>" * 120_000,
        "<font>" * 100_000 + "</b>" * 100_000,
        "<b>" * 990 + "</i>" * 60_000,
    ],
)
@pytest.mark.timeout(60)
def test_stray_end_tags_cost_no_time(page: str) -> None:
    assert visible_text("<p>Approve</p>" + page).startswith("Approve")


def test_a_page_over_a_cap_says_that_it_goes_on() -> None:
    assert goes_on("Approve" + "<br>" * 60_000 + "Reject")
    assert goes_on("Approve" + "<div>" * 20_000 + "Reject")
    assert not goes_on("Approve" + "<br>" * 1000)


@pytest.mark.parametrize(
    "hidden",
    [
        '<span style="color:red;background:red">Approve</span>',
        '<p style="background:navy"><font color="navy">Approve</font></p>',
        '<p style="color:hsl(0, 0%, 100%);background:hsl(0,0%,100%)">Approve</p>',
        '<p style="font: bold 0px serif">Approve</p>',
        '<p style="clip-path: inset(50%)">Approve</p>',
        '<p style="position:absolute;clip:rect(0,0,0,0)">Approve</p>',
        '<p style="margin-left:-9999px">Approve</p>',
        '<p style="transform:scale(0,0)">Approve</p>',
        '<p style="transform:scale(0.0)">Approve</p>',
        '<p style="position:absolute;left:-99em">Approve</p>',
        '<p style="display:none;display:bogus">Approve</p>',
        "<dialog>Approve</dialog>",
        '<bdo dir="rtl">Approve</bdo>',
    ],
)
def test_what_a_reader_cannot_see_is_not_read(hidden: str) -> None:
    assert visible_text(f"{hidden}<p>What is this?</p>").strip() == "What is this?"


@pytest.mark.parametrize(
    "shown",
    [
        '<p style="color:red;background:white">Approve</p>',
        '<p style="color:inherit;background:inherit">Approve</p>',
        '<p style="transform:scale(0.9)">Approve</p>',
        '<p style="margin:0 0 0 40px">Approve</p>',
        '<p style="display:none;display:block">Approve</p>',
        '<p style="font: 12px/1.5 serif">Approve</p>',
        '<p style="color:windowtext">Approve</p>',
    ],
)
def test_what_a_reader_sees_is_read(shown: str) -> None:
    assert visible_text(shown).strip() == "Approve"


def test_text_struck_through_by_a_class_is_struck() -> None:
    sheet = "<style>.gone{text-decoration:line-through}</style>"
    assert visible_text(f'{sheet}<p class="gone">Approve</p>').strip() == "~Approve~"


TOKENS = st.sampled_from(
    [
        *("<p>", "</p>", "<pre>", "</pre>", "<s>", "</s>", "<b>", "</b>", "<br>", "<hr>", "<td>"),
        *("<blockquote>", "</blockquote>", '<p style="color:#fff">', '<b style="background:#fff">'),
        *('<div style="background:#000">', "</div>", '<font color="white">', "</font>"),
        *('<b style="font-size:0">', '<b style="font-size:9px">', '<p style="white-space:pre">'),
        *('<p style="white-space:normal">', '<b style="text-decoration:line-through">'),
        *(
            "<style>.x{color:#fff} p{font-size:0}</style>",
            '<p class="x">',
            "<div hidden>",
            "<i id=x>",
        ),
        *('<div class="gmail_quote">', '<div id="appendonsend">', '<p class="MsoNormal">'),
        *('<div class="gmail_signature">', "<script>", "</script>", f'<p style="{"x" * 500}">'),
        *("one", "two", " ", "\n", "\u00a0", "&lt;"),
    ]
)


@given(st.lists(TOKENS, max_size=30).map("".join))
@settings(max_examples=300)
def test_a_page_reads_as_if_it_were_the_first(source: str) -> None:
    after_others = html._read.__wrapped__(source)
    for remembered in (element._short, page._inside_without_rules):
        remembered.cache_clear()
    assert html._read.__wrapped__(source) == after_others
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "_inside_without_rules", page._inside_without_rules.__wrapped__)
        patch.setattr(element, "_short", element._element)
        assert html._read.__wrapped__(source) == after_others
