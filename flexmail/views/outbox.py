"""The outbox: mail that waits, went out or failed."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flexmail.errors import InvalidInput
from flexmail.models import MAIL_STATES
from flexmail.services import outbox

pages = Blueprint("outbox", __name__)


@pages.get("/outbox")
def index() -> ResponseReturnValue:
    """List the newest first, all or those in one state."""
    state = request.args.get("state") or None
    if state and state not in MAIL_STATES:
        raise InvalidInput({"state": [f"Give one of: {', '.join(MAIL_STATES)}."]})
    page = outbox.listing(state=state, cursor=request.args.get("cursor"))
    return render_template("outbox/index.html", page=page, state=state, states=MAIL_STATES)


@pages.post("/outbox/<row:mail_id>/retry")
def retry(mail_id: int) -> ResponseReturnValue:
    """Have a mail sent now."""
    mail = outbox.retry(mail_id, now=datetime.now(UTC))
    flash(f"The mail to {mail.recipient} goes out again within seconds.", "good")
    return redirect(url_for(".index"), 303)
