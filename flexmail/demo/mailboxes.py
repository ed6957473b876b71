"""The page `/demo/mailboxes`: read the demo's mailboxes, and answer as the person they belong to.

It needs no sign-in, so it exists in the demo alone. An answer goes out as real mail, over SMTP with
STARTTLS and the person's own password; what then becomes of it is flexmail's business.
"""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import cast

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import current_user
from werkzeug.wrappers import Response

from flexmail.demo import mails, stage
from flexmail.demo.mailserver import MailServer
from flexmail.services import delivery, inbox, reply_log, status
from flexmail.views.access import public

_EXTENSION = "flexmail_demo_mail_server"
_HOSTS = ("127.0.0.1", "localhost")
_SECONDS = 10

pages = Blueprint("demo", __name__, url_prefix="/demo/mailboxes")


def init_app(app: Flask, server: MailServer) -> None:
    """Add the page, and a link to it on every other page."""
    app.extensions[_EXTENSION] = server
    app.register_blueprint(pages)
    app.context_processor(lambda: {"demo_mailboxes_url": pages.url_prefix})


@pages.before_request
def admit() -> None:
    """Let this machine's browsers in, and show whoever is signed in their own navigation.

    A site elsewhere may give 127.0.0.1 a name of its own, to read these pages under that name.
    """
    if request.host.partition(":")[0] not in _HOSTS:
        abort(400)
    if current_user.is_authenticated:
        g.person = current_user._get_current_object()


@pages.get("")
@public
def index() -> str:
    """Show every mailbox, the newest mail first."""
    boxes = {
        address: [mails.show(uid, raw) for uid, raw in reversed(_server().mailbox(address))]
        for address in stage.MAILBOXES
    }
    return render_template(
        "demo/mailboxes.html",
        boxes=boxes,
        people=stage.PEOPLE,
        flexmail=stage.FLEXMAIL,
        processing=status.overview(now=datetime.now(UTC))["reply_processing"],
    )


@pages.get("/<address>/<int:uid>")
@public
def mail(address: str, uid: int) -> str:
    """Show one mail, and with `?answer=KEY` the filled-in answer."""
    shown = _shown(address, uid)
    return _page(address, shown, request.args.get("answer", ""))


@pages.post("/<address>/<int:uid>")
@public
def send(address: str, uid: int) -> Response | tuple[str, int]:
    """Send an answer as the mailbox's owner."""
    shown, key = _shown(address, uid), request.form.get("answer", "")
    subject, body = request.form.get("subject", ""), request.form.get("body", "")
    person = stage.PEOPLE.get(address) or abort(404)
    draft = shown.drafts.get(key) or abort(404)
    try:
        answer = mails.written(
            draft,
            sender=f"{person.name} <{person.email}>",
            subject=subject,
            body=body,
            now=datetime.now(UTC),
        )
        _submit(answer, person)
    except (ValueError, OSError) as error:  # smtplib's exceptions are OSErrors
        page = _page(address, shown, key, subject=subject, body=body, error=str(error))
        return page, 422
    flash(
        f"Sent to {draft.recipient}. It waits there until flexmail reads its reply folder.", "good"
    )
    return redirect(url_for("demo.index"), 303)


@pages.post("/read")
@public
def read() -> Response:
    """Let flexmail read its reply folder now, and send what follows from it."""
    now = datetime.now(UTC)
    report = inbox.process_replies(now=now, at_once=True)
    delivery.deliver_due(now=now, at_once=True)
    for reply in map(reply_log.get, report.reply_ids):
        flash(f"{reply.outcome}: {reply.reason}", "good")
    if report.error:
        flash(report.error, "bad")
    elif not report.reply_ids:
        flash("There was no mail in the reply folder.")
    return redirect(url_for("demo.index"), 303)


@pages.post("/ask")
@public
def ask() -> Response:
    """Ask Bob for one more approval."""
    approval = stage.ask_bob()
    flash(f"Bob was asked for approval #{approval.id}: the mail is in his mailbox.", "good")
    return redirect(url_for("demo.index"), 303)


def _server() -> MailServer:
    return cast(MailServer, current_app.extensions[_EXTENSION])


def _shown(address: str, uid: int) -> mails.Shown:
    if address not in stage.MAILBOXES:
        abort(404)
    raw = dict(_server().mailbox(address)).get(uid)
    return mails.show(uid, raw) if raw is not None else abort(404)


def _page(address: str, shown: mails.Shown, key: str, **typed: str) -> str:
    may_answer = address in stage.PEOPLE
    return render_template(
        "demo/mail.html",
        address=address,
        mail=shown,
        may_answer=may_answer,
        key=key,
        draft=shown.drafts.get(key) if may_answer else None,
        typed=typed,
    )


def _submit(answer: EmailMessage, person: stage.Person) -> None:
    server = _server()
    with smtplib.SMTP(server.host, server.smtp_port, timeout=_SECONDS) as connection:
        connection.starttls(context=ssl.create_default_context(cadata=server.ca_pem))
        connection.login(person.email, person.password)
        connection.send_message(answer)
