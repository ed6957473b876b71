"""The command line: `flexmail GROUP COMMAND`, each command one call of a service.

Errors are one sentence on stderr: exit 2 for bad use or a bad value, 1 for a failure. Under
`approvals request` these are 64 and 70 (sysexits.h), since there 0 to 3 say what was decided.
"""

from __future__ import annotations

import getpass
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence

import click
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy.exc import OperationalError

from flexmail.cli import console
from flexmail.errors import FlexmailError, InvalidInput
from flexmail.services import audit as audit_log

GROUPS = {
    "approvals": "approvals:group",
    "audit": "audit:group",
    "backup": "copies:backup",
    "callbacks": "callbacks:group",
    "db": "database:group",
    "events": "events:group",
    "keys": "keys:group",
    "outbox": "outbox:group",
    "replies": "replies:group",
    "restore": "copies:restore",
    "settings": "settings:group",
    "tokens": "tokens:group",
    "users": "users:group",
}
"""Where each command is; it is imported when it is asked for, since all together take a while."""
_HELP = "Ask people for a yes or no by mail, and let them answer by mail."
_GATE = {"approvals", "request"}


class _Flexmail(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*GROUPS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _imported(cmd_name) if cmd_name in GROUPS else super().get_command(ctx, cmd_name)


def all_commands() -> dict[str, click.Command]:
    """Return all commands and groups by name, imported."""
    return {name: _imported(name) for name in GROUPS}


def _imported(command: str) -> click.Command:
    module, _, name = GROUPS[command].partition(":")
    found: click.Command = getattr(importlib.import_module(f"flexmail.cli.{module}"), name)
    return found


def main(create_app: Callable[[], Flask], extra: Sequence[click.Command] = ()) -> None:
    """Run the command that the arguments name, and exit."""
    sys.exit(run(sys.argv[1:], create_app, extra))


def run(
    args: Sequence[str], create_app: Callable[[], Flask], extra: Sequence[click.Command] = ()
) -> int:
    """Run a command and return its exit code; the application is built only if it is needed."""
    bad_use, failure = (64, 70) if set(args) >= _GATE else (2, 1)
    try:
        return _invoke(args, create_app, extra)
    except click.exceptions.NoArgsIsHelpError as error:
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
    except OperationalError as error:
        return console.complain(f"The database cannot be used right now: {error.orig}.", failure)
    except click.Abort:
        return console.complain("Interrupted.", failure)
    except SystemExit:
        return failure  # click's answer to a reader that went away
    except Exception:
        traceback.print_exc()
        return failure


def _invoke(
    args: Sequence[str], create_app: Callable[[], Flask], extra: Sequence[click.Command]
) -> int:
    if not all(_is_text(arg) for arg in args):
        raise click.UsageError("Arguments have to be valid UTF-8.")
    flexmail = _Flexmail("flexmail", {command.name or "": command for command in extra}, help=_HELP)
    click.version_option(package_name="flexmail")(flexmail)
    info = ScriptInfo(
        create_app=lambda: _as_user(create_app()), set_debug_flag=False, load_dotenv_defaults=False
    )
    code = flexmail.main(list(args), prog_name="flexmail", obj=info, standalone_mode=False)
    return code if isinstance(code, int) else 0


def _as_user(app: Flask) -> Flask:
    """Let the audit log say which user of this machine gave the command."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    with app.app_context():
        audit_log.act_always_as(name, "command")
    return app


def _is_text(arg: str) -> bool:
    try:
        arg.encode()
    except UnicodeEncodeError:
        return False
    return True
