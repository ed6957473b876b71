"""The table: every condition that keeps a wrong approval out, and the test that guards it."""

from __future__ import annotations

from tests.mutation import (
    grammar,
    own_words,
    receiving,
    running,
    sender,
    server,
    sooner,
    trust,
    undoing,
)
from tests.mutation.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *trust.AUTHORISE,
    *trust.CASES,
    *receiving.RECEIVING,
    *receiving.BINDINGS,
    *receiving.SETTLED_ONCE,
    *receiving.CLOSED_ONCE,
    *sender.ADDRESS,
    *sender.ADDR_SPEC,
    *sender.REFERENCE,
    *sender.PARSE,
    *sender.BOUNDED,
    *sender.PART,
    *sooner.ORDERLY,
    *sooner.SIMPLE_PAGE,
    *sooner.PIECES,
    *sooner.OURS,
    *sooner.PAGE,
    *sooner.SENT,
    *server.AUTHENTICATE,
    *server.GRAMMAR_OF_RESULTS,
    *grammar.DECISION,
    *grammar.WORDS,
    *grammar.READING,
    *grammar.OPENINGS,
    *own_words.QUOTE,
    *own_words.SECOND_THOUGHTS,
    *undoing.UNDO,
    *running.STANDS_FIRM,
    *running.TRIES,
    *running.CANARY,
    *running.LEASES,
    *running.MEMORY,
    *running.ANSWERS,
)

# Functions in which each condition of a refusal has to have an entry.
GUARDED: dict[str, tuple[str, ...]] = {
    "flexmail/services/approvals.py": ("authorise", "decide", "cancel"),
    "flexmail/services/cases.py": ("is_for",),
    "flexmail/services/receiving.py": ("_judge", "_judge_bound", "_reference_of"),
    "flexmail/services/closing.py": ("_store_closed",),
    "flexmail/mail/address.py": ("sole_author", "_split", "_phrase", "_mailbox", "normalise"),
    "flexmail/mail/authenticate.py": ("authenticate", "_results_of", "_judge", "_speaks_for"),
    "flexmail/mail/auth_results.py": ("read", "_read_result", "_without_comments"),
    "flexmail/mail/decision.py": (
        "decide",
        "_ends_word",
        "_is_deceptive",
        "_is_struck",
        "_doubt",
        "is_negation",
        "asks",
    ),
    "flexmail/mail/reply.py": (
        "read",
        "_read_text",
        "_agreed",
        "_read_own",
        "_speaks_against",
        "_is_doubted",
    ),
    "flexmail/mail/openings.py": ("_after_banner", "_ends_banner", "_is_greeting"),
    "flexmail/mail/quote.py": ("own_lines", "_below_quote", "_is_history"),
    "flexmail/mail/second_thoughts.py": ("taken_back", "_doubt"),
    "flexmail/services/undo.py": ("restore", "reprocess", "_not_reprocessed"),
}
