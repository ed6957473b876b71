"""The email settings: show, save, and try them as typed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import (
    Blueprint,
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
from flexmail.forms import EmailSettingsForm
from flexmail.services import diagnosis, reply_folders, settings, trust
from flexmail.views import fields, settings_fields
from flexmail.views.errors import prefers_json

pages = Blueprint("settings", __name__)

_LOOK = "Open the page once more beside this one to see theirs; saving again replaces them."


@pages.get("/settings/email")
def show() -> ResponseReturnValue:
    """Show what is stored, and what is in force; no password."""
    row = settings.load()
    return _render(settings_fields.stored(row), form=None, revision=row.revision)


@pages.post("/settings/email")
def save() -> ResponseReturnValue:
    """Store valid values; from then on the jobs go by them."""
    form = EmailSettingsForm()
    if not form.validate():
        return _page(form), 422
    try:
        values = form.values()
        notices = settings.save(values, seen=request.form.get("revision", type=int))
        notices += reply_folders.confirm_if_ticked(values, settings.load(), now=datetime.now(UTC))
    except InvalidInput as error:
        fields.show(form, error)
        return _page(form), 422
    except Conflict as error:
        form.form_errors.append(f"{error} {_LOOK}")
        return _page(form, revision=settings.load().revision), 409
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
    form: EmailSettingsForm, result: dict[str, Any] | None = None, *, revision: int | None = None
) -> str:
    """Show what was typed, over that revision of the settings, or the one it was typed over."""
    return _render(
        settings_fields.typed(form, settings.load()),
        form=form,
        result=result,
        revision=request.form.get("revision", "") if revision is None else revision,
        round_trip="round_trip" in request.form,
        lost_password=bool(form.smtp_password.data or form.imap_password.data),
    )


def _render(shown: Markup, **context: Any) -> str:
    return render_template("settings/email.html", fields=shown, **context)
