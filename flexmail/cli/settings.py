"""`flexmail settings`: the table of the settings page, for scripts.

Secrets come through stdin alone: what stands on a command line, every user of the machine can read
in the process list, and the shell keeps it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup
from wtforms import BooleanField, IntegerField

from flexmail.cli import console
from flexmail.errors import Conflict, InvalidInput
from flexmail.forms import EmailSettingsForm, values_from
from flexmail.mail.address import normalise
from flexmail.services import diagnosis, reply_folders, settings
from flexmail.services.shapes import settings_shape

group = AppGroup("settings", help="How mail is sent and replies are read.")

_TRUTHS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


@group.command("show")
@console.json_option
def show(as_json: bool) -> None:
    """Print the settings; of a password only whether it is set."""
    shape = settings_shape(settings.load())
    if as_json:
        console.say_json(shape)
        return
    in_force = shape.pop("in_force")
    rows = [(name, _shown(value)) for name, value in shape.items()]
    rows += [(f"in force: {name}", _shown(value)) for name, value in in_force.items()]
    console.say_table(("KEY", "VALUE"), rows)


@group.command("set")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--from-json", is_flag=False, metavar="-", help="Read a JSON object from stdin.")
@console.json_option
def set_values(pairs: tuple[str, ...], from_json: str | None, as_json: bool) -> None:
    """Change what is given; the rest stays. It works at once.

    Passwords: echo '{"smtp_password": "..."}' | flexmail settings set --from-json -
    """
    if from_json not in (None, "-"):
        raise click.UsageError("--from-json reads stdin: give it as --from-json -")
    if not pairs and from_json is None:
        raise click.UsageError("Give KEY=VALUE, or --from-json -")
    given = _from_stdin() if from_json else {}
    given |= _from_pairs(pairs)
    row = settings.load()
    seen, stored = row.revision, settings.stored_values(row)
    values = values_from(stored, given)
    notices = settings.save(values, seen=seen)
    notices += reply_folders.confirm_if_ticked(values, settings.load(), now=datetime.now(UTC))
    if as_json:
        console.say_json(settings_shape(settings.load()) | {"notices": notices})
        return
    console.say("Saved.")
    for notice in notices:
        console.say(notice)


@group.command("test")
@click.option("--to", required=True, metavar="EMAIL", help="Who gets the test mail.")
@click.option("--round-trip", is_flag=True, help="Also await a probe in the reply folder.")
@console.json_option
@click.pass_context
def test(context: click.Context, to: str, round_trip: bool, as_json: bool) -> None:
    """Test the stored settings step by step; exit 1 if one fails.

    Sends a test mail and opens the reply folder without changing it.
    """
    row = settings.load()
    if not row.smtp_host_name:
        raise Conflict("E-mail is not set up yet: flexmail settings set smtp_host_name=...")
    values = values_from(settings.stored_values(row), {})
    report = diagnosis.test_email(
        values, to=_recipient(to), round_trip=round_trip, now=datetime.now(UTC)
    )
    if as_json:
        console.say_json(report)
    else:
        _tell(report)
    sides = [side for side in report.values() if side]
    context.exit(0 if all(side["ok"] for side in sides) else 1)


def _tell(report: dict[str, Any]) -> None:
    for name, side in report.items():
        for step in side["steps"] if side else ():
            state = {True: "ok", False: "failed", None: "not reached"}[step["ok"]]
            seconds = "" if step["seconds"] is None else f"{step['seconds']:.2f} s"
            line = (
                f"{name.upper()}  {step['name']:<10}  {state:<11}  {seconds:>8}  {step['detail']}"
            )
            console.say(line.rstrip())
            if step["hint"]:
                console.say(f"      {step['hint']}")
    waiting = report["imap"] and report["imap"]["waiting"]
    if waiting is not None:
        console.say(f"{waiting} mails wait in the reply folder; all of them will be deleted.")


def _recipient(to: str) -> str:
    try:
        return normalise(to)
    except ValueError as error:
        raise click.UsageError(f"--to: {error}") from error


def _from_stdin() -> dict[str, object]:
    try:
        found = json.loads(sys.stdin.read(), object_pairs_hook=_once)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"stdin holds no JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.UsageError("stdin has to hold one JSON object.")
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _from_pairs(pairs: tuple[str, ...]) -> dict[str, object]:
    form = EmailSettingsForm(formdata=None, meta={"csrf": False})
    given: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in form:
            wanted = f"{name!r} is no setting." if equals else "Give KEY=VALUE."
            raise click.UsageError(f"{wanted} flexmail settings show lists them.")
        if name in settings.SECRETS:
            raise click.UsageError(
                f"{name}: the process list shows what stands here."
                " Send it as JSON through stdin, with --from-json -"
            )
        if name in given:
            raise click.UsageError(f"{name} is given twice.")
        given[name] = _converted(form[name], name, text)
    return given


def _converted(field: Any, name: str, text: str) -> object:
    if isinstance(field, BooleanField):
        if text.strip().lower() not in _TRUTHS:
            raise InvalidInput({name: ["Give true or false."]})
        return _TRUTHS[text.strip().lower()]
    if isinstance(field, IntegerField):
        digits = text.strip()
        if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
            raise InvalidInput({name: ["Give a whole number."]})
        return int(digits)
    return text


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"{text.splitlines()[0]} ..." if "\n" in text else text
