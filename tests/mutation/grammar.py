"""The conditions in the grammar: the line that decides, and where that line may stand."""

from __future__ import annotations

from tests.mutation.mutant import rows

MORE_LINES = "test_an_approval_with_more_lines_below_than_are_read_decides_nothing"
DOUBTFUL = "test_a_line_that_could_be_meant_otherwise_does_not_approve"
NOT_FIRST = "test_a_word_that_is_not_the_first_whole_word_decides_nothing"
UNSEEN = "test_what_is_unseen_or_imitates_letters_decides_nothing"
BESIDE = "test_a_page_beside_the_text_can_only_say_not_to"
CLEAN = "test_a_clean_line_decides"
OPENING = "test_only_a_greeting_or_a_banner_may_stand_above_the_word"
BELOW = "test_below_a_quote_only_a_lone_clear_answer_counts"
GREETED = f"tests/mail/test_reply.py::{OPENING}"
MEANT = "test_what_could_be_meant_is_not_passed_over"
CONDITIONS = "tests/mail/test_conditions.py::"

DECISION = rows(
    "flexmail/mail/decision.py",
    "tests/mail/test_reply.py",
    (
        "the line begins with a word",
        "if found is None or word",
        "if False or word",
        "",
        "where there is no word, there is none that decides: the next condition",
    ),
    (
        "the word is one that decides",
        "or word not in words.approve | words.reject or",
        "or not word or",
        NOT_FIRST,
    ),
    (
        "the word stands at the very beginning",
        "found = _FIRST_WORD.match(line)",
        "found = _FIRST_WORD.search(line)",
        NOT_FIRST,
    ),
    (
        "the word ends where it seems to",
        "or not _ends_word(found):",
        "or False:",
        NOT_FIRST,
    ),
    (
        "nothing on the line is hidden or imitates letters",
        "if _is_deceptive(line):",
        "if False:",
        UNSEEN,
    ),
    (
        "only yes and no have to stand alone",
        'if word in ALONE and ("?" in',
        'if True and ("?" in',
        CLEAN,
    ),
    (
        "yes and no ask nothing",
        'and ("?" in line or rest',
        "and (False or rest",
        f"{CONDITIONS}test_no_with_a_question_mark_does_not_reject",
    ),
    (
        "yes and no stand alone",
        "or rest.strip(_MARKS)):",
        "or False):",
        DOUBTFUL,
    ),
    (
        "a doubtful line does not approve",
        "if doubt := _doubt(_unbroken(lines), words):",
        "if doubt := False and _doubt(_unbroken(lines), words):",
        DOUBTFUL,
    ),
    (
        "the line is read to its end, wherever a client broke it",
        "_doubt(_unbroken(lines), words)",
        "_doubt(lines[0], words)",
        "test_a_line_that_a_client_broke_is_read_to_its_end",
    ),
    (
        "a line that its author ended is not read on",
        "if is_blank(following) or not may_be_wrapped(line, following):",
        "if is_blank(following) or False:",
        f"{CONDITIONS}test_a_line_that_its_author_ended_is_not_read_on",
    ),
    (
        "a blank line ends a broken line",
        "if is_blank(following) or not may",
        "if False or not may",
        f"{CONDITIONS}test_a_line_that_a_client_broke_ends_at_a_blank_line",
    ),
    (
        "a word may be all there is",
        "return not rest or rest[0]",
        "return False or rest[0]",
        CLEAN,
    ),
    (
        "a space ends a word",
        'or rest[0] in " \\t" or marks',
        "or False or marks",
        CLEAN,
    ),
    (
        "some marks end a word without a space",
        'or marks.endswith((",", ":", "!"))',
        "or False",
        CLEAN,
    ),
    (
        "no mark but those ends a word without a space",
        'or marks.endswith((",", ":", "!"))',
        'or marks.endswith((",", ":", "!", ".", "-"))',
        NOT_FIRST,
    ),
    (
        "nothing unseen stands on the line that Unicode calls a letter",
        "char in _UNSEEN or (char",
        "False or (char",
        UNSEEN,
    ),
    (
        "nothing unseen stands on the line that Unicode calls unseen",
        'or (char != "\\t" and unicodedata.category(char) in _UNSEEN_KINDS)',
        "or (False and unicodedata.category(char) in _UNSEEN_KINDS)",
        UNSEEN,
    ),
    (
        "a tab does no harm",
        'or (char != "\\t" and unicodedata',
        "or (True and unicodedata",
        f"{CONDITIONS}test_a_tab_is_a_space",
    ),
    (
        "no word mixes scripts",
        "any(char.isascii() for char in token)\n        and any(",
        "any(char.isascii() for char in token)\n        and False and any(",
        UNSEEN,
    ),
    (
        "a word in another script may stand in a comment",
        "any(char.isascii() for char in token)\n        and",
        "True\n        and",
        f"{CONDITIONS}test_a_word_in_another_script_is_comment",
    ),
    (
        "an approving line asks nothing",
        "return not _QUESTION_MARKS.isdisjoint(text) or",
        "return False or",
        f"{CONDITIONS}test_a_question_mark_of_any_script_is_one",
    ),
    (
        "an approving line asks nothing in any form of the mark",
        'or "?" in plain_letters(text)',
        "or False",
        f"{CONDITIONS}test_a_question_mark_of_any_script_is_one",
    ),
    ("an approving line that asks is in doubt", "if asks(line):", "if False:", DOUBTFUL),
    (
        "an approving line holds no sign that refuses",
        "if not _REFUSING.isdisjoint(line):",
        "if False:",
        DOUBTFUL,
    ),
    (
        "an approving line holds no negation",
        "if negates(plain) or _spells",
        "if False or _spells",
        DOUBTFUL,
    ),
    (
        "an approving line spells out no negation",
        "or _spells(plain, NEGATIONS | words.reject):",
        "or False:",
        DOUBTFUL,
    ),
    (
        "no letter on the line is struck out or in an odd form",
        "if any(_is_struck(char) for char in line if not char.isascii()):",
        "if False:",
        UNSEEN,
    ),
    (
        "a stroke through a letter strikes it out",
        "return unicodedata.combining(char) == 1 or",
        "return False or",
        UNSEEN,
    ),
    (
        "letters in an odd form are not read",
        'or unicodedata.name(char, "").startswith(_ODD_LETTERS)',
        "or False",
        UNSEEN,
    ),
    (
        "a negation is one as a whole word",
        "return token in NEGATIONS or",
        "return False or",
        DOUBTFUL,
    ),
    (
        "a negation is one as an ending",
        'or token.endswith("n\'t")',
        "or False",
        DOUBTFUL,
    ),
    (
        "an apostrophe is one in any form",
        "text = text.translate(_APOSTROPHES)",
        "text = text.translate({})",
        DOUBTFUL,
    ),
    (
        "letters are read in any form",
        'unicodedata.normalize("NFKC", char) for char in text',
        "char for char in text",
        DOUBTFUL,
    ),
    (
        "an approving line holds no word that rejects",
        "if says_any(plain, words.reject):",
        "if False:",
        DOUBTFUL,
    ),
)

