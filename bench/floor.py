"""What a drain costs before anything is read or judged: the bytes moved, sealed and stored.

What flexmail wrote about the same mails is written once more into a copy of the same database, with
sqlite3 alone and in the same two commits a batch. Of each mail a copy is deflated and sealed, what
we had sent is opened, and an answer is sealed.
"""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.fernet import Fernet

from bench import raw
from bench.servers import Dovecot

FIRST_SEEN = (
    *("id", "account", "folder", "uidvalidity", "uid", "sha256", "size_bytes", "tries", "reason"),
    *("sender", "subject", "message_id", "raw_partial", "kept_by_server", "first_seen_at"),
)
SETTLED = (
    *("outcome", "reason", "processed_at", "sender", "subject", "message_id", "approval_id"),
    "sealed_raw",
)
_SENT = "SELECT sealed_content FROM outbox_contents JOIN outbox USING (id)"
Rows = Sequence[Mapping[str, Any]]


class Floor:
    """What flexmail wrote about the mails of a folder, to be written again.

    Args:
        before, after: the instance folder before the drain, and after it.
    """

    def __init__(self, before: Path, after: Path, count: int) -> None:
        self._before = before
        self._fernet = Fernet((after / "encryption.key").read_text().split()[0])
        with closing(_open(after)) as database:
            self._replies = _last(database, "replies", count)
            self._decisions = _last(database, "decisions", count)
            self._mails = _last(database, "outbox", count)
            self._contents = _last(database, "outbox_contents", count)
            self._audit = _last(database, "audit", count)
            self._closed = list(map(dict, database.execute("SELECT * FROM approvals ORDER BY id")))
        self._closed = self._closed[-count:]
        self._answers = [self._fernet.decrypt(row["sealed_content"]) for row in self._contents]

    def drain(self, dovecot: Dovecot, user: str) -> None:
        """Empty the inbox over one connection, in batches of 30."""
        with TemporaryDirectory(prefix="bench-floor-") as folder:
            shutil.copytree(self._before, folder, dirs_exist_ok=True)
            with closing(_open(Path(folder))) as database:
                self._drain(raw.connect(dovecot, user), database)

    def _drain(self, imap: Any, database: sqlite3.Connection) -> None:
        for start in range(0, len(self._replies), raw.BATCH):
            batch = slice(start, start + raw.BATCH)
            mails = raw.fetched(imap, len(self._replies[batch]))
            with _transaction(database, "NORMAL"):
                _insert(database, "replies", _only(self._replies[batch], FIRST_SEEN))
            self._open_sent(database, self._closed[batch])
            sealed = [self._fernet.encrypt(zlib.compress(mail, 3)) for mail in mails]
            answers = map(self._fernet.encrypt, self._answers[batch])
            with _transaction(database, "FULL"):
                self._settle(database, batch, sealed, list(answers))
            raw.delete(imap, len(mails))
        imap.logout()

    def _settle(
        self, database: sqlite3.Connection, batch: slice, sealed: list[bytes], answers: list[bytes]
    ) -> None:
        replies = [
            {**row, "sealed_raw": copy}
            for row, copy in zip(self._replies[batch], sealed, strict=True)
        ]
        _update(database, "replies", SETTLED, replies)
        _update(database, "approvals", ("status", "decided_at"), self._closed[batch])
        _insert(database, "decisions", self._decisions[batch])
        _insert(database, "outbox", self._mails[batch])
        contents = zip(self._contents[batch], answers, strict=True)
        _insert(
            database,
            "outbox_contents",
            [{**row, "sealed_content": answer} for row, answer in contents],
        )
        _insert(database, "audit", self._audit[batch])

    def _open_sent(self, database: sqlite3.Connection, approvals: Rows) -> None:
        """Open what we had sent about these."""
        marks = ", ".join("?" * len(approvals))
        found = database.execute(
            f"{_SENT} WHERE kind = 'approval_request' AND approval_id IN ({marks})",
            [row["id"] for row in approvals],
        )
        for (sealed,) in found.fetchall():
            zlib.decompress(self._fernet.decrypt(sealed))


def _open(instance: Path) -> sqlite3.Connection:
    database = sqlite3.connect(instance / "flexmail.db", isolation_level=None)
    database.execute("PRAGMA foreign_keys=ON")
    database.row_factory = sqlite3.Row
    return database


@contextmanager
def _transaction(database: sqlite3.Connection, synchronous: str) -> Iterator[None]:
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("BEGIN IMMEDIATE")
    yield
    database.execute("COMMIT")


def _last(database: sqlite3.Connection, table: str, count: int) -> list[dict[str, Any]]:
    found = database.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT {count}")  # noqa: S608 (names of our own)
    return [dict(row) for row in found][::-1]


def _only(rows: Rows, names: Sequence[str]) -> Rows:
    return [{name: row[name] for name in names} for row in rows]


def _insert(database: sqlite3.Connection, table: str, rows: Rows) -> None:
    names = ", ".join(f'"{name}"' for name in rows[0])
    values = ", ".join(f":{name}" for name in rows[0])
    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", rows)  # noqa: S608 (names of our own)


def _update(database: sqlite3.Connection, table: str, names: Sequence[str], rows: Rows) -> None:
    values = ", ".join(f"{name} = :{name}" for name in names)
    database.executemany(f"UPDATE {table} SET {values} WHERE id = :id", rows)  # noqa: S608 (names of our own)
