"""flexmail as production runs it: gunicorn as a child process, with an instance of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    Request,
    build_opener,
    urlopen,
)

import pytest
from sqlalchemy import func, select

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.models import Channel, Reply
from flexmail.services import inbox, leases, status, tokens
from tests.story.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
ROUNDING = timedelta(seconds=1)
"""The status gives whole seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page answered."""

    status_code: int
    text: str


class Browser:
    """Keeps cookies and follows no redirect; each request is a connection, to any worker."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(HTTPCookieProcessor(), _Stay())

    def get(self, path: str) -> Answer:
        return self._open(Request(self._url + path))

    def post(self, path: str, *, data: dict[str, str]) -> Answer:
        return self._open(Request(self._url + path, data=urlencode(data).encode()))

    def _open(self, request: Request) -> Answer:
        try:
            with self._opener.open(request, timeout=20) as answer:
                return Answer(answer.status, answer.read().decode())
        except HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Gunicorn:
    """Serve with `with`; the port is known from then on.

    Its rows can be looked at from here too (`rows`), for it is the same database.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self.instance = folder / "instance"
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("FLEXMAIL_INSTANCE_PATH", str(self.instance))
            self._app = create_app({"TESTING": True})
        with self.rows():
            _, self._secret = tokens.create("story", tokens.SCOPES, now=datetime.now(UTC))

    def __enter__(self) -> Self:
        # The socket is made here and handed over: nobody else can take the port meanwhile.
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            bind = f"fd://{listener.fileno()}"
            command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--bind", bind]
            with (self._folder / "gunicorn.log").open("wb") as log:
                self.master = subprocess.Popen(
                    [*command, *self._flags, "wsgi:app"],
                    cwd=ROOT,
                    env={
                        "PATH": os.environ["PATH"],
                        "HOME": str(self._folder),
                        "FLEXMAIL_INSTANCE_PATH": str(self.instance),
                    },
                    pass_fds=[listener.fileno()],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        try:
            wait_for(self._is_owned, seconds=START_SECONDS, what="a worker owns")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask master and workers to end, and wait until they have."""
        if self.master.poll() is None:
            self.master.send_signal(signal.SIGTERM)
            self.master.wait(30)
        with self._app.app_context():
            db.engine.dispose()

    def _is_owned(self) -> bool:
        with suppress(TimeoutError):  # a busy machine takes its time to start four workers
            return self.owner() in self.names()
        return False

    @contextmanager
    def rows(self) -> Iterator[None]:
        with self._app.app_context():
            yield

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON that the API answers; each call is a connection, to any worker."""
        request = Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._secret}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error

    def save(self, **values: object) -> None:
        self.call("PUT", "/settings/email", values)

    def replies(self) -> dict[str, Any]:
        """Return what the status says about the reply job."""
        return dict(self.call("GET", "/status")["reply_processing"])

    def owner(self) -> str | None:
        owner = self.replies()["owner"]
        return None if owner is None else str(owner)

    def workers(self) -> set[int]:
        """Return the process ids of the workers alive."""
        children = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def names(self) -> set[str]:
        """Return host:pid of each worker."""
        return {f"{socket.gethostname()}:{pid}" for pid in self.workers()}

    def last_run_at(self) -> datetime | None:
        run = self.replies()["last_run"]
        return None if run is None else datetime.fromisoformat(run["at"])

    def next_run_at(self) -> datetime | None:
        moment = self.replies()["next_run_at"]
        return None if moment is None else datetime.fromisoformat(moment)

    def wait_for_run(self, *, after: datetime | None, seconds: float) -> datetime:
        """Return when the first finished run after that moment began."""

        def found() -> datetime | None:
            at = self.last_run_at()
            return at if at and (after is None or at > after) else None

        at = wait_for(found, seconds=seconds, what=f"a finished run after {after}")
        assert at is not None
        return at

    def let_last_run_be(self, ago: timedelta) -> datetime:
        """Write down that the last run began so long ago, as if that time had gone by."""
        began = datetime.now(UTC) - ago
        with self.rows(), transaction():
            db.session.get_one(Channel, inbox.CHANNEL).started_at = began
        return began

    def lease_holder(self, name: str = status.JOBS_LEASE) -> str:
        with self.rows():
            return leases.holder(name, now=datetime.now(UTC))

    def settled(self) -> int:
        """Return how many mails have an outcome."""
        with self.rows():
            found = select(func.count(Reply.id)).where(Reply.outcome.is_not(None))
            return db.session.scalar(found) or 0

    def log(self) -> str:
        return (self._folder / "gunicorn.log").read_text()
