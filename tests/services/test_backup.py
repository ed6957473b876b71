"""Backup and restore: nothing decides twice or wrongly, and nothing is overwritten."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine

from flexmail import create_app
from flexmail.crypto import key_store
from flexmail.db import db
from flexmail.demo.mailserver import MailServer
from flexmail.errors import Conflict, InvalidInput
from flexmail.services import (
    accounts,
    approvals,
    audit_check,
    backup,
    delivery,
    inbox,
    installation,
    leases,
    settings,
)
from tests.conftest import NOW
from tests.old_databases import fill, make_old
from tests.services.stage import ADA, APPROVALS, BOB, CHARLIE, SECRET, ask, connect, reply, set_up
from tests.services.test_audit import entries

LATER = NOW + timedelta(hours=1)


def run() -> dict[str, int]:
    report = inbox.process_replies(now=NOW, at_once=True)
    assert not report.error
    return report.by_outcome


def status_of(approval_id: int) -> str:
    db.session.rollback()
    return approvals.get(approval_id).status


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_a_backup_holds_everything_but_no_key(people: Flask, tmp_path: Path) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    request = ask()
    target = tmp_path / "copy.db"
    assert backup.make(target) == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    content = target.read_bytes()
    for secret in (*key_store().read(), SECRET, request.reference):
        assert secret.encode() not in content
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM approvals").fetchone() == (1,)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert {path.name for path in tmp_path.iterdir()} == {"instance", "copy.db"}
    assert entries()[-1].action == "backup_made"


def test_a_backup_overwrites_nothing(context: Flask, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("precious")
    with pytest.raises(Conflict, match="exists already"):
        backup.make(target)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("place", ["missing/copy.db", "instance"])
def test_a_place_that_cannot_be_written_is_named(
    place: str, context: Flask, tmp_path: Path
) -> None:
    with pytest.raises((InvalidInput, Conflict), match=place.partition("/")[0]):
        backup.make(tmp_path / place)


def test_a_backup_made_while_others_write_is_of_one_moment(people: Flask, tmp_path: Path) -> None:
    enough = threading.Event()
    written = threading.Event()

    def write() -> None:
        with people.app_context():
            while not enough.is_set():
                accounts.edit(BOB, name="Bob")
                written.set()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert written.wait(30)
        for number in range(2):
            backup.make(tmp_path / f"{number}.db")
    finally:
        enough.set()
        writing.join()
    backup.restore(tmp_path / "1.db", now=NOW)
    assert audit_check.verify().fault == ""


def test_what_was_in_the_backup_is_back(people: Flask, tmp_path: Path) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    target = tmp_path / "copy.db"
    backup.make(target)
    set_up(smtp_host_name="other.test", smtp_password="other")
    accounts.set_active(BOB, False)
    before = backup.restore(target, now=LATER)
    assert settings.smtp_account(settings.load()).password == SECRET
    assert accounts.get(BOB).active
    assert audit_check.verify().fault == ""
    assert entries()[-1].action == "backup_restored"
    assert entries()[-1].proof == {"database_before": before.name}
    assert before.name == "flexmail.db.before-restore-20261102T100000Z"
    assert stat.S_IMODE(before.stat().st_mode) == 0o600
    with closing(sqlite3.connect(before)) as kept:
        found = kept.execute("SELECT smtp_host_name FROM email_settings").fetchone()
    assert found == ("other.test",)
    live = Path(people.instance_path, "flexmail.db")
    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not list(Path(people.instance_path).glob(".flexmail.db.*"))


def test_a_restore_can_be_undone_with_what_it_kept(people: Flask, tmp_path: Path) -> None:
    backup.make(tmp_path / "copy.db")
    set_up()
    before = backup.restore(tmp_path / "copy.db", now=NOW)
    assert settings.load().revision == 0
    backup.restore(before, now=LATER)
    assert settings.load().revision == 1


def test_a_decision_after_the_backup_is_open_again_and_no_mail_decides_it_twice(
    people: Flask, server: MailServer, tmp_path: Path
) -> None:
    connect(server)
    request = ask()
    backup.make(tmp_path / "copy.db")
    server.deliver(APPROVALS, reply(request))
    assert run() == {"approved": 1}
    backup.restore(tmp_path / "copy.db", now=LATER)
    assert status_of(request.approval_id) == "pending"
    assert run() == {}
    assert status_of(request.approval_id) == "pending"
    server.deliver(APPROVALS, reply(request, "Reject"))
    assert run() == {"rejected": 1}
    assert status_of(request.approval_id) == "rejected"


def test_mail_that_the_backup_knows_as_decided_is_not_decided_again(
    people: Flask, server: MailServer, tmp_path: Path
) -> None:
    connect(server)
    request = ask()
    answer = reply(request)
    server.deliver(APPROVALS, answer)
    assert run() == {"approved": 1}
    backup.make(tmp_path / "copy.db")
    backup.restore(tmp_path / "copy.db", now=LATER)
    server.deliver(APPROVALS, answer)
    assert run() == {"duplicate": 1}
    assert len(approvals.get(request.approval_id).decisions) == 1


def test_a_request_made_after_the_backup_is_unknown_and_its_id_is_not_given_again(
    people: Flask, server: MailServer, tmp_path: Path
) -> None:
    connect(server)
    ask()
    backup.make(tmp_path / "copy.db")
    lost = ask(title="Deploy something else")
    backup.restore(tmp_path / "copy.db", now=LATER)
    fresh = ask(title="Deploy a third thing")
    assert fresh.approval_id > lost.approval_id
    server.deliver(APPROVALS, reply(lost))
    assert run() == {"unknown_reference": 1}
    assert status_of(fresh.approval_id) == "pending"


def test_a_backup_of_another_installation_is_claimed(
    people: Flask, server: MailServer, tmp_path: Path
) -> None:
    connect(server)
    ask()
    backup.make(tmp_path / "copy.db")
    damage(tmp_path / "copy.db", "UPDATE installation SET mark = 'of-another-flexmail'")
    backup.restore(tmp_path / "copy.db", now=NOW)
    assert installation.objection() == ""
    assert delivery.deliver_due(now=NOW, at_once=True).sent == 1


def test_a_run_that_began_before_the_restore_commits_nothing_after_it(
    people: Flask, tmp_path: Path
) -> None:
    backup.make(tmp_path / "copy.db")
    fence = None
    for number in range(5):
        fence = leases.acquire("replies", f"one:{number}:a", now=NOW, seconds=60)
        leases.release("replies", f"one:{number}:a", now=NOW)
    backup.restore(tmp_path / "copy.db", now=NOW)
    fresh = leases.acquire("replies", "two:1:b", now=NOW, seconds=60)
    assert fence is not None
    assert fresh == fence + 2


@pytest.mark.parametrize("name", ["jobs", "replies"])
def test_a_restore_waits_until_the_jobs_are_stopped(
    name: str, people: Flask, tmp_path: Path
) -> None:
    backup.make(tmp_path / "copy.db")
    set_up()
    leases.acquire(name, "one.test:1:a", now=NOW, seconds=60)
    with pytest.raises(Conflict, match=r"one\.test:1.*--force"):
        backup.restore(tmp_path / "copy.db", now=NOW)
    assert settings.load().revision == 1
    backup.restore(tmp_path / "copy.db", now=NOW, force=True)
    assert settings.load().revision == 0


def test_a_database_that_somebody_writes_to_is_left_as_it_is(people: Flask, tmp_path: Path) -> None:
    backup.make(tmp_path / "copy.db")
    set_up()
    live = Path(people.instance_path, "flexmail.db")
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Conflict, match="locked"):
            backup.restore(tmp_path / "copy.db", now=NOW, patience_seconds=0.05)
    assert settings.load().revision == 1
    assert installation.objection() == ""


def test_whoever_has_the_database_open_sees_what_was_restored(
    people: Flask, tmp_path: Path
) -> None:
    backup.make(tmp_path / "copy.db")
    set_up()
    running = create_app({"TESTING": True})
    with running.app_context():
        assert settings.load().revision == 1
        opened = db.session.connection()  # it reads the old state all the while
        with people.app_context():
            backup.restore(tmp_path / "copy.db", now=NOW)
        assert not opened.closed
        db.session.rollback()
        assert settings.load().revision == 0
        set_up()
    assert settings.load().revision == 1
    assert audit_check.verify().fault == ""


def harmed(kind: str, folder: Path) -> Path:
    target = folder / "copy.db"
    if kind == "missing":
        return folder / "missing.db"
    if kind == "folder":
        return folder
    if kind in ("text", "empty"):
        target.write_text("To be or not to be. " * 400 if kind == "text" else "")
        return target
    if kind == "foreign":
        damage(target, "CREATE TABLE songs (title TEXT)")
        return target
    backup.make(target)
    if kind == "newer":
        damage(target, "UPDATE alembic_version SET version_num = '9999'")
    if kind == "damaged":
        content = bytearray(target.read_bytes())
        content[8192:-4096] = bytes(len(content) - 12288)
        target.write_bytes(content)
    if kind == "cut":
        target.write_bytes(target.read_bytes()[:20_000])
    return target


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "text", "empty", "foreign", "newer", "damaged", "cut"]
)
def test_what_is_no_sound_backup_changes_nothing(kind: str, people: Flask, tmp_path: Path) -> None:
    source = harmed(kind, tmp_path)
    with pytest.raises(InvalidInput, match=source.name):
        backup.restore(source, now=NOW)
    assert accounts.get(ADA).active
    assert installation.objection() == ""
    names = {path.name for path in Path(people.instance_path).iterdir()}
    assert not {name for name in names if "restore" in name or name.startswith(".flexmail.db.")}


def test_an_older_backup_is_brought_up_to_date(people: Flask, tmp_path: Path) -> None:
    target = tmp_path / "old.db"
    make_old(target, "0002")
    engine = create_engine(f"sqlite:///{target}")
    with engine.begin() as old:
        fill(old, "users", email=BOB, role="approver", created_at=NOW)
        fill(old, "users", id=2, email=CHARLIE, role="admin", created_at=NOW)
    engine.dispose()
    backup.restore(target, now=NOW)
    assert [user.email for user in accounts.everyone()] == [BOB, CHARLIE]
    assert installation.objection() == ""
    assert [entry.action for entry in entries()] == ["audit_end_lost", "backup_restored"]
    assert audit_check.verify().fault == ""
