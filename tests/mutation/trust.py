"""The conditions of a decision: `approvals.authorise`, and whom a request is for."""

from __future__ import annotations

from tests.mutation.mutant import rows

AUTHORISE = rows(
    "flexmail/services/approvals.py",
    "tests/services/test_approvals.py",
    (
        "the account is active",
        "if not person.active or not case",
        "if False or not case",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "the account is an approver of this approval",
        "or not case.is_for(person):",
        "or False:",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "it was not approved already",
        'in ("approved", "rejected"):',
        'in ("rejected",):',
        "test_the_first_decision_ends_it",
    ),
    (
        "it was not rejected already",
        'if case.status in ("approved", "rejected"):',
        'if case.status in ("approved",):',
        "tests/services/test_conditions.py::test_what_one_person_decided_another_cannot",
    ),
    (
        "it was not cancelled",
        'if case.status == "cancelled":',
        "if False:",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "no job said that it expired",
        'if case.status == "expired" or',
        "if False or",
        "tests/services/test_conditions.py::test_an_expired_request_stays_expired_whatever_the_clock_says",
    ),
    (
        "its time is not over",
        'or case.expires_at <= now:\n        return Refusal("expired"',
        'or False:\n        return Refusal("expired"',
        "test_a_request_is_over_at_its_very_moment_even_before_a_job_says_so",
    ),
    (
        "its time is over at its very moment",
        'or case.expires_at <= now:\n        return Refusal("expired"',
        'or case.expires_at < now:\n        return Refusal("expired"',
        "test_a_request_is_over_at_its_very_moment_even_before_a_job_says_so",
    ),
    (
        "this person has not decided before",
        "if person.id in case.decided_by:",
        "if False:",
        "tests/services/test_conditions.py::test_a_person_decides_a_request_once",
    ),
    (
        "reject_only is about mail",
        'if channel == "email" and case',
        "if True and case",
        "test_reject_only_keeps_mail_from_approving",
    ),
    (
        "reject_only keeps mail from approving",
        'and case.mail_decision == "reject_only" and',
        "and False and",
        "test_reject_only_keeps_mail_from_approving",
    ),
    (
        "reject_only is about those requests only",
        'and case.mail_decision == "reject_only" and',
        "and True and",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "reject_only lets mail reject",
        'and verdict == "approve":\n        return Refusal(\n            "mail_not_allowed"',
        'and True:\n        return Refusal(\n            "mail_not_allowed"',
        "test_reject_only_keeps_mail_from_approving",
    ),
    (
        "deciding asks authorise",
        "refusal = authorise(case, person, channel=channel, verdict=verdict, now=now)\n"
        "    if refusal:",
        "refusal = authorise(case, person, channel=channel, verdict=verdict, now=now)\n"
        "    if False:",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "a required comment is asked where the request wants it",
        "if case.comment_required and",
        "if True and",
        "tests/services/test_conditions.py::test_a_comment_is_asked_only_where_it_is_required",
    ),
    (
        "a required comment is asked of a rejection only",
        'and verdict == "reject" and not',
        "and True and not",
        "tests/services/test_receiving.py::test_a_required_comment_is_asked_of_a_rejection",
    ),
    (
        "a required comment is not missing",
        "and not comment.strip():",
        "and False:",
        "test_a_rejection_without_the_required_comment_decides_nothing",
    ),
    (
        "a required comment is more than blanks",
        "and not comment.strip():",
        "and not comment:",
        "tests/services/test_conditions.py::test_blanks_are_no_comment",
    ),
    (
        "the page is judged by what is stored now",
        "held, people = cases.hold([approval_id], [user_id])",
        "held, people = {approval_id: Case.of(approval)}, {user_id: Person.of(user)}",
        "",
        "on SQLite each write transaction begins afresh under the lock; PostgreSQL locks the row",
    ),
    (
        "the page shows a request to those it is addressed to",
        "approval = get(approval_id, viewer=user)",
        "approval = get(approval_id)",
        "test_who_was_not_asked_is_told_that_there_is_no_such_request",
    ),
    (
        "the first decision closes the request",
        "    _close(case, STATUS_OF[verdict], now)  # rule",
        "    # rule",
        "test_the_first_decision_ends_it",
    ),
    (
        "what is final is not cancelled",
        'if approval.status != "pending":',
        "if False:",
        "test_the_first_decision_ends_it",
    ),
    (
        "what is final does not expire",
        'overdue = (Approval.status == "pending", Approval',
        "overdue = (Approval",
        "test_the_first_decision_ends_it",
    ),
)

CASES = rows(
    "flexmail/services/cases.py",
    "tests/services/test_approvals.py",
    (
        "a name is this account's",
        "person.id in self.users or",
        "bool(self.users) or",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "whoever is named is an approver",
        "person.id in self.users or",
        "False or",
        "test_one_condition_that_fails_refuses_mail_and_page",
    ),
    (
        "a group is one of this account's",
        "not self.groups.isdisjoint(person.groups)",
        "bool(self.groups)",
        "test_membership_counts_at_the_moment_of_deciding",
    ),
    (
        "whoever is in the group is an approver",
        "not self.groups.isdisjoint(person.groups)",
        "False",
        "test_membership_counts_at_the_moment_of_deciding",
    ),
    (
        "what a person decided before counts",
        "frozenset(user_id for (user_id,) in decided_by[row.id])",
        "frozenset()",
        "tests/services/test_conditions.py::test_a_person_decides_a_request_once",
    ),
    (
        "people are judged by what is stored now",
        "_USERS.id).with_for_update(key_share=True)",
        "_USERS.id)",
        "",
        "on SQLite each write transaction begins afresh under the lock; PostgreSQL locks the rows",
    ),
    (
        "requests are judged by what is stored now",
        "_APPROVALS.id).with_for_update(key_share=True)",
        "_APPROVALS.id)",
        "",
        "on SQLite each write transaction begins afresh under the lock; PostgreSQL locks the rows",
    ),
)
