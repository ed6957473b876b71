"""`flexmail replies`: the reply job by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.services import inbox, reply_log, settings
from flexmail.services.shapes import Shape, run_shape

group = AppGroup("replies", help="Mail that answers.")


@group.command("process")
@console.json_option
@click.pass_context
def process(context: click.Context, as_json: bool) -> None:
    """Run the reply job once, now, whatever pause is set; print what became of each mail.

    With email approval off nothing is read and nothing deleted.
    """
    console.keep_log_quiet()
    approval_is_on = settings.load().enable_email_approval
    report = inbox.process_replies(now=datetime.now(UTC), at_once=True)
    run = run_shape(report, reply_log.by_ids(report.reply_ids))
    if as_json:
        console.say_json(run)
    else:
        _tell(run)
    if report.error and approval_is_on:
        context.exit(console.complain(report.error, 1))
    if report.error:
        console.remark(report.error)


def _tell(run: Shape) -> None:
    if run["replies"]:
        console.say_table(
            ("ID", "OUTCOME", "APPROVAL", "FROM", "SUBJECT", "REASON"),
            [
                (
                    str(reply["id"]),
                    reply["outcome"],
                    str(reply["approval_id"] or ""),
                    reply["from"],
                    reply["subject"],
                    reply["reason"],
                )
                for reply in run["replies"]
            ],
        )
    if not run["error"]:
        console.say(f"Processed {run['looked_at']}, {run['left']} left in the folder.")
