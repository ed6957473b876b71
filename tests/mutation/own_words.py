"""The conditions by which only the author's own words decide, and all of them count."""

from __future__ import annotations

from tests.mutation.mutant import rows

REPLY = "tests/mail/test_reply.py::"
HISTORY = "tests/mail/test_reply.py::test_history_is_never_the_authors_and_ends_the_comment"
BELOW = "tests/mail/test_reply.py::test_below_a_quote_only_a_lone_clear_answer_counts"
DRAWN = "test_a_heading_or_a_line_drawn_ends_the_authors_words"
CONDITIONS = "tests/mail/test_conditions.py::"
TAKEN_BACK = f"{CONDITIONS}test_an_approval_can_be_taken_back_in_the_lines_below"

QUOTE = rows(
    "flexmail/mail/quote.py",
    "tests/mail/test_quote.py",
    (
        "what stands above history is the author's",
        "if not all(map(is_blank, above)):",
        "if False:",
        "test_an_answer_above_a_quote_wins",
    ),
    (
        "the first boundary counts",
        "first = find_boundary(lines, 0)",
        "first = find_boundary(lines, 1)",
        DRAWN,
    ),
    (
        "only below a quote the author may write",
        "if at == quote_starts or below",
        "if False or below",
        HISTORY,
    ),
    (
        "something stands below the quote",
        "or below == len(lines):",
        "or False:",
        HISTORY,
    ),
    (
        "a line at the end of a quote is no line that a client broke",
        "if below == at and may_be_wrapped(lines[at - 1], lines[at]):",
        "if False and may_be_wrapped(lines[at - 1], lines[at]):",
        BELOW,
    ),
    (
        "a short quoted line right above was ended by its author",
        "and may_be_wrapped(lines[at - 1], lines[at]):",
        "and True:",
        BELOW,
    ),
    (
        "the mail was read to its end",
        "if len(lines) >= MAX_LINES:",
        "if False:",
        f"{CONDITIONS}test_below_a_quote_that_is_too_long_nothing_counts",
    ),
    (
        "below a quote no second quote follows",
        'if last.kind != "signature" or any',
        "if False or any",
        f"{CONDITIONS}test_below_a_quote_nothing_but_a_signature_follows",
    ),
    (
        "below a quote no history follows the signature",
        "or any(_is_history(line) for line in lines[last.start :]):",
        "or False:",
        BELOW,
    ),
    (
        "history is a quote",
        "return is_quoted(line) or bool(_MARKER",
        "return False or bool(_MARKER",
        BELOW,
    ),
    (
        "history is our marker",
        "or bool(_MARKER.match(line.lstrip()[:MAX_SEEN]))",
        "or False",
        f"{CONDITIONS}test_below_a_quote_our_marker_is_history_too",
    ),
    (
        "our marker ends the author's words",
        "    if _MARKER.match(line):",
        "    if False:",
        f"{CONDITIONS}test_our_marker_ends_the_authors_words",
    ),
    (
        "a mark of a quote ends the author's words",
        'elif line.startswith(">") and not',
        "elif False and not",
        HISTORY,
    ),
    (
        "the end of an address is no quote",
        "and not _closes_address(lines, at, begin):",
        "and True:",
        "test_an_attribution_ends_the_authors_words",
    ),
    ("a line drawn ends the author's words", "elif is_drawn(line):", "elif False:", DRAWN),
    (
        "a signature ends the author's words",
        "elif starts_signature(lines, at, begin):",
        "elif False:",
        "test_what_a_client_signs_with_is_not_the_authors",
    ),
    (
        "the header of a mail ends the author's words",
        "elif starts_history(lines, at, begin):",
        "elif False:",
        DRAWN,
    ),
    (
        "an attribution ends the author's words",
        'return None if start is None else Boundary("attribution", start, at)',
        "return None",
        "test_an_attribution_ends_the_authors_words",
    ),
)

LATER = f"{CONDITIONS}test_a_later_line_can_hold_an_approval_back"
SECOND = f"{REPLY}test_what_is_taken_back_in_the_lines_below_does_not_approve"
SECOND_COMMENT = f"{REPLY}test_an_ordinary_comment_below_stays_one"

SECOND_THOUGHTS = rows(
    "flexmail/mail/second_thoughts.py",
    "tests/mail/test_conditions.py",
    (
        "no word that rejects stands alone below",
        "if any(_parts(line) in alone for line in lines):",
        "if False:",
        LATER,
    ),
    (
        "no line below rejects",
        "if _rejects(first, then, words) or _says",
        "if False or _says",
        LATER,
    ),
    (
        "no line below says that something be rejected",
        "or _says_rejected(sentence, words):",
        "or False:",
        SECOND,
    ),
    (
        "no line below negates the approval",
        "if negates(sentence) and says_any(sentence, words.approve - ALONE):",
        "if False and says_any(sentence, words.approve - ALONE):",
        TAKEN_BACK,
    ),
    (
        "a negation of something else is comment",
        "and says_any(sentence, words.approve - ALONE):",
        "and True:",
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "an approval said again is comment",
        "if negates(sentence) and says_any",
        "if True and says_any",
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "no line below says to wait",
        "if first in _HOLDS or",
        "if False or",
        LATER,
    ),
    (
        "no line below begins by holding back",
        "or _HOLDING.match(first) or",
        "or False or",
        SECOND,
    ),
    (
        "no line below recants",
        "or _RECANTS.search(sentence):",
        "or False:",
        SECOND,
    ),
    (
        "only the first line below is read as strictly",
        "if is_first and (doubt",
        "if True and (doubt",
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "the first line below leaves no doubt",
        "(doubt := _doubt(sentence, parts, words)):",
        '(doubt := ""):',
        SECOND,
    ),
    ("the first sentence below asks nothing", "if asks(sentence):", "if False:", TAKEN_BACK),
    (
        "the first sentence below holds no word that rejects",
        "if says_any(sentence, (words.reject - ALONE) | _REFUSALS) or",
        "if False or",
        SECOND,
    ),
    ("the first sentence below says no no", "or _says_no(parts):", "or False:", SECOND),
    (
        "the first sentence below begins with no condition",
        "if _leads_away(sentence) or any",
        "if False or any",
        TAKEN_BACK,
    ),
    (
        "no part of the first line below holds back",
        "or any(map(_HOLDING.match, parts)):",
        "or False:",
        SECOND,
    ),
    (
        '"no objections" is no no',
        'first.startswith("no ") and not _HARMLESS.match(first):',
        'first.startswith("no "):',
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "a harmless negation is comment",
        "if not tokens or _HARMLESS.match(start):",
        "if not tokens:",
        SECOND_COMMENT,
    ),
)
