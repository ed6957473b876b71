"""The conditions of a mail that decides: by a person, with the one reference given to them."""

from __future__ import annotations

from tests.mutation.mutant import rows

EACH = "test_each_mail_ends_as_its_outcome_with_the_right_answer"
DISAGREE = "test_references_that_disagree_decide_nothing"
CONDITIONS = "tests/services/test_conditions.py::"
UNDO = "tests/services/test_undo.py::"

RECEIVING = rows(
    "flexmail/services/receiving.py",
    "tests/services/test_receiving.py",
    ("it is not our own mail", "if parsed.own_mark:", "if False:", EACH),
    ("it is no bounce", "if parsed.bounce:", "if False:", EACH),
    ("no program wrote it", "if parsed.automatic:", "if False:", EACH),
    (
        "headers and parts can be read",
        "if parsed.problem:",
        "if False:",
        f"{CONDITIONS}test_a_mail_that_cannot_be_read_is_malformed_whoever_wrote_it",
    ),
    (
        "From names one author",
        "if parsed.author is None:",
        "if False:",
        "",
        "a mail without an author has a problem, which the condition above refuses",
    ),
    (
        "its text lies in what was fetched",
        "if parsed.text_missing or",
        "if False or",
        "test_a_mail_whose_text_lies_beyond_what_was_fetched_is_too_large",
    ),
    (
        "no text lies behind what was fetched",
        "or mail.text_behind:",
        "or False:",
        "tests/services/test_large_mail.py::"
        "test_what_is_said_below_a_large_picture_is_not_passed_over",
    ),
    ("it was not processed before", "if row.sha256 in bound.seen:", "if False:", EACH),
    (
        "there is one reference",
        "if reference is None:",
        "every = bindings.select(bindings._REFERENCES.reference_digest)\n"
        "    digests = set(bindings.db.session.scalars(every))\n"
        "    others = bindings.look_up(digests, [row]).references.values()\n"
        "    if (reference := reference or next(iter(others), None)) is None:",
        EACH,
    ),
    (
        "a machine without a reference is named as one",
        "if parsed.weak_sign:",
        "if False:",
        "tests/services/test_automata.py::test_a_machine_without_a_reference_is_named_as_one",
    ),
    (
        "the sender is who the reference was made for",
        "theirs = author is not None and author.addr_spec == normalise(person.email)",
        "theirs = author is not None",
        EACH,
    ),
    (
        "a weak sign of a machine counts where nothing is decided",
        "if sign and not",
        "if False and not",
        "tests/services/test_automata.py::"
        "test_an_answer_of_the_absent_without_any_header_is_not_answered",
    ),
    (
        "a decision of the approver outweighs a weak sign",
        "and not (theirs and reading.verdict):",
        "and not False:",
        "tests/services/test_automata.py::test_a_person_decides_under_whatever_subject",
    ),
    (
        "From names an author of the bound approver's address",
        "if author is None or not theirs:",
        "if False or not theirs:",
        "",
        "without an author the mail is nobody's, and was refused before it came here",
    ),
    (
        "somebody else's mail decides nothing",
        "if author is None or not theirs:",
        "if author is None or False:",
        EACH,
    ),
    (
        "a mail server vouches where the settings ask for it",
        'if settings.reply_trust == "authenticated_sender":',
        "if False:",
        "test_where_the_settings_ask_the_mail_server_has_to_vouch_for_the_sender",
    ),
    (
        "no mail server has to vouch where the settings do not ask for it",
        'if settings.reply_trust == "authenticated_sender":',
        "if True:",
        EACH,
    ),
    (
        "what the mail server says counts",
        "if not proof.passed:",
        "if False:",
        "test_where_the_settings_ask_the_mail_server_has_to_vouch_for_the_sender",
    ),
    (
        "the server named in the settings is asked",
        "authserv_id=settings.trusted_authserv_id",
        'authserv_id="mx.evil.test"',
        "test_where_the_settings_ask_the_mail_server_has_to_vouch_for_the_sender",
    ),
    (
        "it is asked about the domain of From",
        'from_domain=author.addr_spec.rpartition("@")[2]',
        'from_domain="evil.test"',
        "test_where_the_settings_ask_the_mail_server_has_to_vouch_for_the_sender",
    ),
    (
        "words that decide nothing decide nothing",
        "if reading.verdict is None:",
        "if False:",
        EACH,
    ),
    (
        "authorise has no objection before the words are read",
        "verdict=reading.verdict, now=now)\n    if refusal:",
        "verdict=reading.verdict, now=now)\n    if False:",
        f"{CONDITIONS}test_who_may_not_decide_is_told_so_whatever_the_words",
    ),
    (
        "deciding has no objection",
        'channel="email", now=now, proof=proof\n    )\n    if refusal:',
        'channel="email", now=now, proof=proof\n    )\n    if False:',
        "test_a_required_comment_is_asked_of_a_rejection",
    ),
    (
        "all references were looked at",
        "if max(len(mail.threads), len(mail.references)) >= MAX_FOUND:",
        "if False:",
        f"{CONDITIONS}test_more_references_than_are_read_lead_nowhere",
    ),
    (
        "all references lead to one request",
        "if len(found) != 1 or mail",
        "if not found or mail",
        DISAGREE,
    ),
    (
        "a reference leads somewhere",
        "if len(found) != 1 or mail",
        "if len(found) > 1 or mail",
        EACH,
    ),
    (
        "no reference is a stranger's",
        "or mail.written - {found[0].digest}:",
        "or False:",
        DISAGREE,
    ),
)

SETTLED_ONCE = rows(
    "flexmail/services/concluding.py",
    "tests/services/test_settling.py",
    (
        "no mail gets a second outcome",
        ".rowcount != len(rows):",
        ".rowcount < 0:",
        "test_a_mail_that_somebody_else_settled_meanwhile_is_not_settled_again",
    ),
)

CLOSED_ONCE = rows(
    "flexmail/services/closing.py",
    "tests/services/test_closing.py",
    (
        "a request is closed once",
        ".rowcount != len(rows):",
        ".rowcount < 0:",
        "test_what_was_closed_behind_our_back_is_not_closed_again",
    ),
    (
        "only a pending request is closed",
        '_APPROVALS.c.id == bindparam("number"), _APPROVALS.c.status == "pending"',
        '_APPROVALS.c.id == bindparam("number")',
        "test_what_was_closed_behind_our_back_is_not_closed_again",
    ),
)

BINDINGS = rows(
    "flexmail/services/bindings.py",
    "tests/services/test_conditions.py",
    (
        "a mail is no duplicate of itself",
        '    Reply.id.not_in(bindparam("entries", expanding=True)),\n',
        "",
        f"{UNDO}test_a_mail_is_judged_again_by_todays_accounts_and_decides",
    ),
    (
        "a mail that failed may come again",
        '(("failed", "duplicate"))',
        '(("duplicate",))',
        "test_a_mail_that_failed_may_come_again",
    ),
    (
        "a duplicate makes no duplicate",
        '(("failed", "duplicate"))',
        '(("failed",))',
        f"{UNDO}test_its_own_duplicates_do_not_make_a_mail_a_duplicate",
    ),
    (
        "a mail that was put back may come again",
        "    Reply.restored_at.is_(None),\n",
        "",
        f"{UNDO}test_a_duplicate_that_was_put_back_is_new_too",
    ),
)
