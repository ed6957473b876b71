"""The outbox: mail that waits, went out or failed, and how each recipient fares."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flexmail.errors import InvalidInput, SecretUnreadable
from flexmail.models import MAIL_KINDS, MAIL_STATES
from flexmail.services import outbox, outbox_log
from flexmail.services.shapes import meaning_of

pages = Blueprint("outbox", __name__)

_CHOICES = {"state": MAIL_STATES, "kind": MAIL_KINDS}


@pages.get("/outbox")
def index() -> ResponseReturnValue:
    """List the newest first, all or those that meet what is asked for."""
    asked = {name: request.args.get(name) or None for name in ("state", "kind", "recipient")}
    for name, values in _CHOICES.items():
        if asked[name] and asked[name] not in values:
            raise InvalidInput({name: [f"Give one of: {', '.join(values)}."]})
    cursor = request.args.get("cursor")
    page = outbox_log.listing(
        state=asked["state"], kind=asked["kind"], recipient=asked["recipient"], cursor=cursor
    )
    recipient = outbox_log.address(asked["recipient"]) if asked["recipient"] else ""
    return render_template(
        "outbox/index.html",
        page=page,
        asked=asked,
        choices=_CHOICES,
        meaning_of=meaning_of,
        recipient=recipient,
        wishes=outbox_log.wishes_of(recipient) if recipient else None,
        skips=outbox_log.skips_of(recipient) if recipient else (),
    )


@pages.get("/outbox/<row:mail_id>")
def show(mail_id: int) -> ResponseReturnValue:
    """Show one mail as text, open references masked, and what it tells of."""
    mail = outbox_log.get(mail_id)
    event = outbox_log.event_of(mail)
    shown, trouble = None, ""
    try:
        shown = outbox_log.shown(mail)
    except SecretUnreadable as error:
        trouble = str(error)
    return render_template(
        "outbox/show.html",
        mail=mail,
        shown=shown,
        trouble=trouble,
        meaning=meaning_of(mail),
        event=event,
        data=json.dumps(event.data, indent=2, ensure_ascii=False) if event else "",
    )


@pages.post("/outbox/<row:mail_id>/retry")
def retry(mail_id: int) -> ResponseReturnValue:
    """Have a mail sent now."""
    mail = outbox.retry(mail_id, now=datetime.now(UTC))
    flash(f"The mail to {mail.recipient} goes out again within seconds.", "good")
    return redirect(url_for(".show", mail_id=mail_id), 303)


@pages.post("/outbox/<row:mail_id>/cancel")
def cancel(mail_id: int) -> ResponseReturnValue:
    """Have a mail tried no more."""
    mail = outbox.cancel(mail_id)
    flash(f"The mail to {mail.recipient} is cancelled. {outbox.AFTER_CANCEL[mail.kind]}", "good")
    return redirect(url_for(".show", mail_id=mail_id), 303)
