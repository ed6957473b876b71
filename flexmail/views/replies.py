"""Replies: what became of each processed mail, and why; and what any mail would do."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from flexmail.errors import (
    Conflict,
    InvalidInput,
    MailServerError,
    ReaderUnavailable,
    SecretUnreadable,
)
from flexmail.models import OUTCOMES, Reply
from flexmail.services import channels, explaining, reply_log, undo
from flexmail.services.explaining import Explanation
from flexmail.views.reply_forms import ExplainForm

pages = Blueprint("replies", __name__)

_MAX_UPLOAD_BYTES = 64 * 1024 * 1024
_MAX_PASTED_BYTES = 2 * 1024 * 1024


@pages.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let a mail with large attachments come in; of it the beginning is read.

    This runs before anything reads the form. Whoever is no admin is turned away before that.
    """
    if endpoint == "replies.explain":
        request.max_content_length = _MAX_UPLOAD_BYTES
        request.max_form_memory_size = _MAX_PASTED_BYTES


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
    missing = text = trouble = ""
    try:
        text, missing = reply_log.shown_text(reply), reply_log.missing(reply)
    except SecretUnreadable as error:
        trouble = str(error)
    return render_template(
        "replies/show.html",
        reply=reply,
        text=text,
        missing=missing,
        trouble=trouble,
        means=undo.means(reply),
    )


@pages.get("/replies/<row:reply_id>/download")
def download(reply_id: int) -> ResponseReturnValue:
    """Hand over the kept copy as a file, open references masked."""
    copy = reply_log.saved_copy(reply_log.get(reply_id))
    if not copy:
        raise Conflict(f"No copy of mail {reply_id} is kept any more.")
    return send_file(
        BytesIO(copy),
        mimetype="message/rfc822",
        as_attachment=True,
        download_name=f"reply-{reply_id}.eml",
    )


@pages.post("/replies/<row:reply_id>/restore")
def restore(reply_id: int) -> ResponseReturnValue:
    """Put the mail back into the reply folder."""
    try:
        reply = undo.restore(reply_id, now=datetime.now(UTC))
        flash(f"The mail is back in {reply.folder}: the next run processes it.", "good")
    except MailServerError as error:
        flash(f"The mail was not put back: {channels.explain(error)}", "bad")
    return redirect(url_for(".show", reply_id=reply_id), 303)


@pages.post("/replies/<row:reply_id>/reprocess")
def reprocess(reply_id: int) -> ResponseReturnValue:
    """Judge the kept copy again, and act on it."""
    try:
        reply = undo.reprocess(reply_id, now=datetime.now(UTC))
        ended = (reply.outcome or "").replace("_", " ")
        flash(f"The mail was processed again and ended as {ended}.", "good")
    except ReaderUnavailable as error:
        flash(str(error), "bad")
    return redirect(url_for(".show", reply_id=reply_id), 303)


@pages.get("/replies/explain")
def ask() -> ResponseReturnValue:
    """Ask for the mail."""
    return _explain_page(ExplainForm(formdata=None))


@pages.post("/replies/explain")
def explain() -> ResponseReturnValue:
    """Tell what the mail would do; nothing is changed."""
    form = ExplainForm()
    raw = form.raw()
    if not raw:
        return _explain_page(form), 422
    try:
        return _explain_page(form, explaining.explain(raw, now=datetime.now(UTC)))
    except ReaderUnavailable as error:
        form.form_errors.append(str(error))
        return _explain_page(form), 503


@pages.post("/replies/<row:reply_id>/explain")
def explain_kept(reply_id: int) -> ResponseReturnValue:
    """Tell what a processed mail would do if it came now for the first time."""
    form = ExplainForm(formdata=None)
    try:
        told = explaining.explain_kept(reply_id, now=datetime.now(UTC))
    except ReaderUnavailable as error:
        form.form_errors.append(str(error))
        return _explain_page(form), 503
    return _explain_page(form, told, reply_log.get(reply_id))


def _explain_page(
    form: ExplainForm, told: Explanation | None = None, reply: Reply | None = None
) -> str:
    return render_template("replies/explain.html", form=form, told=told, reply=reply)
