"""Keys change in one transaction; whatever goes wrong, every secret still has a key."""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import LargeBinary, Table, insert, select
from sqlalchemy.exc import OperationalError

from flexmail import create_app
from flexmail.crypto import KeyRing, key_ring, key_store
from flexmail.db import Base, UtcDateTime, db, transaction
from flexmail.errors import Conflict, SecretUnreadable
from flexmail.services import audit_check, delivery, kept_mail, keys, settings, status
from flexmail.services.keys import Rotation
from tests.conftest import NOW
from tests.services.stage import SECRET, ask, locked_database, set_up

PLAIN = b"what was sealed"


def fill_every_table() -> int:
    """Put a row into each table with sealed columns; return how many values were sealed."""
    outbox = Base.metadata.tables["outbox"]  # whose contents have a table of their own
    values = 0
    with transaction():
        for table, columns in [(outbox, []), *keys.sealed_columns()]:
            row: dict[str, object] = {"id": 7} | {
                column.name: sample(column.type)
                for column in table.columns
                if not column.nullable and not column.primary_key
            }
            row |= {column.name: key_ring().seal(PLAIN) for column in columns}
            db.session.execute(insert(table), row)
            values += len(columns)
    return values


def sample(kind: object) -> object:
    if isinstance(kind, UtcDateTime):
        return NOW
    python_type = getattr(kind, "python_type", str)
    return {bool: False, int: 1, dict: {}, datetime: NOW}.get(python_type, "x")


def opened(table: Table, name: str) -> bytes:
    value = db.session.scalar(select(table.c[name]).where(table.c.id == 7))
    assert value is not None
    return key_ring().open(value)


def key_file(app: Flask) -> Path:
    return Path(app.instance_path, "encryption.key")


def test_every_column_of_bytes_is_known_as_sealed() -> None:
    found = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    known = {
        f"{table.name}.{column.name}"
        for table, columns in keys.sealed_columns()
        for column in columns
    }
    assert known == found
    assert all(table.primary_key.columns.keys() == ["id"] for table, _ in keys.sealed_columns())


def test_the_new_key_alone_opens_everything(context: Flask) -> None:
    values = fill_every_table()
    old = key_store().read()
    assert keys.rotate() == Rotation(values + 1, 0)  # and the end of the audit log
    assert key_store().read()[1:] == old
    assert keys.drop_old() == (Rotation(values + 1, 0), 1)
    assert len(key_store().read()) == 1
    assert key_store().read() != old
    assert stat.S_IMODE(key_file(context).stat().st_mode) == 0o600
    for table, columns in keys.sealed_columns():
        for column in columns:
            assert opened(table, column.name) == PLAIN
    assert keys.unreadable() == 0
    assert audit_check.verify().fault == ""


