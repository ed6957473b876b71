"""How little a command loads: each runs anew, and some run every minute for nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import click
import pytest
from flask import Flask

from flexmail import cli
from flexmail.demo.mailserver import MailServer
from tests.cli.conftest import Flexmail
from tests.cli.test_mail import junk, use

# Prints, after what the command says, the modules that it loaded.
_WATCHED = """
import sys
from functools import partial
from flexmail import cli, create_app, demo
cli.run(sys.argv[1:], partial(create_app, pages=False), [demo.command])
print(*sys.modules, sep="\\n")
"""
# Prints, while a command is at work, whether garbage is collected.
_COLLECTING = """
import gc
import click
from flexmail import cli, create_app
from flexmail.cli import console
console.say_json = tell = lambda _=None: print(gc.isenabled())
cli.main(lambda: create_app(pages=False), [click.Command("own", callback=tell)])
"""
# Leaves two things to the exit, and ends with 3.
_ENDING = """
import atexit
import sys
import click
from flexmail import cli
def own():
    atexit.register(print, ", and what the exit says")
    sys.stdout.write("What no line ends")
    return 3
cli.main(lambda: None, [click.Command("own", callback=own)])
"""
# Where the application cannot even be built.
_BROKEN = """
from flexmail import cli
cli.main(lambda: 1 / 0)
"""
_REQUEST = ("approvals", "request", "--title", "Deploy", "--approver")
WEB = {"flexmail.views", "flask_login", "flask_smorest", "flask_wtf", "gunicorn", "wtforms"}
UPGRADE = {"alembic", "flask_migrate"}
MAIL_READ = {"flexmail.mail.parse", "flexmail.mail.reply", "lxml"}
A_CHILD = {"flexmail.services.apart", "flexmail.services.child"}
SELDOM = {"apscheduler", "email_validator", "sqlalchemy.dialects.postgresql"}
FOR_A_MAIL = {
    "email.policy",
    "flexmail.mail.bounded",
    "flexmail.mail.decision",
    "flexmail.services.folder_scan",
    "flexmail.services.tries",
    "flexmail.transport.structure",
    "imapclient",
}
TO_SEND = {
    "flexmail.mail.address",
    "flexmail.mail.authenticate",
    "flexmail.mail.compose",
    "flexmail.services.outbox",
    "flexmail.transport.smtp",
    "flexmail.transport.webhook",
    "smtplib",
}


def loaded_by(*args: str) -> set[str]:
    return set(said_by(_WATCHED, *args).splitlines())


def said_by(program: str, *args: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program, *args],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout


@pytest.fixture
def mailbox(app: Flask, flexmail: Flexmail, embedded: MailServer) -> MailServer:
    """A reply folder that is empty, and flexmail's own."""
    use(app, embedded)
    assert flexmail("replies", "process").out == "Processed 0, 0 left in the folder.\n"
    return embedded


def test_a_run_over_an_empty_folder_loads_nothing_that_reads_mail(mailbox: MailServer) -> None:
    loaded = loaded_by("replies", "process")
    assert "Processed 0, 0 left in the folder." in loaded
    seldom = WEB | UPGRADE | MAIL_READ | A_CHILD | SELDOM | FOR_A_MAIL | TO_SEND
    assert loaded & seldom == set()


def test_a_run_that_finds_a_mail_loads_what_reads_it(mailbox: MailServer) -> None:
    mailbox.deliver("ada@example.test", junk(1))
    loaded = loaded_by("replies", "process")
    assert "Processed 1, 0 left in the folder." in loaded
    assert loaded >= A_CHILD | {"flexmail.mail.parse", "flexmail.mail.reply"}


@pytest.mark.parametrize("args", [("approvals", "list"), ("outbox", "list"), ("users", "list")])
def test_a_list_loads_neither_pages_nor_migrations(app: Flask, args: tuple[str, ...]) -> None:
    assert loaded_by(*args) & (WEB | UPGRADE | {"apscheduler"}) == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_no_web_and_no_database(option: str) -> None:
    assert loaded_by(option) & {"flask", "sqlalchemy", "cryptography"} == set()


def test_the_list_of_commands_says_of_each_what_its_own_help_says_first() -> None:
    for name, (_place, line) in cli.GROUPS.items():
        command = cli.all_commands()[name]
        assert (command.help or "").splitlines()[0] == line
        assert command.name == name


def test_the_list_of_commands_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    extra = click.Command("demo", help="Try it.")
    assert cli.run(["--help"], lambda: pytest.fail("Nothing was asked for."), [extra]) == 0
    shown = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in shown] == sorted({*cli.GROUPS, "demo"})


@pytest.mark.parametrize("args", [("own",), ("users", "list", "--json")])
def test_garbage_is_collected_once_a_command_is_at_work(args: tuple[str, ...]) -> None:
    assert said_by(_COLLECTING, *args) == "True\n"


def test_a_command_does_at_its_exit_what_was_left_to_it() -> None:
    ended = ending(subprocess.PIPE)
    assert ended.stdout == "What no line ends, and what the exit says\n"
    assert (ended.returncode, ended.stderr) == (3, "")


def test_a_command_that_cannot_say_its_last_words_fails() -> None:
    with Path("/dev/full").open("w") as full:
        ended = ending(full)
    assert ended.returncode == 120
    assert "No space left on device" in ended.stderr


@pytest.mark.parametrize(
    ("args", "code"), [(_REQUEST, 64), ((*_REQUEST, "ada@corp.test"), 70), (("approvals",), 2)]
)
def test_a_command_that_nobody_hears_complain_fails_as_any_other(
    args: tuple[str, ...], code: int
) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", _BROKEN, *args], stderr=full, timeout=60, check=False
        )
    assert ended.returncode == code  # of a request, 0 to 3 say what was decided


def ending(stdout: int | IO[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _ENDING, "own"],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_leaves_the_database_in_one_file(tmp_path: Path) -> None:
    loaded_by("users", "list")
    assert {path.name for path in (tmp_path / "instance").glob("flexmail.db*")} == {"flexmail.db"}
