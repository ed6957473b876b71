"""The command line: `flexmail GROUP COMMAND`, each command one call of a service.

Errors are one sentence on stderr: exit 2 for bad use or a bad value, 1 for a failure. Under
`approvals request` these are 64 and 70 (sysexits.h), since there 0 to 3 say what was decided.
A command is mostly imports, so what only some of them need is imported where it is needed.
"""

from __future__ import annotations

import atexit
import gc
import getpass
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from flexmail.cli import console
from flexmail.errors import FlexmailError, InvalidInput

if TYPE_CHECKING:
    from flask import Flask
    from flask.cli import ScriptInfo

GROUPS = {
    "approvals": ("approvals:group", "Requests for a yes or no."),
    "audit": ("audit:group", "Who did what, on which proof."),
    "backup": ("copies:backup", "Copy the SQLite database into a new file, while flexmail runs."),
    "callbacks": ("callbacks:group", "What programs are told once an approval is final."),
    "db": ("database:group", "The tables of the database."),
    "events": ("events:group", "What happened, told to whoever wants to know."),
    "keys": ("keys:group", "What seals stored secrets."),
    "outbox": ("outbox:group", "Mail that waits to go out."),
    "replies": ("replies:group", "Mail that answers."),
    "restore": ("copies:restore", "Put a backup back, or claim a database of another flexmail."),
    "settings": ("settings:group", "How mail is sent and replies are read."),
    "tokens": ("tokens:group", "Keys that programs use for the API."),
    "users": ("users:group", "Accounts: who administers, who approves."),
}
"""Where each command is, and its line in the list of them."""
_HELP = "Ask people for a yes or no by mail, and let them answer by mail."
_GATE = {"approvals", "request"}


class _Flexmail(click.Group):
    def __init__(self, create_app: Callable[[], Flask], **given: Any) -> None:
        super().__init__("flexmail", **given)
        self._create_app = create_app

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*GROUPS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in GROUPS:
            _collect_garbage_from_now_on()
            return super().get_command(ctx, cmd_name)
        ctx.obj = ctx.obj or _script_info(self._create_app, ctx)
        return _imported(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = {name: line for name, (_place, line) in GROUPS.items()}
        lines |= {name: command.get_short_help_str(60) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(lines.items()))


def all_commands() -> dict[str, click.Command]:
    """Return all commands and groups by name, imported."""
    return {name: _imported(name) for name in GROUPS}


def _imported(command: str) -> click.Command:
    module, _, name = GROUPS[command][0].partition(":")
    found: click.Command = getattr(importlib.import_module(f"flexmail.cli.{module}"), name)
    return found


def main(create_app: Callable[[], Flask], extra: Sequence[click.Command] = ()) -> None:
    """Run the command that the arguments name, and exit.

    Nothing of what is loaded is garbage: searching it for some while it grows, and taking it apart
    at the exit, would take a third of most commands' time.
    """
    gc.disable()
    codes: list[int] = []
    atexit.register(_leave, codes)  # the first, so it comes last
    codes.append(run(sys.argv[1:], create_app, extra))
    sys.exit(codes[0])


def _leave(codes: Sequence[int]) -> None:
    """End the process, once all that is to be done at its exit was done; it has threads no more."""
    if not codes:
        return
    try:
        if sys.stdout:
            sys.stdout.flush()
    except (OSError, ValueError):
        return  # Python has its own words and its own exit code for that
    with suppress(OSError, ValueError):
        if sys.stderr:
            sys.stderr.flush()
    logging.shutdown()  # which was registered before
    os._exit(codes[0])


def _collect_garbage_from_now_on() -> None:
    """Let what is loaded by now be left out of each search; only `main` has to be told."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run(
    args: Sequence[str], create_app: Callable[[], Flask], extra: Sequence[click.Command] = ()
) -> int:
    """Run a command and return its exit code; the application is built only if it is needed."""
    bad_use, failure = (64, 70) if set(args) >= _GATE else (2, 1)
    try:
        return _invoke(args, create_app, extra)
    except click.exceptions.NoArgsIsHelpError as error:
        with suppress(OSError):  # the code says it where nobody reads
            error.show()
        return bad_use
    except click.UsageError as error:
        return console.complain(error.format_message(), bad_use)
    except InvalidInput as error:
        return console.complain(str(error), bad_use)
    except click.ClickException as error:
        return console.complain(error.format_message(), failure)
    except FlexmailError as error:
        return console.complain(str(error), failure)
    except click.Abort:
        return console.complain("Interrupted.", failure)
    except SystemExit:
        return failure  # click's answer to a reader that went away
    except Exception as error:
        from sqlalchemy.exc import DatabaseError, OperationalError

        # The first by itself is a file that is damaged, or no database.
        if isinstance(error, OperationalError) or type(error) is DatabaseError:
            sentence = f"The database cannot be used right now: {error.orig}."
            return console.complain(sentence, failure)
        with suppress(OSError):
            traceback.print_exc()
        return failure


def _invoke(
    args: Sequence[str], create_app: Callable[[], Flask], extra: Sequence[click.Command]
) -> int:
    if any("\ud800" <= character <= "\udfff" for arg in args for character in arg):
        raise click.UsageError("Arguments have to be valid UTF-8.")
    commands = {command.name or "": command for command in extra}
    flexmail = _Flexmail(create_app, commands=commands, help=_HELP)
    click.version_option(package_name="flexmail")(flexmail)
    code = flexmail.main(list(args), prog_name="flexmail", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _script_info(create_app: Callable[[], Flask], ctx: click.Context) -> ScriptInfo:
    """Return what builds the application for a command that needs it, and closes its database."""
    from flask.cli import ScriptInfo

    def made() -> Flask:
        app = create_app()
        _act_as_user(app)
        _collect_garbage_from_now_on()
        ctx.call_on_close(partial(_close_database, app))
        return app

    return ScriptInfo(create_app=made, set_debug_flag=False, load_dotenv_defaults=False)


def _close_database(app: Flask) -> None:
    """Close each connection: the last one to a SQLite file takes in what stands beside it."""
    from flexmail.db import db

    with app.app_context():
        db.engine.dispose()


def _act_as_user(app: Flask) -> None:
    """Let the audit log say which user of this machine gave the command."""
    from flexmail.services import audit

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    with app.app_context():
        audit.act_always_as(name, "command")