WORDS = rows(
    "flexmail/mail/word_list.py",
    "tests/mail/test_reply.py",
    (
        "no word both approves and rejects",
        "if both := self.approve & self.reject:",
        "if both := False and self.approve & self.reject:",
        "test_no_word_both_approves_and_rejects",
    ),
)

READING = rows(
    "flexmail/mail/reply.py",
    "tests/mail/test_reply.py",
    (
        "there is text",
        "if not texts:",
        "if not (texts := texts or [take_apart('', sent)]):",
        "test_mail_without_text_decides_nothing",
    ),
    (
        "plain and HTML say the same",
        "if first.verdict != last.verdict:",
        "if False:",
        "test_parts_that_read_differently_decide_nothing",
    ),
    (
        "no part beside the text speaks against it",
        "if any(_speaks_against(page, first.verdict, words, sent) for page in parsed.beside):",
        "if False:",
        BESIDE,
    ),
    (
        "a part beside the text does not decide otherwise",
        "if _read_text(text, words).verdict not in {None, verdict}:",
        "if False:",
        BESIDE,
    ),
    (
        "only an approval is doubted for a part beside the text",
        'return verdict == "approve" and (doubt',
        "return True and (doubt",
        BESIDE,
    ),
    (
        "a part beside an approval holds no negation and no word that rejects",
        "and (doubt or goes_on(page)",
        "and (False or goes_on(page)",
        BESIDE,
    ),
    (
        "a part beside an approval was read to its end",
        "or goes_on(page) or bool",
        "or False or bool",
        f"{CONDITIONS}test_html_that_goes_on_beyond_what_is_read_does_not_approve",
    ),
    (
        "a part beside an approval does not take it back",
        "or bool(taken_back(lines, words)))",
        "or False)",
        BESIDE,
    ),
    (
        "only an approval needs its HTML read to the end",
        'if first.verdict == "approve" and parsed.html and',
        "if True and parsed.html and",
        f"{CONDITIONS}test_html_that_goes_on_beyond_what_is_read_does_not_approve",
    ),
    (
        "only HTML that is there can go on",
        "and parsed.html and goes_on(",
        "and True and goes_on(",
        CLEAN,
    ),
    (
        "an approval's HTML was read to its end",
        "and goes_on(parsed.html):",
        "and False:",
        f"{CONDITIONS}test_html_that_goes_on_beyond_what_is_read_does_not_approve",
    ),
    (
        "only an approval is doubted for the line above its quote",
        'if reading.verdict == "approve" and own.under_quote',
        "if True and own.under_quote",
        f"{CONDITIONS}test_what_introduces_a_quote_above_an_approval_does_not_deny_it",
    ),
    (
        "only below a quote the line above it may be the author's",
        "and own.under_quote and _is_doubted",
        "and True and _is_doubted",
        f"{CONDITIONS}test_what_introduces_a_quote_above_an_approval_does_not_deny_it",
    ),
    (
        "the line above a quote does not deny the approval below it",
        "and _is_doubted(own, text.marked, words):",
        "and False:",
        f"{CONDITIONS}test_what_introduces_a_quote_above_an_approval_does_not_deny_it",
    ),
    (
        "without a quote nothing introduces it",
        "if own.boundary is None or own.boundary.kind",
        "if False or own.boundary.kind",
        "",
        "below a quote there is one",
    ),
    (
        "what introduces a quote is an attribution",
        'or own.boundary.kind != "attribution":',
        "or False:",
        f"{CONDITIONS}test_what_introduces_a_quote_above_an_approval_does_not_deny_it",
    ),
    (
        "what introduces a quote does not take the approval back",
        "return bool(taken_back([heading], words)) or",
        "return False or",
        f"{CONDITIONS}test_what_introduces_a_quote_above_an_approval_does_not_deny_it",
    ),
    (
        "what introduces a quote negates nothing",
        "or negates(plain_letters(heading))",
        "or False",
        f"{CONDITIONS}test_what_introduces_a_quote_above_an_approval_does_not_deny_it",
    ),
    (
        "what shows is read, not what is hidden",
        "visible_text(parsed.html) if parsed.html else",
        "parsed.html if parsed.html else",
        "test_parts_that_read_differently_decide_nothing",
    ),
    (
        "something was written above the quoted mail",
        "if at == len(lines):",
        "if not (lines := lines or ['Approve']):",
        "test_history_is_never_the_authors_and_ends_the_comment",
    ),
    (
        "an opening is passed over only where no deciding word stands first",
        "if not decision.has_word and (below",
        "if True and (below",
        "",
        "no greeting and no banner begins with a word that decides",
    ),
    (
        "only what opens a mail is passed over",
        "(below := below_opening(lines, at, words)) < len(lines):",
        "(below := next_written(lines, at + 1)) < len(lines):",
        OPENING,
    ),
    (
        "a line that decides nothing decides nothing",
        "if decision.verdict is None:",
        "if False:",
        f"{CONDITIONS}test_an_undecided_line_says_why",
    ),
    (
        "below a quote the word is set off",
        "must_be_set_off = under_quote",
        "must_be_set_off = False",
        BELOW,
    ),
    (
        "below a greeting the word is set off",
        "at, must_be_set_off = below, True",
        "at, must_be_set_off = below, False",
        "test_below_a_greeting_the_word_stands_alone_or_before_a_mark",
    ),
    (
        "a word that must be set off is",
        "if must_be_set_off and not decision.set_off:",
        "if must_be_set_off and False:",
        BELOW,
    ),
    (
        "only below something the word has to be set off",
        "if must_be_set_off and not",
        "if True and not",
        CLEAN,
    ),
    (
        "an approval with lines below that are not read decides nothing",
        "and is_whole and len(lines) >= MAX_LINES:",
        "and is_whole and False:",
        MORE_LINES,
    ),
    (
        "lines of history need not be read",
        "and is_whole and len",
        "and True and len",
        "",
        "the author's own lines reach the cap only where nothing ends them",
    ),
    (
        "only lines that nothing ends may go on",
        "is_whole=own.boundary is None)",
        "is_whole=False)",
        MORE_LINES,
    ),
    (
        "a rejection with lines below that are not read stands",
        'if decision.verdict == "approve" and is_whole',
        "if True and is_whole",
        MORE_LINES,
    ),
    (
        "an approval is not taken back below",
        "and (doubt := taken_back(lines[at + 1 :], words)):",
        "and (doubt := ''):",
        "test_further_lines_are_comment_up_to_the_signature",
    ),
    (
        "a rejection stands whatever is below",
        'if decision.verdict == "approve" and (doubt',
        "if True and (doubt",
        f"{CONDITIONS}test_a_rejection_stands_whatever_is_below",
    ),
)

