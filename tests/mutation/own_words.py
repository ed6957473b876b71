"""The conditions by which only the author's own words decide, and all of them count."""

from __future__ import annotations

from tests.mutation.mutant import rows

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
        "",
        "without it nothing is left that could decide",
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

SECOND_THOUGHTS = rows(
    "flexmail/mail/second_thoughts.py",
    "tests/mail/test_conditions.py",
    (
        "no word that rejects stands alone below",
        "if any(_parts(line) in alone for line in lines):",
        "if False:",
        TAKEN_BACK,
    ),
    ("no line below rejects", "if _rejects(first, then, words):", "if False:", TAKEN_BACK),
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
        "if first in _HOLDS or (number",
        "if False or (number",
        TAKEN_BACK,
    ),
    (
        "only the line right below sets a condition",
        "or (number == 0 and first.partition",
        "or (True and first.partition",
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "the line right below sets no condition",
        'and first.partition(" ")[0] in _CONDITIONS):',
        "and False):",
        TAKEN_BACK,
    ),
    (
        "only the line right below asks about the approval",
        'if number == 0 and not first and "?" in sentence:',
        'if True and not first and "?" in sentence:',
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "a question in words is comment",
        'if number == 0 and not first and "?" in sentence:',
        'if number == 0 and True and "?" in sentence:',
        f"{CONDITIONS}test_a_comment_may_hold_any_word",
    ),
    (
        "the line right below is no question mark",
        'and "?" in sentence:',
        "and False:",
        TAKEN_BACK,
    ),
)
