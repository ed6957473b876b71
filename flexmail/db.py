"""The database object, the column types that keep us honest, and how transactions begin.

SQLite runs in WAL mode with `synchronous=FULL`: a mail is deleted from the server only after a
commit, so a commit has to survive a power cut. Every write goes through `transaction()`; no network
call may happen inside one. Notes that need to survive this process, but no power cut, say so.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CursorResult, DateTime, Dialect, Engine, Executable, MetaData, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

Item = TypeVar("Item")


class Base(DeclarativeBase):
    """Base of all tables; every constraint has a name, so that a migration can change it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


Row = TypeVar("Row", bound=Base)
db = SQLAlchemy(model_class=Base)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, in and out; SQLite alone would give it back without a zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment without a time zone cannot be stored.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def init_app(app: Flask) -> None:
    """Connect the application to its database."""
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            prepare_sqlite(db.engine)


@contextmanager
def transaction(*, durable: bool = True) -> Iterator[None]:
    """One write transaction on `db.session`: committed at the end, rolled back on any exception.

    It begins afresh, so that everything read inside belongs to one moment, and on SQLite it takes
    the write lock at once: a reader that turns writer later can be refused without any waiting.

    Args:
        durable: False for what may be forgotten in a power cut, and only there: the commit waits
            for no disk. A durable commit takes along all those before it.
    """
    session = db.session()
    if session.new or session.dirty or session.deleted or session.info.get("writing"):
        raise RuntimeError("Changes were made outside a transaction, or one is open already.")
    session.rollback()
    session.info["writing"], session.info["at_end"] = True, []
    try:
        connection = session.connection(
            execution_options={"sqlite_begin": "BEGIN IMMEDIATE", "durable": durable}
        )
        if not durable and connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        yield
        left_to_do = session.info["at_end"]
        # By the last item of each: whoever is to come behind others is asked for behind them.
        for work in reversed(dict.fromkeys(work for work, _item in reversed(left_to_do))):
            work([item for worker, item in left_to_do if worker is work])
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["writing"], session.info["at_end"] = False, []


def execute(statement: Executable, **values: Any) -> CursorResult[Any]:
    """Execute a statement that was built once; joins the caller's transaction, or begins one.

    It passes the session by, which costs many times what the database takes: rows come as they
    are, and objects that are loaded already do not hear of what is written.
    """
    return db.session.connection().execute(statement, values)


def insert_unless_there(model: type[Base], **values: Any) -> bool:
    """Insert a row in the caller's transaction, unless its key is there; return whether it is new.

    Two that try at the same moment end as one row, on PostgreSQL too, where writers do not queue.
    """
    connection = db.session.connection()
    inserting = insert_of(connection.dialect.name, model).values(values).on_conflict_do_nothing()
    return bool(connection.execute(inserting).rowcount)


def insert_of(dialect: str, into: Any) -> Any:
    """Return an INSERT as this database has it, which can say what to do where the key is there.

    The other database is not loaded: that takes long.
    """
    return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(into)


@contextmanager
def savepoint() -> Iterator[None]:
    """A part of a write transaction that may fail alone: what it did or left to do is undone."""
    before = list(db.session.info["at_end"])
    try:
        with db.session.begin_nested():
            yield
    except BaseException:
        db.session.info["at_end"][:] = before
        raise


def locked(model: type[Row], key: str | int, make: Callable[[], Row]) -> Row:
    """Inside a write transaction: return a row to change it, made where there is none.

    On PostgreSQL another host may make the same one at this very moment.
    """
    row = db.session.get(model, key, with_for_update=True)
    if row is not None:
        return row
    try:
        with savepoint():
            db.session.add(row := make())
            db.session.flush()
    except IntegrityError:
        return db.session.get_one(model, key, with_for_update=True)
    return row


def at_end(work: Callable[[list[Item]], None], item: Item) -> None:
    """Inside a write transaction: have `work` done once with all its items, before the commit."""
    if not db.session.info.get("writing"):
        raise RuntimeError("There is no write transaction that this could be part of.")
    db.session.info["at_end"].append((work, item))


def left_to(work: Callable[[list[Item]], None]) -> list[Item]:
    """Return the items that `work` will be done with at the end of this write transaction."""
    return [item for worker, item in db.session.info.get("at_end", ()) if worker is work]


def do_now(work: Callable[[list[Item]], None]) -> None:
    """Do what was left to `work` so far, for whoever looks at its outcome in this transaction."""
    if items := left_to(work):
        left = db.session.info["at_end"]
        left[:] = [(worker, item) for worker, item in left if worker is not work]
        work(items)


def prepare_sqlite(engine: Engine) -> None:
    """Have every connection of an engine keep to what the rest of this module says."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy says BEGIN, in the words below
        cursor = connection.cursor()
        for pragma in ("busy_timeout=10000", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        synchronous = "FULL" if options.get("durable", True) else "NORMAL"
        if connection.info.get("synchronous", "FULL") != synchronous:
            connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
            connection.info["synchronous"] = synchronous  # as long as this connection lives
        connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN"))
