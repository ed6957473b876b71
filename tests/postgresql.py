"""A PostgreSQL of the tests' own: a child process, unprivileged, on a socket in its directory.

It forgets nothing that is committed, but writes to no disk in time: no test cuts the power.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path
from typing import Self

import psycopg

from tests.servers import Child

_START_SECONDS = "15"
_FAST = ("fsync=off", "full_page_writes=off", "listen_addresses=")


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL that Debian installed, None without one."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


class PostgreSql(Child):
    """A cluster; `new_database` makes a copy of what a template holds, empty by default."""

    def __init__(self) -> None:
        super().__init__("postgresql-")
        self._data = self.directory / "data"
        self._numbers = itertools.count(1)

    def start(self) -> Self:
        os.chown(self.directory, self._owner.pw_uid, self._owner.pw_gid)
        self._call(
            "initdb",
            "--auth=trust",
            "--username=flexmail",
            "--no-sync",
            "--no-locale",
            "-E",
            "UTF8",
        )
        options = " ".join(
            f"-c {option}" for option in (*_FAST, f"unix_socket_directories={self.directory}")
        )
        self._call(
            "pg_ctl",
            "start",
            "--wait",
            "-t",
            _START_SECONDS,
            "-o",
            options,
            "-l",
            str(self.directory / "log"),
        )
        return self

    def pause(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._call("pg_ctl", "stop", "--wait", "-m", "immediate")

    def log(self) -> str:
        log = self.directory / "log"
        return log.read_text() if log.exists() else ""

    def new_database(self, template: str = "template0") -> str:
        """Make a database and return its name."""
        name = f"flexmail{next(self._numbers)}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def uri(self, database: str) -> str:
        return f"postgresql+psycopg://flexmail@/{database}?host={self.directory}"

    def _conninfo(self, database: str) -> str:
        return f"host={self.directory} user=flexmail dbname={database}"

    def _call(self, name: str, *arguments: str) -> None:
        folder = binaries()
        assert folder is not None
        subprocess.run(
            [str(folder / name), "-D", str(self._data), *arguments],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=60,
            **self.as_owner(),
        )
