"""The migrations lead to the tables that the models describe."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, inspect, text

from flexmail import create_app
from flexmail.db import Base, db
from flexmail.schema import HEAD, MIGRATIONS, upgrade_file
from tests.old_databases import fill, make_old


def revisions() -> list[str]:
    with db.engine.connect() as connection:
        return list(MigrationContext.configure(connection).get_current_heads())


def test_the_head_constant_is_the_newest_revision() -> None:
    assert ScriptDirectory(MIGRATIONS).get_heads() == [HEAD]


def test_a_new_database_is_brought_to_the_head(context: Flask) -> None:
    assert revisions() == [HEAD]


def test_the_upgrade_from_nothing_equals_the_models(context: Flask) -> None:
    with db.engine.connect() as connection:
        compared = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(compared, Base.metadata) == []


def test_every_constraint_and_index_of_the_models_is_in_the_database(context: Flask) -> None:
    found = inspect(db.engine)
    for table in Base.metadata.sorted_tables:
        unique = {constraint["name"] for constraint in found.get_unique_constraints(table.name)}
        indexes = {index["name"] for index in found.get_indexes(table.name)}
        wanted = {str(index.name) for index in table.indexes}
        assert wanted <= indexes | unique, table.name
        named = {
            str(constraint.name)
            for constraint in table.constraints
            if constraint.__visit_name__ == "unique_constraint"
        }
        assert named <= unique, table.name


def test_an_upgrade_keeps_what_hangs_together(context: Flask, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    make_old(path, "0002")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as old:
        fill(old, "users", id=3)
        fill(old, "approvals", id=5)
        fill(old, "approval_references", id=7, approval_id=5, user_id=3)
        fill(old, "outbox", id=9, approval_id=5, sealed_content=b"request", state="queued")
        fill(old, "outbox", id=11, sealed_content=b"invitation", message_id_digest="other")
        fill(old, "replies", id=13, approval_id=5)
    engine.dispose()
    upgrade_file(path)
    with closing(sqlite3.connect(path)) as new:
        assert new.execute("PRAGMA foreign_key_check").fetchall() == []
        mails = new.execute(
            "SELECT id, approval_id, state, sealed_content"
            " FROM outbox JOIN outbox_contents USING (id) ORDER BY id"
        )
        assert mails.fetchall() == [(9, 5, "queued", b"request"), (11, None, "1", b"invitation")]
        assert new.execute("SELECT approval_id, user_id FROM approval_references").fetchall() == [
            (5, 3)
        ]
        assert new.execute("SELECT id, approval_id FROM replies").fetchall() == [(13, 5)]


def test_nothing_held_back_is_nothing_after_an_upgrade(context: Flask, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    make_old(path, "0003")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as old:
        fill(old, "reply_folders", id=1, held="null")
        fill(old, "reply_folders", id=2, folder="B", held='{"count": 3}')
    engine.dispose()
    upgrade_file(path)
    with closing(sqlite3.connect(path)) as new:
        held = new.execute("SELECT id, held FROM reply_folders ORDER BY id").fetchall()
    assert held == [(1, None), (2, '{"count": 3}')]


def test_a_second_start_keeps_data_and_revision(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO leases VALUES ('kept', 'x', '2026-01-01 00:00:00.000000', 1)")
        )
    with create_app({"TESTING": True}).app_context():
        assert revisions() == [HEAD]
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT name FROM leases")) == "kept"


def test_workers_that_start_together_make_one_database(no_environment: None) -> None:
    program = (
        "import sys\n"
        "from flexmail import create_app\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "create_app()\n"
        "print('started')\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        said, complained = worker.communicate(timeout=60)
        assert said == "started\n", complained
    with create_app({"TESTING": True}).app_context():
        assert revisions() == [HEAD]
