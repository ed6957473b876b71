"""The migrations lead to the tables that the models describe."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect, text

from flexmail import create_app
from flexmail.config import instance_path
from flexmail.db import HEAD, MIGRATIONS, Base, db


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


def test_a_second_start_keeps_data_and_revision(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO leases VALUES ('kept', 'x', '2026-01-01 00:00:00.000000', 1)")
        )
    with create_app({"TESTING": True}).app_context():
        assert revisions() == [HEAD]
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT name FROM leases")) == "kept"


@pytest.mark.xfail(strict=True, reason="PRAGMA journal_mode=WAL does not wait for a writer")
def test_a_start_waits_for_a_process_that_is_just_making_the_database(
    no_environment: None,
) -> None:
    other = sqlite3.connect(
        Path(instance_path(), "flexmail.db"), isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, other.close)
    release.start()
    try:
        with create_app({"TESTING": True}).app_context():
            assert revisions() == [HEAD]
    finally:
        release.join()