OPENINGS = rows(
    "flexmail/mail/openings.py",
    "tests/mail/test_openings.py",
    (
        "a greeting holds no word that decides",
        "and not says_any(lines[begin], said):",
        "and True:",
        GREETED,
    ),
    (
        "a greeting holds no negation",
        "said = words.approve | words.reject | NEGATIONS",
        "said = words.approve | words.reject",
        GREETED,
    ),
    (
        "a banner begins as banners do",
        "if not _plain(lines[at]).lstrip(_BEFORE).startswith(BANNER_STARTS):",
        "if False:",
        f"{CONDITIONS}test_a_banner_is_known_by_how_it_starts_and_what_it_says",
    ),
    (
        "a banner is short",
        "last = min(len(lines), at + 1 + _MAX_BANNER_LINES)",
        "last = len(lines)",
        f"{CONDITIONS}test_a_banner_is_known_by_how_it_starts_and_what_it_says",
    ),
    (
        "a banner says what banners say",
        "is_banner = any(phrase in text for phrase in BANNER_PHRASES)",
        "is_banner = True",
        MEANT,
    ),
    (
        "a banner holds no word that decides",
        "and not says_any(text, deciding - ALONE)",
        "and True",
        MEANT,
    ),
    (
        "a banner has an end",
        "if end == len(lines):",
        "if False:",
        "",
        "without an end nothing is left that could decide",
    ),
    (
        "a banner that no blank line ends is a whole sentence",
        "if not lines[at - 1].endswith(_SENTENCE_ENDS):",
        "if False:",
        "test_a_banner_ends_at_a_blank_line_or_above_a_word_that_stands_alone",
    ),
    (
        "right below a banner the word stands alone",
        "and not decision.comment",
        "and True",
        "test_a_banner_ends_at_a_blank_line_or_above_a_word_that_stands_alone",
    ),
    (
        "right below a banner stands a word that decides",
        "return decision.set_off and",
        "return True and",
        "test_a_banner_ends_at_a_blank_line_or_above_a_word_that_stands_alone",
    ),
    (
        "a greeting begins as greetings do",
        "if hello is None or len",
        "if (hello := hello or said) is None or len",
        MEANT,
    ),
    (
        "a greeting is short",
        "or len(said) > _MAX_GREETING:",
        "or False:",
        f"{CONDITIONS}test_a_greeting_is_short",
    ),
    (
        "a greeting greets few",
        "return len(names) <= _MAX_NAMES and",
        "return True and",
        f"{CONDITIONS}test_a_greeting_is_short",
    ),
    (
        "a greeting greets people",
        'all(_is_name(name.rstrip(",")) for name in names)',
        "True",
        MEANT,
    ),
)
