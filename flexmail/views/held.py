"""Mail that lay in the reply folder before flexmail: what it is, and the button that lets it go."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flexmail.services import reply_folders, settings

pages = Blueprint("held", __name__)


@pages.get("/settings/email/confirm-deletion")
def show() -> ResponseReturnValue:
    """Show what is held back, and what confirming does to it."""
    return render_template("held/show.html", held=reply_folders.held(settings.load()))


@pages.post("/settings/email/confirm-deletion")
def confirm() -> ResponseReturnValue:
    """Let the mails that were shown be processed and deleted from the next run on."""
    mark = request.form.get("mark", "")
    count = reply_folders.confirm(settings.load(), now=datetime.now(UTC), mark=mark)
    flash(f"{count} mails that were held back will be processed and deleted.", "good")
    return redirect(url_for("status.show"), 303)
