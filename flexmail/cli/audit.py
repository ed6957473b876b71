"""`flexmail audit`: who did what, and whether the log of it is as it was written."""

from __future__ import annotations

import json
import re

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.models import AUDIT_ACTIONS
from flexmail.services import audit, audit_check
from flexmail.services.audit import End
from flexmail.services.shapes import audit_shape, page_shape

group = AppGroup("audit", help="Who did what, on which proof.")

_NOTED = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


@group.command("list")
@click.option("--action", type=click.Choice(AUDIT_ACTIONS), help="Only entries of this action.")
@console.page_options
def list_entries(action: str | None, cursor: str | None, limit: int, as_json: bool) -> None:
    """List the entries, the newest first."""
    console.say_page(
        page_shape(audit.listing(action=action, cursor=cursor, limit=limit), audit_shape),
        lambda entry: (
            str(entry["id"]),
            entry["at"],
            entry["actor"],
            entry["channel"],
            entry["action"],
            entry["subject"],
            json.dumps(entry["proof"]) if entry["proof"] else "",
        ),
        head=("ID", "AT", "ACTOR", "CHANNEL", "ACTION", "SUBJECT", "PROOF"),
        as_json=as_json,
    )


@group.command("verify")
@click.option("--noted", metavar="ID:CHAIN", help="An end that was noted earlier: still there?")
@console.json_option
@click.pass_context
def verify(context: click.Context, noted: str | None, as_json: bool) -> None:
    """Check that no entry was changed, removed, added or moved; exit 1 if one was.

    Note ID and CHAIN somewhere else: with them even a whole older log is found out.
    """
    found = audit_check.verify(_end(noted) if noted else None)
    if as_json:
        end = {"id": found.end.id, "chain": found.end.chain}
        console.say_json({"ok": not found.fault, "fault": found.fault, "end": end})
    elif not found.fault:
        console.say(f"All {found.end.id} entries fit. The end is {found.end.id}:{found.end.chain}")
    if found.fault:
        context.exit(console.complain(found.fault, 1))


def _end(noted: str) -> End:
    parts = _NOTED.fullmatch(noted)
    if parts is None:
        raise click.UsageError("--noted: give ID:CHAIN as flexmail audit verify printed it.")
    return End(int(parts[1]), parts[2])