def test_a_restart_reads_the_new_key(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    keys.rotate()
    keys.drop_old()
    with create_app({"TESTING": True}).app_context():
        assert settings.smtp_account(settings.load()).password == SECRET


def test_a_process_that_runs_picks_the_new_key_up(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    db.session.rollback()
    running = create_app({"TESTING": True})
    keys.rotate()
    keys.drop_old()
    with running.app_context():
        assert settings.smtp_account(settings.load()).password == SECRET
        sealed = key_ring().seal(PLAIN)
    assert KeyRing(key_store().read()[0]).open(sealed) == PLAIN


def test_a_key_file_stays_its_owners_whoever_changes_the_keys(context: Flask) -> None:
    owner = os.geteuid() or 65534  # root may give it away
    os.chown(key_file(context), owner, -1)
    keys.rotate()
    keys.drop_old()
    found = key_file(context).stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (owner, 0o600)


def test_a_crash_between_key_file_and_commit_loses_nothing(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    with locked_database(context), pytest.raises(OperationalError):
        keys.rotate()
    assert len(key_store().read()) == 2
    assert settings.smtp_account(settings.load()).password == SECRET
    keys.rotate()
    assert keys.drop_old()[1] == 2
    assert settings.smtp_account(settings.load()).password == SECRET


def test_a_crash_before_the_old_keys_go_loses_nothing(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    keys.rotate()
    with locked_database(context), pytest.raises(OperationalError):
        keys.drop_old()
    assert len(key_store().read()) == 2
    assert settings.smtp_account(settings.load()).password == SECRET


def test_what_an_older_process_sealed_meanwhile_is_sealed_anew_before_the_old_key_goes(
    context: Flask,
) -> None:
    keys.rotate()
    set_up(smtp_user="deploy", smtp_password=SECRET)
    with transaction():
        row = settings.load()
        row.sealed_smtp_password = KeyRing(key_store().read()[1]).seal(SECRET)
    keys.drop_old()
    assert settings.smtp_account(settings.load()).password == SECRET


def test_a_copy_that_was_made_before_there_was_a_new_key_is_stored_with_that(
    context: Flask,
) -> None:
    copy = kept_mail.made(SECRET.encode())
    keys.rotate()
    assert KeyRing(key_store().read()[0]).opens(kept_mail.sealed(SECRET.encode(), copy))


def test_a_wrong_key_loses_nothing_and_leaves_everything_else_usable(people: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    ask()
    right = key_store().read()
    key_store().replace([Fernet.generate_key().decode()])
    with pytest.raises(SecretUnreadable, match=r"encryption\.key"):
        settings.smtp_account(settings.load())
    assert "Put the lost key back" in delivery.deliver_due(now=NOW).error
    set_up(email_reply_process_interval=9)
    row = settings.load()
    assert row.email_reply_process_interval == 9
    assert settings.secret_status(row)["smtp_password"] == "set"
    (warning,) = status.overview(now=NOW)["warnings"]
    assert warning.startswith("No encryption key opens the stored smtp_password")
    set_up(smtp_password=SECRET)
    assert settings.smtp_account(settings.load()).password == SECRET
    assert status.overview(now=NOW)["warnings"] == []
    assert keys.unreadable() == 1  # the mail
    key_store().replace([*key_store().read(), *right])
    assert keys.unreadable() == 0


def test_rotating_without_the_lost_key_keeps_what_it_sealed(context: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    right = key_store().read()
    key_store().replace([Fernet.generate_key().decode()])
    assert keys.rotate() == Rotation(0, 2)
    assert keys.drop_old()[0].unreadable == 1
    key_store().replace([*key_store().read(), *right])
    assert settings.smtp_account(settings.load()).password == SECRET


@pytest.mark.parametrize("harm", ["nonsense", ""])
def test_a_key_file_that_breaks_while_it_runs_leaves_the_keys_in_use(
    harm: str, context: Flask
) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    key_file(context).write_text(harm)
    assert settings.smtp_account(settings.load()).password == SECRET
    key_file(context).unlink()
    assert settings.smtp_account(settings.load()).password == SECRET


def operator(monkeypatch: pytest.MonkeyPatch, *given: str) -> Flask:
    monkeypatch.setenv("FLEXMAIL_ENCRYPTION_KEYS", ",".join(given))
    return create_app({"TESTING": True})


def test_the_operators_keys_are_used_and_never_changed(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    (old,) = key_store().read()
    new = Fernet.generate_key().decode()
    db.session.rollback()
    with operator(monkeypatch, old).app_context(), pytest.raises(Conflict, match="one key"):
        keys.rotate()
    with operator(monkeypatch, new, old).app_context():
        assert keys.rotate() == Rotation(2, 0)
        assert keys.drop_old() == (Rotation(2, 0), 1)
    with operator(monkeypatch, new).app_context():
        assert settings.smtp_account(settings.load()).password == SECRET
    assert key_file(context).read_text().strip() == old


def test_no_key_is_in_the_audit_log_or_the_database(context: Flask) -> None:
    keys.rotate()
    everything = Path(context.instance_path, "flexmail.db").read_bytes()
    for key in key_store().read():
        assert key.encode() not in everything
