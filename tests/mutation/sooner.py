"""The conditions under which something is read without the parser that would read it otherwise."""

from __future__ import annotations

from tests.mutation.mutant import rows

ODD = "test_an_odd_mail_is_left_to_the_standard_parser"
MAY_SHOW_OTHERWISE = "test_a_page_that_may_show_otherwise_is_left_to_the_parser"

ORDERLY = rows(
    "flexmail/mail/orderly.py",
    "tests/mail/test_orderly.py",
    (
        "no line of an orderly mail ends with a carriage return alone",
        'if raw.count(b"\\r") > raw.count(b"\\r\\n"):',
        "if False:",
        ODD,
    ),
    (
        "an orderly mail is not a mail inside another",
        'or message.get_content_maintype() == "message":',
        "or False:",
        ODD,
    ),
    (
        "the boundary does not come in pieces",
        'if "*" in message.first("Content-Type") or',
        "if",
        ODD,
    ),
    ("an orderly mail is no digest", 'or kind == "multipart/digest":', "or False:", ODD),
    ("the boundary is a plain word", "if not _BOUNDARY.fullmatch(boundary):", "if False:", ODD),
    ("nothing follows a boundary on its line", 'if rest.strip(" \\t\\r"):', "if False:", ODD),
    (
        "an orderly mail has as many parts as are read, and no more",
        "for piece in pieces if len(pieces) < MAX_PARTS else ():",
        "for piece in pieces:",
        ODD,
    ),
    ("no boundary follows another at once", "if not line_end or", "if", ODD),
    (
        "no part of an orderly mail has parts or a mail inside",
        'or part.get_content_maintype() in {"multipart", "message"}:',
        "or False:",
        ODD,
    ),
)

SIMPLE_PAGE = rows(
    "flexmail/mail/simple_page.py",
    "tests/mail/test_simple_page.py",
    (
        "no element of a simple page ends before its end tag",
        "if around[-1] not in _MAY_BE_IN.get(name, ()):",
        "if name not in _MAY_BE_IN:",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "an end tag of a simple page ends what is open",
        "return around.pop() == name[1:]",
        "return bool(around.pop())",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "what is open in a simple page ends",
        " or len(around) > 1:",
        ":",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "the body of a simple page hides nothing",
        "or (head[1] and not _is_harmless(head[1]))",
        "",
        "test_what_is_around_the_body_is_written_so_or_not_at_all",
    ),
    (
        "nothing follows the body of a simple page",
        "or not _TAIL.fullmatch(page, end)",
        "",
        "test_what_is_around_the_body_is_written_so_or_not_at_all",
    ),
    (
        "no attribute of a simple page hides anything",
        "or not all(map(_is_harmless, filter(None, attributes))):",
        "or False:",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "all that looks like a tag is one",
        ' or "<" in outside:',
        ":",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "a simple page holds no character that a parser drops",
        "return text if is_plain or _ODD.search(text) is None else None",
        "return text",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "an attribute is a style and no more",
        "    if found is None:\n        return False\n",
        "    if found is None:\n        return True\n",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "a style does not hide what it is set on",
        "if look.hidden or look.struck:",
        "if look.struck:",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "a style does not strike out",
        "if look.hidden or look.struck:",
        "if look.hidden:",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "a style sets no colour, or a colour and what lies behind it",
        "return sets_both or _COLOURS.isdisjoint(declarations(found[1]))",
        "return True",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "a text with an entity that is not ours is not left out",
        "if len(read) < len(texts) or",
        "texts = texts[: len(read)]; stand_for = stand_for[: len(read) - 1]\n    if",
        MAY_SHOW_OTHERWISE,
    ),
    (
        "a simple page holds no entity but ours",
        'return read if count == text.count("&") else None',
        "return read",
        MAY_SHOW_OTHERWISE,
    ),
)

PIECES = rows(
    "flexmail/mail/pieces.py",
    "tests/mail/test_ours.py",
    (
        "a link that may go on below its line is looked for in all lines together",
        "if _LINK_IN_ANGLES.search(text):",
        "if False:",
        "test_words_and_links_are_the_same_however_they_are_asked_for",
    ),
    (
        "only ASCII has its letters taken byte by byte",
        '    if text.isascii():\n        return text.encode("ascii")',
        '    if True:\n        return text.encode("ascii", "ignore")',
        "test_words_and_links_are_the_same_however_they_are_asked_for",
    ),
)

OURS = rows(
    "flexmail/mail/ours.py",
    "tests/mail/test_ours.py",
    (
        "nothing of ours stands above the last line without a mark",
        "return not any(run in known.letters for run in runs)",
        "return True",
        "test_our_text_is_known_again",
    ),
    (
        "a line without a mark is looked for from below",
        "for at in range(len(lines) - 1, -1, -1):",
        "for at in range(len(lines)):",
        "test_the_authors_own_lines_stay_theirs",
    ),
)

PAGE = rows(
    "flexmail/mail/page.py",
    "tests/mail/test_html.py",
    (
        "a blank between two words of a line is kept",
        "elif self._line or text.strip(_BLANKS):",
        "elif text.strip(_BLANKS):",
        "test_lines_are_those_that_show",
    ),
)

SENT = rows(
    "flexmail/mail/sent.py",
    "tests/mail/test_ours.py",
    (
        "no link hides words of ours beyond the marker",
        'if text is None or "<" in text:',
        "if text is None:",
        "test_a_link_that_goes_on_below_the_marker_hides_no_words_above_it",
    ),
)
