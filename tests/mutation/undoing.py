"""What keeps a mail that is undone from deciding twice, or by another door than all others."""

from __future__ import annotations

from tests.mutation.mutant import rows

PUT_BACK_ONCE = "test_a_mail_put_back_twice_at_once_is_put_back_once"
MEANWHILE = "test_what_changed_while_the_mail_was_read_ends_it"
WHILE_PUT_BACK = "test_a_database_that_another_claims_meanwhile_is_left_alone"

UNDO = rows(
    "flexmail/services/undo.py",
    "tests/services/test_undo.py",
    (
        "without a copy there is nothing to go by",
        "    if not raw:\n        return Means(trouble, trouble)\n",
        "",
        "test_without_a_copy_nothing_can_be_undone",
    ),
    (
        "the database is this installation's",
        "reason = installation.objection()",
        'reason = ""',
        "test_a_database_of_another_flexmail_is_left_alone",
    ),
    (
        "no run reads the folder while a mail is put back",
        "if fence is None:",
        "if False:",
        "test_while_a_run_reads_the_folder_nothing_is_put_back",
    ),
    (
        "what cannot be put back is refused",
        "_refuse(means(reply).restore)",
        "pass",
        "test_a_mail_goes_back_only_to_the_folder_that_replies_are_read_from",
    ),
    (
        "a mail that the server kept is not put beside itself",
        '_refuse(_THERE if is_there(folder, uidvalidity, uid, raw) else "")',
        "pass",
        "test_a_mail_that_the_server_kept_is_not_put_back_beside_itself",
    ),
    (
        "the lease held until the return is noted",
        "leases.check(LEASE, fence, now=moment)",
        "pass",
        "test_a_lease_that_was_lost_meanwhile_is_said_and_the_mail_can_be_put_back_again",
    ),
    (
        "the database is ours until the return is noted",
        "                installation.stand_firm()  # in the order",
        "                # in the order",
        WHILE_PUT_BACK,
    ),
    (
        "all mails of the same bytes are noted",
        "same = (Reply.sha256 == digest,",
        "same = (Reply.id == reply_id,",
        "test_a_duplicate_that_was_put_back_is_new_too",
    ),
    (
        "what cannot be processed again is refused before it is read",
        "_refuse(means(reply).reprocess)",
        "pass",
        "test_without_a_copy_nothing_can_be_undone",
    ),
    ("the settings are those that it was read by", "if not stays or", "if False or", MEANWHILE),
    (
        "the mail is the one that was looked at",
        "or before != (row.outcome, row.processed_at):",
        "or False:",
        MEANWHILE,
    ),
    (
        "the database is ours when it is judged again",
        "_refuse(installation.objection(lock=True) or",
        '_refuse("" or',
        MEANWHILE,
    ),
    (
        "it can be processed again when it is judged",
        "or _not_reprocessed(row))",
        'or "")',
        MEANWHILE,
    ),
    (
        "a mail is put back once",
        "return _put_back(reply.restored_at) if reply.restored_at else _elsewhere(reply)",
        "return _elsewhere(reply)",
        PUT_BACK_ONCE,
    ),
    (
        "a mail goes back to where it came from",
        "return _put_back(reply.restored_at) if reply.restored_at else _elsewhere(reply)",
        'return _put_back(reply.restored_at) if reply.restored_at else ""',
        "test_a_mail_goes_back_only_to_the_folder_that_replies_are_read_from",
    ),
    (
        "what decided is not judged again",
        "if reply.outcome in _DECIDED:",
        "if False:",
        "test_a_mail_that_decided_is_not_judged_again",
    ),
    (
        "what was put back is not judged from its copy as well",
        "if reply.restored_at:",
        "if False:",
        "test_a_mail_that_was_put_back_is_processed_from_the_folder_alone",
    ),
    (
        "approval is on",
        "if not row.enable_email_approval:",
        "if False:",
        "test_with_approval_off_no_kept_mail_decides",
    ),
    (
        "the canary has passed",
        "if not trusted.lets_decide:",
        "if False:",
        "test_before_the_canary_has_passed_no_kept_mail_decides",
    ),
    (
        "the canary came the way that the mail came",
        'return _elsewhere(reply) if trust.is_needed(row) else ""',
        'return ""',
        "test_the_canary_of_one_mailbox_says_nothing_about_mail_from_another",
    ),
    (
        "the account is the one that replies are read from",
        "if (reply.account, reply.folder) == (name, folder):",
        "if reply.folder == folder:",
        "test_a_mail_goes_back_only_to_the_folder_that_replies_are_read_from",
    ),
    (
        "the folder is the one that replies are read from",
        "if (reply.account, reply.folder) == (name, folder):",
        "if reply.account == name:",
        "test_a_mail_goes_back_only_to_the_folder_that_replies_are_read_from",
    ),
    (
        "there is a folder to put it into",
        "        return str(error)\n    name",
        '        return ""\n    name',
        "test_without_a_server_to_put_it_into_the_reason_is_said",
    ),
    (
        "text behind a kept part may say otherwise",
        "return replace(mail, text_behind=behind)",
        "return mail",
        "tests/services/test_large_mail.py::"
        "test_what_is_said_below_a_large_picture_is_not_passed_over",
    ),
    (
        "a part of a mail is read as one",
        "understand(raw, partial=partial,",
        "understand(raw, partial=False,",
        "test_of_a_kept_part_only_what_is_whole_decides",
    ),
    (
        "what breaks its reader again changes nothing",
        'raise Conflict(f"Nothing was changed: {error}") from error',
        "raise ValueError from error",
        "test_a_mail_that_breaks_its_reader_again_stays_as_it_is",
    ),
)
