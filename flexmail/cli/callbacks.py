"""`flexmail callbacks`: what programs are told once an approval is final."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.models import CALLBACK_STATES
from flexmail.services import announcing, callbacks
from flexmail.services.shapes import callback_shape, page_shape

group = AppGroup("callbacks", help="What programs are told once an approval is final.")


@group.command("send")
@console.json_option
def send(as_json: bool) -> None:
    """Send all waiting callbacks now, whatever retry time is set."""
    console.keep_log_quiet()
    report = announcing.announce_due(now=datetime.now(UTC), at_once=True)
    if as_json:
        console.say_json(asdict(report))
    else:
        console.say(
            f"Sent {report.sent}, to be tried again {report.deferred}, failed {report.failed}."
        )


@group.command("list")
@click.option("--state", type=click.Choice(CALLBACK_STATES), help="Only those in this state.")
@console.page_options
def list_callbacks(state: str | None, cursor: str | None, limit: int, as_json: bool) -> None:
    """List callbacks, the newest first."""
    console.say_page(
        page_shape(callbacks.listing(state=state, cursor=cursor, limit=limit), callback_shape),
        lambda callback: (
            str(callback["id"]),
            callback["state"],
            str(callback["approval_id"] or "own mail"),
            str(callback["attempts"]),
            callback["url"],
            callback["sent_at"] or callback["retry_at"] or "",
            callback["answer"],
        ),
        head=("ID", "STATE", "APPROVAL", "TRIES", "URL", "WHEN OR NEXT TRY", "ANSWER"),
        as_json=as_json,
    )


@group.command("retry")
@click.argument("callback_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def retry(callback_id: int, as_json: bool) -> None:
    """Queue a callback once more, under the same id, or a waiting one for now."""
    callback = callbacks.retry(callback_id, now=datetime.now(UTC))
    if as_json:
        console.say_json(callback_shape(callback))
    else:
        console.say(f"Queued callback {callback.id} to {callback.origin}.")
