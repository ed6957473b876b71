"""`flexmail outbox`: mail that waits to go out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.models import MAIL_KINDS, MAIL_STATES
from flexmail.services import delivery, outbox, outbox_log
from flexmail.services.shapes import mail_shape, page_shape

group = AppGroup("outbox", help="Mail that waits to go out.")


@group.command("send")
@console.json_option
@click.pass_context
def send(context: click.Context, as_json: bool) -> None:
    """Send all waiting mail now, whatever pause or retry time is set."""
    console.keep_log_quiet()
    report = delivery.deliver_due(now=datetime.now(UTC), at_once=True)
    if as_json:
        console.say_json(asdict(report))
    else:
        console.say(
            f"Sent {report.sent}, to be tried again {report.deferred}, failed {report.failed}."
        )
    if report.error:
        context.exit(console.complain(report.error, 1))


@group.command("list")
@click.option("--state", type=click.Choice(MAIL_STATES), help="Only mail in this state.")
@click.option("--kind", type=click.Choice(MAIL_KINDS), help="Only mail of this kind.")
@click.option("--recipient", metavar="ADDRESS", help="Only mail to this address.")
@console.page_options
def list_mail(cursor: str | None, limit: int, as_json: bool, **asked: str | None) -> None:
    """List outgoing mail, the newest first."""
    console.say_page(
        page_shape(outbox_log.listing(**asked, cursor=cursor, limit=limit), mail_shape),
        lambda mail: (
            str(mail["id"]),
            mail["state"],
            mail["status_code"],
            mail["recipient"],
            mail["subject"],
            mail["bounced_at"] or mail["sent_at"] or mail["retry_at"] or "",
            " ".join(filter(None, (mail["answer"], mail["meaning"]))),
        ),
        head=("ID", "STATE", "CODE", "RECIPIENT", "SUBJECT", "WHEN OR NEXT TRY", "ANSWER"),
        as_json=as_json,
    )


@group.command("retry")
@click.argument("mail_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def retry(mail_id: int, as_json: bool) -> None:
    """Queue a failed mail once more, or a waiting one for now."""
    mail = outbox.retry(mail_id, now=datetime.now(UTC))
    if as_json:
        console.say_json(mail_shape(mail))
    else:
        console.say(f"Queued mail {mail.id} to {mail.recipient}.")


@group.command("cancel")
@click.argument("mail_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def cancel(mail_id: int, as_json: bool) -> None:
    """Have a mail that waits or failed tried no more."""
    mail = outbox.cancel(mail_id)
    if as_json:
        console.say_json(mail_shape(mail))
    else:
        console.say(
            f"Cancelled mail {mail.id} to {mail.recipient}. {outbox.AFTER_CANCEL[mail.kind]}"
        )
