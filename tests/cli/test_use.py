"""How commands fail: one sentence on stderr and the exit code that fits, never a traceback."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy import event

from flexmail import cli
from flexmail.cli import console
from flexmail.db import db
from flexmail.errors import ConfigError
from tests.cli.conftest import Flexmail
from tests.conftest import Cast

GATE = ("approvals", "request")
ASK = (*GATE, "--title", "Deploy", "--approver")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = list(commands(click.Group("flexmail", cli.all_commands())))


@pytest.mark.parametrize("path", [(), *ALL], ids=" ".join)
def test_every_command_has_help_that_needs_no_application(
    capsys: pytest.CaptureFixture[str], path: tuple[str, ...]
) -> None:
    assert cli.run([*path, "--help"], no_app) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(" ".join(("Usage: flexmail", *path)))
    assert said.out.count("\n") > 5


def test_the_version_needs_no_application(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"], no_app) == 0
    assert capsys.readouterr().out.startswith("flexmail")


def no_app() -> Flask:
    raise AssertionError


BAD_USE = [
    ("nonsense",),
    ("--nonsense",),
    ("users", "nonsense"),
    ("users", "add"),
    ("users", "add", "x@corp.test"),
    ("users", "add", "x@corp.test", "--role", "boss"),
    ("users", "add", "no address", "--role", "admin"),
    ("users", "edit", "ada@corp.test"),
    ("users", "edit", "ada@corp.test", "--group", "a b"),
    ("users", "edit", "ada@corp.test", "--group", "a", "--no-groups"),
    ("users", "password", "ada@corp.test"),
    ("tokens", "create", "ci"),
    ("tokens", "create", "ci", "--scope", "everything"),
    ("tokens", "revoke", "x"),
    ("settings", "set"),
    ("settings", "set", "smtp_host_name"),
    ("settings", "set", "colour=red"),
    ("settings", "test", "--to", "nobody"),
    ("outbox", "retry", "99999999999999999999"),
    ("outbox", "list", "--state", "lost"),
    ("approvals", "list", "--limit", "0"),
    ("approvals", "list", "--cursor", "x"),
    ("approvals", "show", "0"),
]


def test_bad_use_is_2_and_one_line(flexmail: Flexmail, cast: Cast, mail_is_set_up: None) -> None:
    for args in BAD_USE:
        said = flexmail(*args)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), args


FAILURES = [
    ("users", "disable", "charlie@evil.test"),
    ("users", "password", "charlie@evil.test", "--password-stdin"),
    ("tokens", "revoke", "99"),
    ("outbox", "retry", "99"),
    ("approvals", "show", "99"),
    ("approvals", "cancel", "99"),
    ("settings", "test", "--to", "ada@corp.test"),
]


def test_a_failure_is_1_and_one_line(flexmail: Flexmail, cast: Cast) -> None:
    for args in FAILURES:
        said = flexmail(*args)
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1), args


BAD_USE_OF_THE_GATE = [
    GATE,
    (*GATE, "--nonsense"),
    ("--nonsense", *GATE),
    ("approvals", "--nonsense", "request"),
    (*ASK, "charlie@evil.test"),
    (*ASK, "group:nobody"),
    (*ASK, "bob@corp.test", "surplus"),
    (*ASK, "bob@corp.test", "--wait", "soon"),
    (*ASK, "bob@corp.test", "--wait=-1"),
    (*ASK, "bob@corp.test", "--wait", "nan"),
    (*ASK, "bob@corp.test", "--wait", "inf"),
    (*ASK, "bob@corp.test", "--expires-in", "1"),
    (*ASK, "bob@corp.test", "--link", "javascript:x"),
    (*ASK, "bob@corp.test", "--mail-decision", "never"),
    (*ASK, "bob@corp.test", "--details", "a\x1bb"),
    (*ASK, "\udcff@corp.test"),
]


def test_bad_use_of_the_gate_is_64(flexmail: Flexmail, cast: Cast, mail_is_set_up: None) -> None:
    for args in BAD_USE_OF_THE_GATE:
        said = flexmail(*args)
        assert (said.code, said.out, said.err.count("\n")) == (64, "", 1), args


def test_a_failure_of_the_gate_is_70(flexmail: Flexmail, cast: Cast) -> None:
    said = flexmail(*ASK, "bob@corp.test", "--wait")
    assert (said.code, said.out) == (70, "")
    assert "E-mail is not set up yet" in said.err


@pytest.mark.parametrize(
    "breakage", [ConfigError("bad"), RuntimeError("bug"), KeyboardInterrupt(), SystemExit(1)]
)
def test_whatever_breaks_the_gate_is_no_answer(breakage: BaseException) -> None:
    def create_app() -> Flask:
        raise breakage

    assert cli.run([*ASK, "bob@corp.test", "--wait"], create_app) == 70


def test_a_busy_database_is_a_failure_in_words(app: Flask, flexmail: Flexmail, cast: Cast) -> None:
    with app.app_context():
        event.listen(db.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=1"))
        db.engine.dispose()
        path = db.engine.url.database
    assert path
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    said = flexmail("users", "disable", cast.bob)
    holder.close()
    assert said.code == 1
    assert said.err == "The database cannot be used right now: database is locked.\n"
    with app.app_context():
        db.engine.dispose()


def test_a_file_that_is_no_database_is_a_failure_in_words(tmp_path: Path) -> None:
    (tmp_path / "flexmail.db").write_bytes(b"no database" * 100)
    said = flexmail_process("users", "list", instance=tmp_path)
    assert said.returncode == 1
    assert said.stderr == "The database cannot be used right now: file is not a database.\n"


def test_nothing_that_mail_brought_in_drives_the_terminal() -> None:
    assert "\x1b" not in console.printable("\x1b[2J\x1b]0;owned\x07")
    assert "\u202e" not in console.printable("\u202eevil")
    assert console.printable("über\n\tzwei ✓") == "über\n\tzwei ✓"


def flexmail_process(
    *args: str, instance: Path, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flexmail", *args],
        env={**os.environ, "FLEXMAIL_INSTANCE_PATH": str(instance), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_itself_exits_with_these_codes(tmp_path: Path) -> None:
    added = flexmail_process(
        "users", "add", "ada@corp.test", "--role", "admin", "--json", instance=tmp_path
    )
    assert (added.returncode, added.stderr.count("\n")) == (0, 1)
    assert flexmail_process("approvals", "request", instance=tmp_path).returncode == 64
    assert flexmail_process("users", "add", instance=tmp_path).returncode == 2


def test_a_bad_environment_stops_with_one_sentence_that_names_it(tmp_path: Path) -> None:
    for args, code in ((("users", "list"), 1), ((*ASK, "ada@corp.test"), 70)):
        said = flexmail_process(*args, instance=tmp_path, FLEXMAIL_TIMEZONE="Mars/Olympus")
        assert said.returncode == code
        assert said.stderr.startswith("FLEXMAIL_TIMEZONE")
        assert said.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_rejection(tmp_path: Path) -> None:
    environment = {**os.environ, "FLEXMAIL_INSTANCE_PATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "flexmail", *GATE, "--help"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout
        process.stdout.close()
    assert process.returncode == 70
