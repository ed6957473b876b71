"""The audit log: it has what happened, on which proof, and any later change of it is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import Table, literal_column, select, text, update
from sqlalchemy.exc import DatabaseError

from flexmail.crypto import key_store
from flexmail.db import db, savepoint, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.models import AuditEntry, Installation
from flexmail.services import (
    accounts,
    approvals,
    audit,
    audit_check,
    explaining,
    sign_in,
    tokens,
    trust,
)
from flexmail.services.audit import End
from tests.conftest import NOW, PASSWORD
from tests.services.stage import ADA, BOB, SECRET, ask, hand_in, reply, set_up, together

TABLE = cast(Table, AuditEntry.__table__)
COLUMNS = [column.name for column in TABLE.columns]


def entries(action: str = "") -> list[AuditEntry]:
    """Return the entries, the oldest first."""
    db.session.rollback()
    found = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [entry for entry in found if action in ("", entry.action)]


def last() -> AuditEntry:
    return entries()[-1]


def note(*names: str) -> None:
    for name in names:
        with transaction():
            audit.record("account_edited", f"account {name}", proof={"role": "admin"})


def rewrite(number: int, column: str, value: str) -> None:
    """Give one column of one entry another value, as SQL spells it."""
    tamper()
    with db.engine.begin() as connection:
        changed = update(TABLE).where(TABLE.c.id == number).values({column: literal_column(value)})
        connection.execute(changed)


def fail_after(name: str) -> None:
    audit.record("account_edited", f"account {name}")
    raise KeyError


def fail_in_savepoint(name: str) -> None:
    with savepoint():
        fail_after(name)


def fail_in_transaction(name: str) -> None:
    with transaction():
        fail_after(name)


def tamper(*statements: str) -> None:
    """Change the table as somebody would who owns the database file."""
    with db.engine.begin() as connection:
        for change in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{change}"))
        for statement in statements:
            connection.execute(text(statement))


def test_a_log_that_nobody_touched_fits(context: Flask) -> None:
    note("a", "b", "c")
    found = audit_check.verify()
    assert found.fault == ""
    assert found.end == End(last().id, last().chain)
    assert [entry.id for entry in entries()] == [1, 2, 3, 4]
    assert entries()[0].action == "installation_made"


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_of_any_entry_is_found(
    column: str, number: int, context: Flask
) -> None:
    note("a", "b", "c", "d")
    changed = {"id": "99", "at": "'2026-01-01 00:00:00.000000'", "proof": """'{"role":"x"}'"""}
    rewrite(number, column, changed.get(column, "'x'"))
    assert audit_check.verify().fault.startswith(f"Entry {number} ")


@pytest.mark.parametrize(
    ("column", "junk"), [("at", "'soon'"), ("proof", "'{'"), ("actor", "X'00'")]
)
def test_what_is_no_value_at_all_is_found(column: str, junk: str, context: Flask) -> None:
    note("a", "b")
    rewrite(2, column, junk)
    assert audit_check.verify().fault.startswith("Entry 2 does not fit")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM audit WHERE id = 1", "Entry 1 is not there"),
        ("DELETE FROM audit WHERE id = 3", "Entry 3 is not there"),
        ("DELETE FROM audit WHERE id = 4", "The log ends at entry 3, but 4 was sealed"),
        ("DELETE FROM audit", "The log ends at entry 0, but 4 was sealed"),
        (
            "INSERT INTO audit SELECT 5, at, actor, channel, action, subject, proof, chain"
            " FROM audit WHERE id = 4",
            "Entry 5 does not fit",
        ),
        (
            "INSERT INTO audit SELECT -1, at, actor, channel, action, subject, proof, chain"
            " FROM audit WHERE id = 4",
            "Entry 1 is not there",
        ),
        (
            "UPDATE audit SET id = CASE id WHEN 2 THEN -3 ELSE -2 END WHERE id IN (2, 3);"
            "UPDATE audit SET id = -id WHERE id < 0",
            "Entry 2 does not fit",
        ),
        ("UPDATE installation SET sealed_audit_end = NULL", "the seal of the last is gone"),
        ("UPDATE installation SET sealed_audit_end = X'00'", "no key opens the seal"),
    ],
)
def test_a_removal_an_insertion_and_another_order_are_found(
    harm: str, said: str, context: Flask
) -> None:
    note("a", "b", "c")
    tamper(*harm.split(";"))
    assert said in audit_check.verify().fault


def test_a_log_that_was_chained_anew_without_the_key_is_found(context: Flask) -> None:
    note("a", "b", "c")
    rewrite(3, "actor", "'somebody else'")
    chain = audit.FIRST
    for row in entries():
        chain = audit.chained(chain, {name: getattr(row, name) for name in COLUMNS})
        db.session.rollback()
        rewrite(row.id, "chain", f"'{chain}'")
    assert audit_check.verify().fault == "The log ends at entry 4, but 4 was sealed as the last."


def test_what_is_recorded_after_a_removal_does_not_hide_it(context: Flask) -> None:
    note("a", "b", "c")
    tamper("DELETE FROM audit WHERE id > 2")
    note("d", "e")
    assert audit_check.verify().fault.startswith("Entry 3 is not there")


def test_an_end_that_somebody_noted_has_to_be_there_still(context: Flask) -> None:
    note("a")
    noted = audit_check.verify().end
    note("b")
    assert audit_check.verify(noted).fault == ""
    assert "noted" in audit_check.verify(End(noted.id, "0" * 64)).fault
    assert "noted" in audit_check.verify(End(99, noted.chain)).fault


def test_a_lost_key_stops_nothing_and_leaves_an_entry_of_its_own(context: Flask) -> None:
    note("a")
    key_store().replace([Fernet.generate_key().decode()])
    assert "no key opens" in audit_check.verify().fault
    note("b", "c")
    assert [entry.action for entry in entries()[2:]] == ["audit_end_lost", *["account_edited"] * 2]
    assert audit_check.verify().fault == ""


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_a_change(change: str, context: Flask) -> None:
    with pytest.raises(DatabaseError, match="append-only"), db.engine.begin() as connection:
        connection.execute(text(change))


def test_what_is_rolled_back_is_not_recorded(context: Flask) -> None:
    with pytest.raises(KeyError):
        fail_in_transaction("lost")
    with transaction():
        audit.record("account_edited", "account one")
        with pytest.raises(KeyError):
            fail_in_savepoint("lost")
        with savepoint():
            audit.record("account_edited", "account two")
    assert [entry.subject for entry in entries()[1:]] == ["account one", "account two"]
    assert audit_check.verify().fault == ""


def test_nothing_is_recorded_outside_a_transaction_or_under_an_unknown_name(
    context: Flask,
) -> None:
    with pytest.raises(RuntimeError):
        audit.record("account_edited")
    with pytest.raises(ValueError, match="no action"), transaction():
        audit.record("something")


def test_writers_at_the_same_moment_make_one_chain(context: Flask) -> None:
    def write() -> None:
        for number in range(10):
            note(f"{number}")

    assert together(context, write, write, write) == [None] * 3
    assert audit_check.verify() == audit_check.Finding(End(31, last().chain))


def test_a_decision_by_mail_shows_its_proof(people: Flask) -> None:
    set_up()
    request = ask()
    row = hand_in(reply(request))
    entry = last()
    assert (entry.actor, entry.channel) == (BOB, "email")
    assert (entry.action, entry.subject) == ("approval_approved", f"approval {request.approval_id}")
    assert entry.proof == {
        "reply": row.id,
        "reference": 1,
        "sha256": row.sha256,
        "sender": BOB,
        "reply_trust": "reference_and_sender",
    }


def test_a_proven_sender_is_part_of_the_proof(people: Flask) -> None:
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    vouched = "Authentication-Results: mx.corp.test; dmarc=pass header.from=corp.test"
    hand_in(reply(ask(), headers=(vouched,)))
    assert last().proof["authentication"] == "dmarc=pass header.from=corp.test"


def test_a_decision_on_the_page_names_the_session(people: Flask) -> None:
    set_up()
    bob = accounts.get(BOB)
    approvals.decide_on_page(ask().approval_id, bob.id, verdict="reject", comment="", now=NOW)
    entry = last()
    assert (entry.actor, entry.channel, entry.action) == (BOB, "web", "approval_rejected")
    assert entry.proof == {"session_of_account": bob.id, "session_version": 1}


def test_what_decides_nothing_leaves_no_decision_in_the_log(people: Flask) -> None:
    set_up()
    request = ask()
    before = len(entries())
    hand_in(reply(request, sender="Charlie <charlie@evil.test>"))
    hand_in(reply(request, "Perhaps"))
    explaining.explain(reply(request), now=NOW)
    assert len(entries()) == before


def cancel() -> None:
    approvals.cancel(ask().approval_id, now=NOW)


def expire() -> None:
    ask(expires_in=60)
    approvals.expire_due(now=NOW + timedelta(hours=1))


def guess() -> None:
    accounts.set_password(BOB, PASSWORD)
    for _ in range(sign_in.MAX_FAILURES + 2):
        with pytest.raises((InvalidInput, Conflict)):
            sign_in.sign_in(BOB, "wrong", remote_address="192.0.2.7", now=NOW)


def come_in() -> None:
    accounts.set_password(BOB, PASSWORD)
    sign_in.sign_in(BOB, PASSWORD, remote_address="192.0.2.7", now=NOW)


def revoke() -> None:
    token, _ = tokens.create("ci", ["status"], now=NOW)
    tokens.revoke(token.id, now=NOW)
    tokens.revoke(token.id, now=NOW)


@pytest.mark.parametrize(
    ("act", "action", "subject", "proof"),
    [
        (
            ask,
            "approval_requested",
            "approval 1",
            {"title": "Deploy billing 4.2", "approvers": [BOB]},
        ),
        (cancel, "approval_cancelled", "approval 1", {}),
        (expire, "approval_expired", "approval 1", {}),
        (guess, "sign_in_throttled", f"account:{BOB}", {}),
        (come_in, "signed_in", f"account {BOB}", {"remote_address": "192.0.2.7"}),
        (revoke, "token_revoked", "token 1 (ci)", {}),
        (
            lambda: tokens.create("ci", ["status"], now=NOW),
            "token_created",
            "token 1 (ci)",
            {"scopes": ["status"]},
        ),
        (
            lambda: accounts.edit(BOB, groups=["ops"]),
            "account_edited",
            f"account {BOB}",
            {"role": "approver", "name": "Bob", "groups": ["ops"]},
        ),
        (lambda: accounts.set_active(BOB, False), "account_disabled", f"account {BOB}", {}),
        (lambda: accounts.set_active(BOB, True), "account_enabled", f"account {BOB}", {}),
        (lambda: accounts.set_password(BOB, PASSWORD), "password_changed", f"account {BOB}", {}),
        (lambda: accounts.end_sessions(1), "sessions_ended", f"account {ADA}", {}),
        (trust.ask_again, "canary_repeated", "settings", {}),
    ],
)
def test_each_act_is_recorded_once(
    act: Callable[[], object], action: str, subject: str, proof: dict[str, object], people: Flask
) -> None:
    set_up()
    act()
    (entry,) = entries(action)
    assert (entry.subject, entry.proof) == (subject, proof)
    assert audit_check.verify().fault == ""


def test_saved_settings_name_the_fields_and_show_no_secret(people: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    set_up(smtp_host_port=2525, smtp_password="another-secret")
    assert last().proof == {"changed": ["smtp_host_port", "smtp_password"]}
    shown = json.dumps([entry.proof for entry in entries()])
    assert SECRET not in shown
    assert "another-secret" not in shown


def test_the_first_save_names_what_differs_from_the_defaults(people: Flask) -> None:
    set_up(email_reply_process_interval=5, email_reply_process_count=7)
    names = last().proof["changed"]
    assert {"smtp_host_name", "email_reply_process_count"} <= set(names)
    assert not {"id", "revision", "email_reply_process_interval"} & set(names)


def test_the_end_of_the_log_is_sealed(context: Flask) -> None:
    sealed = db.session.scalar(select(Installation.sealed_audit_end))
    assert sealed is not None
    assert last().chain.encode() not in sealed
    assert audit.sealed_end(sealed) == End(1, last().chain)


def test_the_list_comes_in_pages_and_by_action(context: Flask) -> None:
    note("a", "b", "c")
    page = audit.listing(limit=2)
    assert [entry.subject for entry in page.items] == ["account c", "account b"]
    assert page.next_cursor == "3"
    assert [entry.id for entry in audit.listing(action="installation_made").items] == [1]
