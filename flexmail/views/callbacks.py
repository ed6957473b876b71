"""Callbacks: which program was told what became of its request, and which was not."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flexmail.errors import InvalidInput
from flexmail.models import CALLBACK_STATES
from flexmail.services import callbacks

pages = Blueprint("callbacks", __name__)


@pages.get("/callbacks")
def index() -> ResponseReturnValue:
    """List the newest first, all or those in one state."""
    state = request.args.get("state") or None
    if state and state not in CALLBACK_STATES:
        raise InvalidInput({"state": [f"Give one of: {', '.join(CALLBACK_STATES)}."]})
    page = callbacks.listing(state=state, cursor=request.args.get("cursor"))
    return render_template("callbacks/index.html", page=page, state=state, states=CALLBACK_STATES)


@pages.post("/callbacks/<row:callback_id>/retry")
def retry(callback_id: int) -> ResponseReturnValue:
    """Have a callback sent now."""
    callback = callbacks.retry(callback_id, now=datetime.now(UTC))
    flash(f"The callback to {callback.origin} goes out again within seconds.", "good")
    return redirect(url_for(".index"), 303)
