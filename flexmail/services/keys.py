"""Encryption keys: make a new one, seal everything with it, drop the old ones.

1. The new key is in the key file, before the old ones, ahead of the commit: whatever dies where,
   every sealed value has its key.
2. One transaction seals every `sealed_` column of every table anew.
3. Old keys go in a step of their own, when nothing needs them any more.

What no key opens stays as it is: the lost key may come back.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.fernet import Fernet
from sqlalchemy import Column, Table, bindparam, select, text, update
from sqlalchemy.exc import OperationalError

from flexmail.crypto import KeyRing, key_ring, key_store
from flexmail.db import Base, db, transaction
from flexmail.errors import Conflict, SecretUnreadable
from flexmail.services import audit

_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """How many values were sealed anew, and how many no key opens."""

    sealed: int
    unreadable: int


def rotate() -> Rotation:
    """Seal everything with a new key, or with the first of `FLEXMAIL_ENCRYPTION_KEYS`; commits.

    Raises:
        Conflict: the operator's list holds one key only.
    """
    store = key_store()
    if store.path is None and len(store.read()) < 2:
        raise Conflict(
            "FLEXMAIL_ENCRYPTION_KEYS holds one key. Put a new one before it, for every process,"
            " restart them, and call this again."
        )
    if store.path is not None:
        with _key_file():
            store.replace([Fernet.generate_key().decode(), *store.read()])
    with transaction():
        done = _seal_anew(key_ring())
        audit.record("keys_rotated", "encryption keys", proof=_told(done))
    return done


def drop_old() -> tuple[Rotation, int]:
    """Leave the newest key alone in our key file; commits.

    What an older process sealed in the meantime is sealed anew first. An operator's list is only
    looked at: whether its older keys are needed.

    Returns:
        What was sealed anew, and how many keys are not needed any more.

    Raises:
        Conflict: something needs an old key all the same, or may do so.
    """
    store = key_store()
    with _key_file():
        keys = store.read()
        newest = KeyRing(keys[0])
        with transaction():
            done = _seal_anew(key_ring())
            if _count(newest) > done.unreadable:
                raise Conflict("Something was sealed with an old key just now: call this again.")
            audit.record("keys_dropped", "encryption keys", proof={"keys": len(keys) - 1})
        if store.path is not None and len(keys) > 1:
            with transaction():  # nobody commits anything between this look and the new file
                _hold_still()
                if _count(newest) > done.unreadable:
                    raise Conflict("Something was sealed with an old key just now: call it again.")
                store.replace(keys[:1])
    return done, len(keys) - 1


def unreadable() -> int:
    """Count the sealed values that no key opens."""
    return _count(key_ring())


def sealed_columns() -> list[tuple[Table, list[Column[bytes]]]]:
    """Return every table that holds sealed values, with the columns that do."""
    found = [
        (table, [column for column in table.columns if column.name.startswith("sealed_")])
        for table in Base.metadata.sorted_tables
    ]
    return [(table, columns) for table, columns in found if columns]


def _seal_anew(ring: KeyRing) -> Rotation:
    sealed = lost = 0
    for table, column, rows in _values():
        fresh = []
        for number, value in rows:
            try:
                fresh.append({"number": number, "value": ring.rotate(value)})
            except SecretUnreadable:
                lost += 1
        if fresh:
            known = update(table).where(table.c.id == bindparam("number"))
            db.session.connection().execute(known.values({column.name: bindparam("value")}), fresh)
        sealed += len(fresh)
    return Rotation(sealed, lost)


def _hold_still() -> None:
    """Keep others from writing sealed values on PostgreSQL too, where they need not queue for it.

    Raises:
        Conflict: somebody is at it; what is not committed yet may need an old key.
    """
    if db.engine.dialect.name != "postgresql":
        return
    tables = ", ".join(table.name for table, _ in sealed_columns())
    try:
        db.session.execute(text(f"LOCK TABLE {tables} IN SHARE MODE NOWAIT"))
    except OperationalError as error:
        raise Conflict("Something is being sealed just now: call this again.") from error


def _count(ring: KeyRing) -> int:
    """Count the values that this ring does not open."""
    lost = 0
    for _, _, rows in _values():
        lost += sum(not ring.opens(value) for _, value in rows)
    return lost


def _values() -> Iterator[tuple[Table, Column[bytes], list[tuple[int, bytes]]]]:
    """Yield every sealed value with the id of its row, some rows at a time."""
    for table, columns in sealed_columns():
        for column in columns:
            wanted = select(table.c.id, column).where(column.is_not(None)).order_by(table.c.id)
            last = 0
            while rows := db.session.execute(
                wanted.where(table.c.id > last).limit(_AT_A_TIME)
            ).all():
                last = rows[-1][0]
                yield table, column, [(row[0], row[1]) for row in rows]


def _told(done: Rotation) -> dict[str, int]:
    return {"sealed": done.sealed, "unreadable": done.unreadable}


@contextmanager
def _key_file() -> Iterator[None]:
    """Change our key file alone, whoever else wants to."""
    path = key_store().path
    if path is None:
        yield
        return
    with path.with_name(".keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
