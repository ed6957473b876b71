"""Replies: what became of each processed mail, and why."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from flexmail.errors import InvalidInput, SecretUnreadable
from flexmail.models import OUTCOMES
from flexmail.services import reply_log

pages = Blueprint("replies", __name__)


@pages.get("/replies")
def index() -> ResponseReturnValue:
    """List the newest first, all or those of one outcome."""
    outcome = request.args.get("outcome") or None
    if outcome and outcome not in OUTCOMES:
        raise InvalidInput({"outcome": [f"Give one of: {', '.join(OUTCOMES)}."]})
    page = reply_log.listing(outcome=outcome, cursor=request.args.get("cursor"))
    return render_template("replies/index.html", page=page, outcome=outcome, outcomes=OUTCOMES)


@pages.get("/replies/<row:reply_id>")
def show(reply_id: int) -> ResponseReturnValue:
    """Show one mail as text, open references masked."""
    reply = reply_log.get(reply_id)
    try:
        text, trouble = reply_log.shown_text(reply), ""
    except SecretUnreadable as error:
        text, trouble = "", str(error)
    return render_template("replies/show.html", reply=reply, text=text, trouble=trouble)
