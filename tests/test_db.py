"""Transactions and moments: what a service may rely on."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from flexmail.db import (
    at_end,
    db,
    do_now,
    insert_unless_there,
    left_to,
    savepoint,
    transaction,
)
from flexmail.models import Lease, Membership, OptOut
from tests.conftest import NOW
from tests.services.stage import locked_database


def names() -> list[str]:
    return sorted(db.session.scalars(select(Lease.name)))


def add(name: str, expires_at: datetime = NOW) -> None:
    db.session.add(Lease(name=name, owner="", expires_at=expires_at, fence=0))


def other_connection(app: Flask) -> sqlite3.Connection:
    return sqlite3.connect(
        Path(app.instance_path, "flexmail.db"), isolation_level=None, timeout=0.05
    )


@pytest.mark.parametrize(
    "moment",
    [
        NOW,
        NOW.astimezone(timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
    ],
)
def test_a_moment_comes_back_aware_in_utc(moment: datetime, context: Flask) -> None:
    with transaction():
        add("a", moment)
    db.session.expire_all()
    found = db.session.get_one(Lease, "a").expires_at
    assert found == moment
    assert found.tzinfo is UTC


def test_moments_compare_in_queries_whatever_their_zone(context: Flask) -> None:
    with transaction():
        add("a", NOW)
    later = (NOW + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-9)))
    assert db.session.scalar(select(Lease.name).where(Lease.expires_at < later)) == "a"


def test_a_moment_without_a_zone_is_refused(context: Flask) -> None:
    with pytest.raises(StatementError, match="time zone"), transaction():
        add("a", datetime(2026, 1, 1))
    assert names() == []


def test_a_transaction_commits_at_its_end(context: Flask) -> None:
    with transaction():
        add("a")
    db.session.rollback()
    assert names() == ["a"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_a_transaction_early_rolls_it_back(
    kind: type[BaseException], context: Flask
) -> None:
    def break_off() -> None:
        with transaction():
            add("a")
            db.session.flush()
            raise kind

    with pytest.raises(kind):
        break_off()
    assert names() == []
    with transaction():
        add("b")
    assert names() == ["b"]


@pytest.mark.parametrize("change", ["new", "dirty", "deleted"])
def test_changes_made_outside_a_transaction_are_refused(change: str, context: Flask) -> None:
    with transaction():
        add("a")
    if change == "new":
        add("b")
    elif change == "dirty":
        db.session.get_one(Lease, "a").owner = "somebody"
    else:
        db.session.delete(db.session.get_one(Lease, "a"))
    with pytest.raises(RuntimeError, match="outside a transaction"), transaction():
        pass
    db.session.rollback()
    assert names() == ["a"]


def test_a_transaction_begins_afresh_and_sees_what_others_committed(context: Flask) -> None:
    assert names() == []
    other = other_connection(context)
    other.execute("INSERT INTO leases VALUES ('theirs', '', '2026-01-01 00:00:00', 0)")
    other.close()
    assert names() == []  # a read transaction keeps its view
    with transaction():
        assert names() == ["theirs"]


def test_a_transaction_takes_the_write_lock_at_once(context: Flask) -> None:
    other = other_connection(context)
    with transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_readers_go_on_while_somebody_writes(context: Flask) -> None:
    other = other_connection(context)
    with transaction():
        add("a")
        db.session.flush()
        assert other.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    assert other.execute("SELECT count(*) FROM leases").fetchone() == (1,)
    other.close()


def test_a_locked_database_raises_and_heals(context: Flask) -> None:
    with locked_database(context), pytest.raises(OperationalError, match="locked"), transaction():
        add("a")
    with transaction():
        add("b")
    assert names() == ["b"]


def test_a_transaction_inside_another_loses_nothing_in_silence(context: Flask) -> None:
    try:
        with transaction():
            add("outer")
            db.session.flush()
            with transaction():
                add("inner")
    except RuntimeError:
        assert names() == []  # refused as a whole: nothing half done
    else:
        assert names() == ["inner", "outer"]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)],
)
def test_sqlite_is_set_up_so_that_a_commit_survives(
    pragma: str, value: object, context: Flask
) -> None:
    assert db.session.scalar(text(f"PRAGMA {pragma}")) == value


def test_foreign_keys_hold(context: Flask) -> None:
    with pytest.raises(IntegrityError), transaction():
        db.session.add(Membership(user_id=99, group="ops"))


def test_a_row_whose_key_is_there_is_left_as_it_is(context: Flask) -> None:
    key = {"address": "bob@corp.test", "type": "failed"}
    with transaction():
        assert insert_unless_there(OptOut, **key, at=NOW)
        assert not insert_unless_there(OptOut, **key, at=NOW + timedelta(hours=1))
    assert [row.at for row in db.session.scalars(select(OptOut))] == [NOW]


def test_what_is_left_to_the_end_can_be_done_before_and_is_undone_with_its_part(
    context: Flask,
) -> None:
    done: list[list[int]] = []

    def work(items: list[int]) -> None:
        done.append(items)

    def fail() -> None:
        with savepoint():
            at_end(work, 2)
            do_now(work)
            raise LookupError

    with transaction():
        at_end(work, 1)
        with pytest.raises(LookupError):
            fail()
        assert (left_to(work), done) == ([1], [[1, 2]])  # the part took the first along
        do_now(work)
        do_now(work)  # there is nothing left
        assert (left_to(work), done) == ([], [[1, 2], [1]])
    assert done == [[1, 2], [1]]
    assert left_to(work) == []
