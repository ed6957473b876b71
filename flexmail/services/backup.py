"""Copies of the SQLite database: make one while flexmail runs, and put one back.

A copy holds no key. What is put back replaces the content of the database in one transaction of
SQLite, so that running processes see the old state or the new one; it belongs to nobody until it
is claimed, with fences above all that any process may hold.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from flexmail.db import db, transaction
from flexmail.errors import ConfigError, Conflict, InvalidInput
from flexmail.models import Approval, Installation, Lease
from flexmail.schema import upgrade_file
from flexmail.services import audit, inbox, installation, leases, status

_PATIENCE_SECONDS = 10
_NOBODY = "restored, not claimed"


def make(target: Path) -> int:
    """Copy the database as it is at one moment into a new file (0600); return its bytes.

    Raises:
        Conflict: the database is not SQLite, or the file exists.
        InvalidInput: the file cannot be written.
    """
    live = _database()
    with _new_file(target):
        size = _place(live, target)
    with transaction():
        audit.record("backup_made", str(target.absolute()))
    return size


def restore(
    source: Path,
    *,
    now: datetime,
    force: bool = False,
    patience_seconds: float = _PATIENCE_SECONDS,
) -> Path:
    """Put a copy back and claim it; return where the database before is kept.

    Args:
        force: even while jobs seem to run.
        patience_seconds: how long to wait for whoever writes right now.

    Raises:
        Conflict: the database is not SQLite, jobs run on it, or it is busy.
        InvalidInput: the file is no sound database of flexmail.
    """
    live = _database()
    if not force:
        _refuse_while_jobs_run(now)
    before = live.with_name(f"{live.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    with _private(live) as fresh:
        _prepare(source, fresh, now)
        fences = {lease.name: lease.fence for lease in db.session.scalars(select(Lease))}
        last = db.session.scalar(select(func.max(Approval.id))) or 0
        db.session.rollback()
        with _new_file(before):
            _place(live, before)
        db.session.remove()
        db.engine.dispose()
        _replace(live, fresh, patience_seconds)
    with transaction():
        row = db.session.get_one(Installation, 1)
        installation.take_over(row, now=now, fences=fences, approval_id=last)
        kept = {"database_before": before.name}
        audit.record("backup_restored", str(source.absolute()), proof=kept)
    return before


def _database() -> Path:
    url = db.engine.url
    if url.get_backend_name() != "sqlite" or not url.database:
        raise Conflict(
            "The database is not SQLite. Copy it with its own tools (pg_dump, pg_restore), then:"
            " flexmail restore --claim"
        )
    return Path(url.database)


def _refuse_while_jobs_run(now: datetime) -> None:
    for name in (status.JOBS_LEASE, inbox.CHANNEL):
        owner = leases.holder(name, now=now)
        db.session.rollback()
        if owner:
            raise Conflict(f"Jobs run in {owner}: stop flexmail first, or give --force.")


def _prepare(source: Path, fresh: Path, now: datetime) -> None:
    """Copy a backup, see that it is sound, bring it up to date, and let it be nobody's."""
    if not source.is_file():
        raise InvalidInput(f"{source} is no file that can be read.")
    try:
        with closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
            _copy(source, copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise InvalidInput(f"{source} is damaged: {found}")
        upgrade_file(fresh)
        with closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
            copy.execute(
                "INSERT INTO installation (id, mark, approval_ids_from, claimed_at)"
                " VALUES (1, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark",
                (_NOBODY, f"{now:%Y-%m-%d %H:%M:%S.%f}"),
            )
    except sqlite3.Error as error:
        raise InvalidInput(f"{source} is no database that can be read: {error}.") from error
    except ConfigError as error:
        raise InvalidInput(f"{source} cannot be restored. {error}") from error


def _replace(live: Path, fresh: Path, patience_seconds: float) -> None:
    """Replace the content of the database, in one transaction for all who have it open."""
    try:
        with closing(sqlite3.connect(live, timeout=patience_seconds)) as own:
            own.execute("BEGIN IMMEDIATE")  # SQLite's copying would wait for ever for a lock
            own.rollback()
            _copy(fresh, own)
    except sqlite3.Error as error:
        raise Conflict(f"The database cannot be replaced right now: {error}.") from error


def _place(live: Path, target: Path) -> int:
    """Write a sound copy beside its place, then move it there."""
    with _private(target) as fresh:
        try:
            with closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
                _copy(live, copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, whoever opens it
        except sqlite3.Error as error:
            raise InvalidInput(f"{target} cannot be written: {error}.") from error
        size = fresh.stat().st_size
        fresh.replace(target)
    for path in (target, target.absolute().parent):
        number = os.open(path, os.O_RDONLY)
        os.fsync(number)
        os.close(number)
    return size


def _copy(source: Path, target: sqlite3.Connection) -> None:
    address = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS)) as opened:
        opened.backup(target)


@contextmanager
def _new_file(target: Path) -> Iterator[None]:
    """Take a name that is free; give it back if nothing comes of it."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise Conflict(f"{target} exists already: nothing is overwritten.") from error
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from error
    try:
        yield
    except BaseException:
        target.unlink()
        raise


@contextmanager
def _private(place: Path) -> Iterator[Path]:
    """Yield an empty file (0600) beside a place; nothing of it is left at the end."""
    handle, name = tempfile.mkstemp(dir=place.absolute().parent, prefix=f".{place.name}.")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        for rest in ("", "-journal", "-wal", "-shm"):
            Path(name + rest).unlink(missing_ok=True)
