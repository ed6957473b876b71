"""`flexmail approvals`: ask for a yes or no; `request --wait` is a gate for any pipeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup

from flexmail.cli import console, gate
from flexmail.models import FINAL_STATUSES
from flexmail.services import approval_requests, approvals
from flexmail.services.approval_requests import NewApproval
from flexmail.services.approval_shape import approval_shape
from flexmail.services.shapes import Shape, page_shape

group = AppGroup("approvals", help="Requests for a yes or no.")

_STATUSES = ("pending", *FINAL_STATUSES)


@group.command("request")
@click.option("--title", required=True, help="One line, the subject of the mail.")
@click.option(
    "--approver",
    "approvers",
    multiple=True,
    required=True,
    metavar="EMAIL|group:NAME",
    help="Who may decide; may be given several times.",
)
@click.option("--details", default="", help="Text that the mail shows below the title.")
@click.option("--link", default="", help="Where to read more; https or http.")
@click.option("--submitter", default="", help="Who wants this, as the mail shows it.")
@click.option("--expires-in", type=int, metavar="SECONDS", help="Without it 7 days.")
@click.option("--comment-required", is_flag=True, help="A rejection needs a comment.")
@click.option(
    "--mail-decision",
    type=click.Choice(["allow", "reject_only"]),
    default="allow",
    show_default=True,
    help="With reject_only, the page alone approves.",
)
@click.option("--callback-url", default="", help="Where the final approval is sent; https.")
@click.option(
    "--wait",
    "seconds",
    type=gate.Seconds(),
    is_flag=False,
    flag_value=gate.UNTIL_FINAL,
    metavar="[SECONDS]",
    help="Wait for the decision, or so long.",
)
@console.json_option
@click.pass_context
def request(
    context: click.Context,
    /,
    seconds: float | None,
    as_json: bool,
    approvers: tuple[str, ...],
    **given: Any,
) -> None:
    """Ask for an approval; each approver gets one mail.

    With --wait the exit code is 0 approved, 1 rejected, 2 expired or cancelled, 3 still pending;
    without it 0 says only that the request was made. Bad use is 64, a failure 70.
    """
    console.keep_log_quiet()
    wanted = NewApproval(approvers=approvers, **given)
    shape = approval_shape(approval_requests.request(wanted, now=datetime.now(UTC)))
    trouble = gate.send_now()
    if trouble:
        console.remark(f"The mail waits in the outbox and is tried again: {trouble}")
    if seconds is not None:
        console.remark(f"Waiting for approval {shape['id']}.")
        shape = gate.await_final(shape["id"], seconds)
    _tell(shape, as_json)
    if seconds is not None:
        context.exit(gate.EXIT_CODES[shape["status"]])


@group.command("show")
@click.argument("approval_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def show(approval_id: int, as_json: bool) -> None:
    """Print an approval, its decisions, and how its mails fare."""
    shape = approval_shape(approvals.get(approval_id))
    if as_json:
        console.say_json(shape)
        return
    _tell(shape, as_json=False)
    for name in ("details", "link", "submitter", "created_at", "expires_at", "decided_at"):
        if shape[name]:
            console.say(f"{name}: {shape[name]}")
    console.say(f"approvers: {', '.join(shape['approvers'])}")
    for mail in shape["deliveries"]:
        console.say(f"mail to {mail['to']}: {_arrival(mail)}")
    if shape["callback_url"]:
        console.say(f"callback to {shape['callback_url']}: {_told(shape['callback'])}")


@group.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those with this status.")
@console.page_options
def list_approvals(status: str | None, cursor: str | None, limit: int, as_json: bool) -> None:
    """List approvals, the newest first."""
    console.say_page(
        page_shape(approvals.listing(status=status, cursor=cursor, limit=limit), approval_shape),
        lambda approval: (
            str(approval["id"]),
            approval["status"],
            approval["title"],
            ", ".join(approval["approvers"]),
            approval["decided_at"] or approval["expires_at"],
        ),
        head=("ID", "STATUS", "TITLE", "APPROVERS", "DECIDED OR EXPIRES"),
        as_json=as_json,
    )


@group.command("cancel")
@click.argument("approval_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def cancel(approval_id: int, as_json: bool) -> None:
    """Cancel a pending approval."""
    _tell(approval_shape(approvals.cancel(approval_id, now=datetime.now(UTC))), as_json)


def _told(callback: Shape | None) -> str:
    if callback is None:
        return "once it is final"
    when = callback["sent_at"] or callback["retry_at"]
    what = f"{callback['state']}, {when}" if when else callback["state"]
    return f"{what}: {callback['answer']}" if callback["answer"] else what


def _arrival(mail: Shape) -> str:
    failed = mail["state"] == "failed"
    what = "could not be delivered" if failed else f"{mail['state']}, {mail['at']}"
    return f"{what}: {mail['answer']}" if mail["answer"] else what


def _tell(shape: Shape, as_json: bool) -> None:
    if as_json:
        console.say_json(shape)
        return
    console.say(f"Approval {shape['id']} is {shape['status']}: {shape['title']}")
    for decision in shape["decisions"]:
        comment = f": {decision['comment']}" if decision["comment"] else ""
        console.say(f"{decision['verdict']} by {decision['by']} ({decision['channel']}){comment}")
