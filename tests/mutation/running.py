"""What each commit of a run stands on: the database, the lease, the settings, whose mail it is."""

from __future__ import annotations

from tests.mutation.mutant import rows

LATE = "tests/services/test_taking.py::test_an_owner_that_wakes_up_late_commits_and_deletes_nothing"

STANDS_FIRM = rows(
    "flexmail/services/reply_run.py",
    "tests/services/test_canary.py",
    (
        "the database is this installation's",
        "    installation.stand_firm()\n",
        "",
        "tests/services/test_installation.py::"
        "test_a_run_that_lost_the_database_commits_nothing_more",
    ),
    (
        "the lease is this run's",
        "    leases.check(LEASE, run.fence, now=run.clock())\n",
        "",
        LATE,
    ),
    (
        "the settings are those that the run goes by",
        "if in_force.revision() != run.settings.revision:",
        "if False:",
        "test_a_run_that_goes_by_old_settings_or_lost_its_lease_sends_none",
    ),
    (
        "what is known of a mail is known of one folder's numbers",
        'for key in ("account", "folder", "uidvalidity")',
        'for key in ("account", "folder")',
        "tests/services/test_taking.py::test_a_changed_uidvalidity_decides_nothing_twice",
    ),
)

TRIES = rows(
    "flexmail/services/tries.py",
    "tests/services/test_canary.py",
    (
        "the mail server has shown that it can be trusted",
        "if trust.is_needed(run.settings) and not trust.of(settings.load()).lets_decide:",
        "if False:",
        "test_trust_that_is_asked_for_again_under_a_run_ends_it_undecided",
    ),
    (
        "a partial copy that was put back is judged as partial",
        "if digests[mail.uid] in torn else mail",
        "if False else mail",
        "tests/services/test_undo.py::"
        "test_a_partial_copy_that_was_put_back_is_judged_as_partial_still",
    ),
    (
        "so it is at every try",
        "Reply.restored_at.is_not(None) | Reply.outcome.is_(None)",
        "Reply.restored_at.is_not(None)",
        "tests/services/test_undo.py::"
        "test_a_partial_copy_under_its_old_uid_is_partial_at_a_second_try_too",
    ),
)

CANARY = rows(
    "flexmail/services/canary.py",
    "tests/services/test_canary.py",
    (
        "until the canary has passed replies wait",
        "    if not trust.is_needed(run.settings):\n",
        "    if True:\n",
        "test_until_it_has_passed_no_reply_is_read",
    ),
)

LEASES = rows(
    "flexmail/services/leases.py",
    "tests/services/test_leases.py",
    (
        "the number is the present owner's",
        "lease.fence != fence or lease.expires_at <= now",
        "lease.expires_at <= now",
        "test_an_owner_that_wakes_up_late_is_stopped_in_its_commit",
    ),
    (
        "the lease still runs",
        "lease.fence != fence or lease.expires_at <= now",
        "lease.fence != fence",
        "tests/services/test_firm_ground.py::"
        "test_a_lease_that_ran_out_commits_nothing_even_when_nobody_took_it",
    ),
    (
        "a new owner gets a new number",
        "            fence += 1\n",
        "            pass\n",
        "test_an_owner_that_lost_it_and_took_it_again_has_a_new_number",
    ),
    (
        "nobody takes a lease that somebody holds",
        "if lease.owner and now < lease.expires_at <= now + timedelta(seconds=2 * seconds):",
        "if False:",
        "test_another_gets_it_when_it_ran_out_and_not_before",
    ),
    (
        "only the owner gives a lease up",
        '_GIVE_UP = _TAKE.where(_LEASES.c.owner == bindparam("by"))',
        '_GIVE_UP = _TAKE.where(bindparam("by") != "")',
        "test_only_the_owner_can_give_it_up",
    ),
)

MEMORY = rows(
    "flexmail/services/folder_memory.py",
    "tests/services/test_first_run.py",
    (
        "what an admin confirmed while a run went on is not held again",
        "_HELD = _FOLDERS.c.held_below_uid.is_not(None)",
        "_HELD = _FOLDERS.c.id.is_not(None)",
        "test_what_is_confirmed_while_a_run_goes_on_is_not_held_again",
    ),
)

ANSWERS = rows(
    "flexmail/transport/responses.py",
    "tests/transport/test_responses.py",
    (
        "plain words are all there is of an answer",
        'rest != [b")"] * len(literal) or ',
        "",
        "test_an_answer_that_is_none_is_not_guessed_at",
    ),
    (
        "what is read is the mail that was asked for",
        ' or (found["body"] is None) is bool(literal)',
        "",
        "test_an_answer_that_is_none_is_not_guessed_at",
    ),
)
