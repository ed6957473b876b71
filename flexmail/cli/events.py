"""`flexmail events`: tell people what happened."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.errors import InvalidInput
from flexmail.services import events
from flexmail.services.events import NewEvent
from flexmail.services.shapes import event_shape

group = AppGroup("events", help="What happened, told to whoever wants to know.")


@group.command("send")
@click.argument("type_name", metavar="TYPE")
@click.option("--scope", default="", help="Where it happened, as a path such as billing/prod.")
@click.option("--subject", default="", help="One line; without it the title in the data.")
@click.option("--data", default="{}", help="What the mail may tell, as a JSON object.")
@click.option(
    "--to",
    "recipients",
    multiple=True,
    metavar="EMAIL|group:NAME",
    help="Who else hears of it; may be given several times.",
)
@console.json_option
def send(
    type_name: str,
    scope: str,
    subject: str,
    data: str,
    recipients: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell of one event.

    TYPE is approval_pending, scheduled, approval_rejected, deploying, completed, failed, or a name
    of your own. The command waits for no mail server: the mails are stored, and go out within
    seconds where flexmail is served, or else by `flexmail outbox send`.
    """
    told = NewEvent(type_name, scope, subject, _parsed(data), recipients)
    report = events.send(told, now=datetime.now(UTC))
    if as_json:
        console.say_json(event_shape(report))
        return
    console.say(f"Event {report.event_id}: {report.queued} mail(s) are on the way.")
    for skip in report.skipped:
        console.say(f"No mail to {skip.recipient}: {skip.reason}")


def _parsed(data: str) -> dict[str, Any]:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"data": [f"This is no JSON: {error}."]}) from error
    if not isinstance(parsed, dict):
        raise InvalidInput({"data": ['Give a JSON object, such as {"title": "Release 4.2"}.']})
    return parsed
