"""Settings: what a save stores, and that a stored password goes nowhere it was not typed for."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from flexmail import create_app
from flexmail.crypto import KeyRing
from flexmail.db import db
from flexmail.demo.mailserver import MailServer
from flexmail.errors import Conflict, InvalidInput, SecretUnreadable
from flexmail.models import EmailSettings
from flexmail.services import approvals, delivery, inbox, settings, tokens
from tests.conftest import NOW
from tests.services.stage import (
    APPROVALS,
    BASICS,
    BOB,
    SECRET,
    ask,
    connect,
    fill_in,
    opened,
    queued,
    read,
    reply,
    set_up,
    together,
)

SMTP, IMAP = "smtp-secret-0815", "imap-secret-4711"
USERS = {"smtp_user": "deploy", "imap_user": "replies"}
CHANGES: dict[str, object] = {
    "host_name": "other.corp.test",
    "host_port": 4711,
    "user": "somebody",
    "enable_starttls": False,
    "implicit_tls": True,
}


def with_both_passwords() -> None:
    set_up(**USERS, smtp_password=SMTP, imap_password=IMAP)


def with_an_inherited_password() -> None:
    set_up(**USERS, smtp_password=SMTP)


def secrets() -> tuple[str, str]:
    """Return the passwords as the mail servers would get them."""
    row = settings.load()
    return settings.smtp_account(row).password, settings.imap_account(row).password


def status() -> tuple[str, str]:
    shown = settings.secret_status(settings.load())
    return shown["smtp_password"], shown["imap_password"]


def test_before_the_first_save_there_are_defaults_and_no_row(context: Flask) -> None:
    row = settings.load()
    assert (row.revision, row.smtp_host_port, row.enable_email_approval) == (0, 587, False)
    assert db.session.get(EmailSettings, 1) is None
    assert status() == ("not set", "not set")
    with pytest.raises(Conflict):
        settings.smtp_account(row)
    with pytest.raises(Conflict):
        settings.imap_account(row)


def test_a_save_stores_what_was_typed_and_raises_the_revision(context: Flask) -> None:
    set_up(smtp_user="deploy", imap_user="", approval_reply_address="")
    set_up(smtp_user="deploy", keep_processed_days=7)
    row = settings.load()
    assert row.revision == 2
    assert (row.smtp_user, row.imap_user, row.keep_processed_days) == ("deploy", "", 7)


def test_saves_at_the_same_time_all_count(context: Flask) -> None:
    set_up()
    values = fill_in()
    results = together(context, *[lambda: settings.save(values)] * 4)
    assert results == [[]] * 4
    assert settings.load().revision == 5


def test_a_blank_password_keeps_the_stored_one(context: Flask) -> None:
    with_both_passwords()
    assert set_up(**USERS, keep_processed_days=7) == []
    assert secrets() == (SMTP, IMAP)


def test_a_typed_password_takes_the_place_of_the_stored_one(context: Flask) -> None:
    with_both_passwords()
    assert set_up(**USERS, smtp_password="new") == []
    assert secrets() == ("new", IMAP)


@pytest.mark.parametrize(
    ("side", "left"), [("smtp", ("not set", "set")), ("imap", ("set", "not set"))]
)
def test_a_tick_removes_one_password(side: str, left: tuple[str, str], context: Flask) -> None:
    with_both_passwords()
    assert set_up(**USERS, **{f"{side}_password_remove": True}) == []
    assert status() == left


@pytest.mark.parametrize("side", ["smtp", "imap"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_server_or_user_drops_that_sides_password_and_says_so(
    change: str, side: str, context: Flask
) -> None:
    with_both_passwords()
    notices = set_up(**{**USERS, f"{side}_{change}": CHANGES[change]})
    assert len(notices) == 1
    assert side.upper() in notices[0]
    assert status() == (("not set", "set") if side == "smtp" else ("set", "not set"))


@pytest.mark.parametrize("side", ["smtp", "imap"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_password_typed_with_the_change_is_kept_without_a_notice(
    change: str, side: str, context: Flask
) -> None:
    with_both_passwords()
    given = {**USERS, f"{side}_{change}": CHANGES[change], f"{side}_password": "new"}
    assert set_up(**given) == []
    assert secrets() == (("new", IMAP) if side == "smtp" else (SMTP, "new"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_from_address", "other@corp.test"),
        ("approval_reply_address", "answers@corp.test"),
        ("email_reply_folder", "Approvals"),
        ("email_reply_process_count", 7),
        ("enable_email_approval", False),
        ("approve_words", "ok"),
    ],
)
def test_other_changes_drop_no_password(name: str, value: object, context: Flask) -> None:
    with_both_passwords()
    assert set_up(**{**USERS, name: value}) == []
    assert secrets() == (SMTP, IMAP)


def test_the_imap_user_that_falls_back_moves_with_the_smtp_user(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SMTP, imap_password=IMAP)
    assert len(set_up(smtp_user="somebody")) == 2
    assert status() == ("not set", "not set")


@pytest.mark.parametrize("change", CHANGES)
def test_a_moved_imap_server_with_the_inherited_password_asks_for_one(
    change: str, context: Flask
) -> None:
    with_an_inherited_password()
    moved = {**USERS, f"imap_{change}": CHANGES[change]}
    with pytest.raises(InvalidInput) as raised:
        set_up(**moved, keep_processed_days=1)
    assert list(raised.value.errors) == ["imap_password"]
    assert SMTP not in str(raised.value)
    assert settings.load().keep_processed_days == 30
    assert secrets() == (SMTP, SMTP)


@pytest.mark.parametrize("typed", ["smtp_password", "imap_password"])
@pytest.mark.parametrize("change", CHANGES)
def test_either_password_typed_in_the_same_save_answers_that(
    change: str, typed: str, context: Flask
) -> None:
    with_an_inherited_password()
    set_up(**{**USERS, f"imap_{change}": CHANGES[change], typed: "typed"})
    assert secrets()[1] == "typed"


def test_removing_the_smtp_password_is_no_answer_to_that(context: Flask) -> None:
    with_an_inherited_password()
    with pytest.raises(InvalidInput):
        set_up(**USERS, imap_host_name="other.corp.test", smtp_password_remove=True)


def test_without_an_imap_host_nothing_is_asked(context: Flask) -> None:
    with_an_inherited_password()
    assert set_up(**USERS, imap_host_name="", enable_email_approval=False) == []
    assert status() == ("set", "not set")


def imap_secret() -> str:
    """Return the password that a run would send to the IMAP server, "" for none."""
    try:
        return secrets()[1]
    except Conflict:
        return ""


@pytest.mark.parametrize("change", CHANGES)
def test_the_smtp_password_never_follows_a_dropped_imap_password_to_a_new_server(
    change: str, context: Flask
) -> None:
    with_both_passwords()
    with suppress(InvalidInput):
        set_up(**{**USERS, f"imap_{change}": CHANGES[change]})
    assert imap_secret() != SMTP
    with suppress(InvalidInput):
        set_up(**USERS, keep_processed_days=7)
    assert imap_secret() != SMTP


@pytest.mark.parametrize("moved", [{}, {"imap_host_name": "other.corp.test"}])
def test_the_smtp_password_never_takes_the_place_of_a_removed_imap_password(
    moved: dict[str, object], context: Flask
) -> None:
    with_both_passwords()
    with suppress(InvalidInput):
        set_up(**USERS, **moved, imap_password_remove=True)
    assert imap_secret() != SMTP


def test_an_imap_password_that_was_dropped_is_not_shown_as_inherited(context: Flask) -> None:
    with_both_passwords()
    set_up(**USERS, imap_host_name="other.corp.test")
    assert settings.in_force(settings.load()).imap_password == "not set"


def test_a_smtp_password_typed_anew_serves_imap_again(context: Flask) -> None:
    with_both_passwords()
    set_up(**USERS, imap_host_name="other.corp.test")
    set_up(**USERS, imap_host_name="other.corp.test", smtp_password="new")
    assert secrets() == ("new", "new")


def test_the_fall_backs_apply(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SMTP)
    row = settings.load()
    in_force = settings.in_force(row)
    assert in_force.imap_user == settings.imap_account(row).user == "deploy"
    assert in_force.imap_password == "SMTP Password"
    assert in_force.approval_reply_address == BASICS["smtp_from_address"]
    assert in_force.email_reply_folder == "INBOX"
    assert settings.imap_account(row).password == SMTP


def test_what_is_given_wins_over_the_fall_backs(context: Flask) -> None:
    set_up(**USERS, imap_password=IMAP, approval_reply_address="answers@corp.test")
    row = settings.load()
    in_force = settings.in_force(row)
    assert in_force.imap_user == settings.imap_account(row).user == "replies"
    assert in_force.imap_password == "set"
    assert in_force.approval_reply_address == "answers@corp.test"
    assert settings.smtp_account(row).password == ""


def test_without_any_password_none_is_in_force(context: Flask) -> None:
    set_up(**USERS)
    assert settings.in_force(settings.load()).imap_password == "not set"


def test_words_are_in_force_in_lower_case(context: Flask) -> None:
    set_up(approve_words="OK, Genehmigt", reject_words="Nein")
    words = settings.in_force(settings.load()).words
    assert words.approve == {"ok", "genehmigt"}
    assert words.reject == {"nein"}


def test_endpoints_follow_the_settings(context: Flask) -> None:
    set_up(smtp_implicit_tls=True, smtp_host_port=465, imap_enable_starttls=False)
    row = settings.load()
    smtp, imap = settings.smtp_account(row).endpoint, settings.imap_account(row).endpoint
    assert (smtp.port, smtp.implicit_tls, smtp.starttls) == (465, True, False)
    assert (imap.port, imap.implicit_tls, imap.starttls) == (143, False, False)


def test_no_repr_shows_a_password(context: Flask) -> None:
    with_both_passwords()
    row = settings.load()
    shown = repr([row, settings.in_force(row), settings.smtp_account(row)])
    shown += repr(settings.imap_account(row)) + repr(settings.stored_values(row))
    assert SMTP not in shown
    assert IMAP not in shown


def test_passwords_are_sealed_in_the_row(context: Flask) -> None:
    with_both_passwords()
    row = settings.load()
    ring = KeyRing(str(context.config["ENCRYPTION_KEYS"]))
    assert ring.open(row.sealed_smtp_password or b"").decode() == SMTP
    assert SMTP.encode() not in (row.sealed_smtp_password or b"")


TYPED: list[tuple[dict[str, object], tuple[str, str] | set[str]]] = [
    ({}, (SMTP, IMAP)),
    ({"smtp_password": "new"}, ("new", IMAP)),
    ({"imap_password": "new"}, (SMTP, "new")),
    ({"smtp_host_name": "evil.test"}, {"smtp_password"}),
    ({"smtp_host_port": 2525}, {"smtp_password"}),
    ({"smtp_user": "root"}, {"smtp_password"}),
    ({"smtp_enable_starttls": False}, {"smtp_password"}),
    ({"smtp_implicit_tls": True}, {"smtp_password"}),
    ({"smtp_host_name": "evil.test", "smtp_password": "new"}, ("new", IMAP)),
    ({"imap_host_name": "evil.test"}, {"imap_password"}),
    ({"imap_host_port": 993}, {"imap_password"}),
    ({"imap_user": "root"}, {"imap_password"}),
    ({"imap_enable_starttls": False}, {"imap_password"}),
    ({"imap_implicit_tls": True}, {"imap_password"}),
    ({"imap_host_name": "evil.test", "imap_password": "new"}, (SMTP, "new")),
    ({"imap_host_name": "evil.test", "imap_password_remove": True}, {"imap_password"}),
    ({"smtp_host_name": "evil.test", "imap_host_name": "evil.test"},
     {"smtp_password", "imap_password"}),
    ({"smtp_password_remove": True}, {"smtp_password"}),
    ({"smtp_user": ""}, ("", IMAP)),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), TYPED)
def test_a_test_uses_a_stored_password_only_where_it_was_typed_for(
    given: dict[str, object], expected: tuple[str, str] | set[str], context: Flask
) -> None:
    with_both_passwords()
    values = fill_in(**given)
    if isinstance(expected, set):
        with pytest.raises(InvalidInput) as raised:
            settings.typed_accounts(settings.load(), values)
        assert set(raised.value.errors) == expected
        return
    smtp, imap = settings.typed_accounts(settings.load(), values)
    assert imap is not None
    assert (smtp.password, imap.password) == expected


INHERITED: list[tuple[dict[str, object], tuple[str, str] | set[str]]] = [
    ({}, (SMTP, SMTP)),
    ({"smtp_password": "new"}, ("new", "new")),
    ({"imap_password": "new"}, (SMTP, "new")),
    ({"imap_host_name": "evil.test"}, {"imap_password"}),
    ({"imap_host_name": "evil.test", "smtp_password": "new"}, ("new", "new")),
    ({"imap_host_name": "evil.test", "imap_password": "new"}, (SMTP, "new")),
    ({"smtp_host_name": "evil.test"}, {"smtp_password", "imap_password"}),
    ({"imap_user": "root"}, {"imap_password"}),
    ({"smtp_password_remove": True}, {"smtp_password", "imap_password"}),
]


@pytest.mark.parametrize(("given", "expected"), INHERITED)
def test_a_test_uses_an_inherited_password_only_where_it_was_typed_for(
    given: dict[str, object], expected: tuple[str, str] | set[str], context: Flask
) -> None:
    with_an_inherited_password()
    values = fill_in(**given)
    if isinstance(expected, set):
        with pytest.raises(InvalidInput) as raised:
            settings.typed_accounts(settings.load(), values)
        assert set(raised.value.errors) == expected
        return
    smtp, imap = settings.typed_accounts(settings.load(), values)
    assert imap is not None
    assert (smtp.password, imap.password) == expected


def test_a_test_without_imap_host_has_no_imap_account(context: Flask) -> None:
    values = fill_in(**(BASICS | {"imap_host_name": "", "enable_email_approval": False}))
    smtp, imap = settings.typed_accounts(settings.load(), values)
    assert imap is None
    assert (smtp.user, smtp.password) == ("", "")


def restarted_with(keys: str) -> Flask:
    return create_app({"TESTING": True, "ENCRYPTION_KEYS": keys})


def test_a_lost_key_says_so_and_leaves_the_other_settings_usable(app: Flask) -> None:
    with app.app_context():
        with_both_passwords()
    with restarted_with(Fernet.generate_key().decode()).app_context():
        row = settings.load()
        assert settings.stored_values(row)["smtp_user"] == "deploy"
        assert status() == ("set", "set")
        assert settings.in_force(row).imap_user == "replies"
        for account in (settings.smtp_account, settings.imap_account):
            with pytest.raises(SecretUnreadable, match="encryption"):
                account(row)
        assert set_up(**USERS, keep_processed_days=7) == []
        assert settings.load().keep_processed_days == 7
        set_up(**USERS, smtp_password="new", imap_password="new too")
        assert secrets() == ("new", "new too")


def test_a_lost_key_that_comes_back_loses_nothing(app: Flask) -> None:
    with app.app_context():
        with_both_passwords()
    with restarted_with(Fernet.generate_key().decode()).app_context():
        set_up(**USERS, keep_processed_days=7)
    with restarted_with(str(app.config["ENCRYPTION_KEYS"])).app_context():
        assert secrets() == (SMTP, IMAP)


def test_with_a_lost_key_typed_passwords_can_be_tested(app: Flask) -> None:
    with app.app_context():
        with_both_passwords()
    with restarted_with(Fernet.generate_key().decode()).app_context():
        with pytest.raises(SecretUnreadable):
            settings.typed_accounts(settings.load(), fill_in())
        typed = fill_in(smtp_password="new", imap_password="new too")
        smtp, imap = settings.typed_accounts(settings.load(), typed)
        assert (smtp.password, imap and imap.password) == ("new", "new too")


def test_with_a_lost_key_sending_alone_can_be_tested(app: Flask) -> None:
    with app.app_context():
        set_up(**USERS, smtp_password=SMTP, imap_password=IMAP)
        set_up(**USERS, smtp_password="", imap_password=IMAP, imap_host_name="",
               enable_email_approval=False)  # fmt: skip
    with restarted_with(Fernet.generate_key().decode()).app_context():
        smtp, imap = settings.typed_accounts(settings.load(), fill_in(smtp_password="new"))
        assert (smtp.password, imap) == ("new", None)


def test_after_a_whole_story_no_secret_stands_in_the_database_in_clear(
    people: Flask, server: MailServer
) -> None:
    connect(server, imap_user=APPROVALS, imap_password=SECRET)
    _, token = tokens.create("pipeline", ["approvals"], now=NOW)
    request = ask(BOB)
    delivery.deliver_due(now=NOW)
    server.deliver(APPROVALS, request.raw)  # our own mail comes round
    server.deliver(APPROVALS, reply(request, f"What is {request.reference}?"))
    server.deliver(APPROVALS, reply(request, f"Reject - it is {request.reference}", history=False))
    report = inbox.process_replies(now=NOW)
    assert report.by_outcome == {"own_mail": 1, "unclear": 1, "rejected": 1}
    delivery.deliver_due(now=NOW)
    assert approvals.get(request.approval_id).status == "rejected"
    message_ids = [str(read(opened(mail))["Message-ID"]).strip("<>") for mail in queued()]
    db.session.remove()
    stored = b"".join(
        path.read_bytes().lower() for path in Path(people.instance_path).glob("flexmail.db*")
    )
    assert b"approval requested" in stored  # it is the right file
    for secret in (SECRET, request.reference, token, *message_ids):
        assert secret.lower().encode() not in stored, secret
    assert not re.search(rb"fm-[a-z2-7]{26}", stored)
