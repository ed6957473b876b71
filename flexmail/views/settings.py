"""The email settings: show, save, and try them as typed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    current_app,
    flash,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from flexmail import jobs
from flexmail.errors import Conflict, InvalidInput, SecretUnreadable
from flexmail.forms import FOLDER_WARNING, EmailSettingsForm
from flexmail.models import EmailSettings
from flexmail.services import diagnosis, reply_folders, settings, trust
from flexmail.views import fields
from flexmail.views.errors import prefers_json

pages = Blueprint("settings", __name__)

GROUPS = {
    "Sending (SMTP)": (
        "smtp_host_name",
        "smtp_host_port",
        "smtp_enable_starttls",
        "smtp_implicit_tls",
        "smtp_user",
        "smtp_from_address",
        "smtp_password",
        "smtp_password_remove",
    ),
    "Replies (IMAP)": (
        "enable_email_approval",
        "imap_host_name",
        "imap_host_port",
        "imap_enable_starttls",
        "imap_implicit_tls",
        "imap_user",
        "approval_reply_address",
        "imap_password",
        "imap_password_remove",
        "email_reply_folder",
        "confirm_deletion",
        "email_reply_process_interval",
        "email_reply_process_count",
    ),
    "Deciding": ("approve_words", "reject_words", "reply_trust", "trusted_authserv_id"),
    "Advanced": (
        "tls_ca_certificates",
        "process_as_they_arrive",
        "keep_processed_days",
        "smtp_auth",
        "imap_auth",
    ),
}
WIDE = ("enable_email_approval", "email_reply_folder", "confirm_deletion", "tls_ca_certificates")
_MAX_REMEMBERED = 500
_remembered: dict[tuple[str, object, str], Markup] = {}
PORTS = {"smtp_host_port": (25, 465, 587, 2525), "imap_host_port": (143, 993)}


@pages.get("/settings/email")
def show() -> ResponseReturnValue:
    """Show what is stored, and what is in force; no password."""
    row = settings.load()
    return _page(EmailSettingsForm(formdata=None, data=settings.stored_values(row)), row=row)


@pages.post("/settings/email")
def save() -> ResponseReturnValue:
    """Store valid values; from then on the jobs go by them."""
    form = EmailSettingsForm()
    if not form.validate():
        return _page(form), 422
    try:
        values = form.values()
        notices = settings.save(values)
        notices += reply_folders.confirm_if_ticked(values, settings.load(), now=datetime.now(UTC))
    except InvalidInput as error:
        fields.show(form, error)
        return _page(form), 422
    jobs.apply()
    flash("The email settings are saved and in force.", "good")
    for notice in notices:
        flash(notice, "warning")
    return redirect(url_for(".show"), 303)


@pages.post("/settings/email/check")
def check() -> ResponseReturnValue:
    """Ask for a new canary, whatever the last one found out."""
    trust.ask_again()
    jobs.apply()
    if trust.is_needed(settings.load()):
        flash("A new canary is sent. Replies wait until it has passed.", "good")
    else:
        flash("There is nothing to check: replies do not have to prove who sent them.", "warning")
    return redirect(url_for("status.show"), 303)


@pages.post("/settings/email/test")
def test() -> ResponseReturnValue:
    """Try the values as typed, stored or not, and store nothing."""
    form = EmailSettingsForm()
    result: dict[str, Any] | None = None
    status = 200
    if not form.validate():
        status = 422
    else:
        try:
            result = diagnosis.test_email(
                form.values(),
                to=g.person.email,
                round_trip="round_trip" in request.form,
                now=datetime.now(UTC),
            )
        except InvalidInput as error:
            fields.show(form, error)
            status = 422
        except (Conflict, SecretUnreadable) as error:
            form.form_errors.append(str(error))
            status = 409
    if not prefers_json():
        return _page(form, result), status
    if status == 422:
        return jsonify(errors={name or "": found for name, found in form.errors.items()}), 400
    return jsonify(result or {"errors": {"": form.form_errors}}), status


def _page(
    form: EmailSettingsForm,
    result: dict[str, Any] | None = None,
    *,
    row: EmailSettings | None = None,
) -> str:
    row = row or settings.load()
    hidden = () if reply_folders.held(row) else ("confirm_deletion",)
    return render_template(
        "settings/email.html",
        form=form,
        groups={
            title: [name for name in names if name not in hidden] for title, names in GROUPS.items()
        },
        ports=PORTS,
        show_field=partial(_show_field, form, _notes(row)),
        result=result,
        round_trip="round_trip" in request.form,
        lost_password=bool(form.smtp_password.data or form.imap_password.data),
    )


def _show_field(form: EmailSettingsForm, notes: dict[str, str], name: str) -> Markup:
    """Render a field, or take it as it looked before: on a page that is only shown few change.

    Passwords are not part of what is shown, so none is kept.
    """
    field, note = form[name], notes.get(name, "")
    key = (name, field.data, note)
    small = len(str(field.data)) <= _MAX_REMEMBERED
    if request.method == "GET" and small and key in _remembered:
        return _remembered[key]
    shown: Markup = current_app.jinja_env.get_template("fields.html").module.field(  # type: ignore[attr-defined]
        field,
        note=note,
        warning=FOLDER_WARNING if name == "email_reply_folder" else "",
        wide=name in WIDE,
        attributes={"list": f"{name}-known"} if name in PORTS else {},
    )
    if request.method == "GET" and small:
        if len(_remembered) >= _MAX_REMEMBERED:
            _remembered.clear()
        _remembered[key] = shown
    return shown


def _notes(row: EmailSettings) -> dict[str, str]:
    """Return, by field, what is stored or in force beside what the field shows."""
    stored, in_force = settings.secret_status(row), settings.in_force(row)
    notes = {name: f"Stored: {status}." for name, status in stored.items()}
    if in_force.imap_password != stored["imap_password"]:
        notes["imap_password"] += f" In force: {in_force.imap_password}."
    for name in ("imap_user", "email_reply_folder", "approval_reply_address"):
        notes[name] = f"In force: {getattr(in_force, name) or 'none yet'}."
    if trust.is_needed(row):
        notes["reply_trust"] = f"The canary: {trust.of(row).state}. {trust.of(row).reason}"
    return notes
