"""The database fails under a run: nothing is deleted that is not committed, and it heals."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from flexmail.db import db
from flexmail.services import tokens
from tests.conftest import NOW
from tests.faults.acts import Fault, cut, hook
from tests.faults.oracle import Scene

pytestmark = pytest.mark.dovecot

NewScene = Callable[..., Scene]
LISTED, ASKED, STORE = rb" FETCH 1:", rb"UID FETCH .*BODY", rb"UID STORE"


def file_of(app: Flask) -> Path:
    return Path(app.instance_path, "flexmail.db")


@contextmanager
def with_pragma(pragma: str) -> Iterator[None]:
    """Give every connection a pragma while the block lasts."""

    def set_it(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA {pragma}")

    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", set_it)
    try:
        yield
    finally:
        event.remove(db.engine, "connect", set_it)
        db.session.remove()
        db.engine.dispose()


class Lock:
    """Holds the write lock as another process would; flexmail waits 50 ms for it, not 10 s."""

    def __init__(self, app: Flask) -> None:
        self._other = sqlite3.connect(
            file_of(app), isolation_level=None, check_same_thread=False, timeout=5
        )

    def take(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._other.close()


@pytest.fixture
def lock(context: Flask) -> Iterator[Lock]:
    lock = Lock(context)
    with with_pragma("busy_timeout=50"):
        yield lock
        lock.release()


@pytest.mark.parametrize(
    ("at", "deleted"), [(b"", False), (LISTED, False), (ASKED, False), (STORE, True)]
)
def test_a_locked_database_deletes_nothing_that_is_not_committed(
    at: bytes, deleted: bool, new_scene: NewScene, lock: Lock
) -> None:
    scene = new_scene()
    fault = Fault("flexmail", at, hook(lock.take))
    if at:
        scene.proxy.put(fault)
    else:
        lock.take()

    error = scene.run_into_trouble()

    assert fault.fired == bool(at)
    assert "locked" in str(error)
    assert (len(scene.look()) < 23) == deleted
    scene.nothing_is_lost()
    lock.release()
    scene.let_leases_run_out()
    scene.clear()


@pytest.fixture
def token(context: Flask) -> dict[str, str]:
    _, secret = tokens.create("ci", tokens.SCOPES, now=NOW)
    return {"Authorization": f"Bearer {secret}"}


WRITES: list[tuple[str, str, object]] = [
    ("POST", "/approvals", {"title": "Deploy", "approvers": ["bob@corp.test"]}),
    ("POST", "/approvals/1/cancel", {}),
    ("PUT", "/settings/email", {"email_reply_process_interval": 7}),
]


def asks(app: Flask, token: dict[str, str]) -> dict[str, int]:
    """Ask the API whatever it can be asked; return the status codes."""
    client, codes = app.test_client(), {}
    for method, path, body in WRITES:
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers=token)
        codes[f"{method} {path}"] = answer.status_code
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1"):
            path = rule.rule
            for name in rule.arguments:
                path = path.replace(f"<row:{name}>", "1").replace(f"<{name}>", "1")
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                body = {} if method in ("POST", "PUT", "PATCH") else None
                answer = client.open(path, method=method, json=body, headers=token)
                codes.setdefault(f"{method} {path.removeprefix('/api/v1')}", answer.status_code)
    return codes


def test_while_the_database_is_locked_the_api_answers_503_and_never_500(
    context: Flask, token: dict[str, str], lock: Lock
) -> None:
    lock.take()

    found = asks(context, token)

    assert {found[f"{method} {path}"] for method, path, _ in WRITES} == {503}
    assert [name for name, code in found.items() if code >= 500 and code != 503] == []
    lock.release()
    assert [name for name, code in asks(context, token).items() if code >= 500] == []


def test_while_the_disk_is_full_the_api_answers_503_and_never_500(
    context: Flask, token: dict[str, str]
) -> None:
    with with_pragma(f"max_page_count={pages(context)}"):
        codes = [asks(context, token) for _ in range(10)]

    assert codes[-1]["POST /approvals"] == 503
    assert {code for found in codes for code in found.values() if code >= 500} == {503}
    assert asks(context, token)["POST /approvals"] == 201


def pages(app: Flask) -> int:
    with closing(sqlite3.connect(file_of(app))) as other:
        return int(other.execute("PRAGMA page_count").fetchone()[0])


@pytest.mark.parametrize("room", [0, 8, 16])
def test_a_full_disk_deletes_nothing_and_heals(
    room: int, context: Flask, new_scene: NewScene
) -> None:
    scene = new_scene()
    db.session.rollback()
    with with_pragma(f"max_page_count={pages(context) + room}"):
        error = scene.run_into_trouble()
        assert error is not None
        assert "full" in f"{error} {error.__context__}"  # SQLite ends the transaction by itself
        scene.nothing_is_lost()
        assert len(scene.look()) == 23

    scene.let_leases_run_out()
    scene.clear()


@pytest.mark.parametrize("how_far", ["all is deleted", "nothing is deleted", "all are there"])
def test_a_database_restored_from_an_older_backup_decides_nothing_wrongly(
    how_far: str, context: Flask, new_scene: NewScene, tmp_path: Path
) -> None:
    scene = new_scene()
    backup = tmp_path / "backup.db"
    copy(context, backup)
    if how_far == "nothing is deleted":
        scene.proxy.put(Fault("flexmail", STORE, cut))
    scene.run()
    before = {raw for _, raw in scene.look().values()}

    restore(context, backup)
    scene.reports.clear()
    gone = [mail for mail in scene.mails if mail.raw not in before]
    scene.lost += gone
    if how_far == "all are there":
        scene.lost.clear()
        scene.deliver_another(*gone)

    scene.let_leases_run_out()
    scene.clear()
    assert len(scene.rows()) == len(scene.mails) - len(scene.lost)


def copy(app: Flask, target: Path) -> None:
    with closing(sqlite3.connect(file_of(app))) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


def restore(app: Flask, source: Path) -> None:
    db.session.remove()
    db.engine.dispose()
    for ending in ("-wal", "-shm"):
        Path(f"{file_of(app)}{ending}").unlink(missing_ok=True)
    shutil.copy(source, file_of(app))


class NthFails:
    """Lets the n-th statement, or commit, fail as SQLite does when a disk breaks."""

    def __init__(self, number: int) -> None:
        self.left, self.said = number, ""

    def __enter__(self) -> NthFails:
        event.listen(db.engine, "before_cursor_execute", self._statement)
        event.listen(db.engine, "commit", self._commit)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(db.engine, "before_cursor_execute", self._statement)
        event.remove(db.engine, "commit", self._commit)

    def _statement(self, _c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self._count(statement)

    def _commit(self, _connection: Any) -> None:
        self._count("COMMIT")

    def _count(self, said: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.said = said
            raise OperationalError(said, {}, sqlite3.OperationalError("disk I/O error"))


@pytest.mark.parametrize("first", range(1, 5))
def test_the_nth_statement_fails_for_every_n(
    first: int, context: Flask, new_scene: NewScene, tmp_path: Path
) -> None:
    """Every fourth from the first on: four tests come to all of them."""
    scene = new_scene(count=2, junk=False, marked=False)
    backup = tmp_path / "backup.db"
    copy(context, backup)
    failed: list[str] = []
    for number in range(first, 1000, 4):
        with NthFails(number) as fault:
            scene.run_into_trouble()
        if not fault.said:
            break
        failed.append(fault.said)
        scene.nothing_is_lost()
        scene.let_leases_run_out()
        scene.clear()
        scene.begin_again(lambda: restore(context, backup))

    assert len(failed) > 12  # a run asks some sixty times
    scene.clear()
