"""The own account: who flexmail thinks you are, what mail you want, and your password."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectChoice, SelectField, SelectMultipleField
from wtforms.widgets import CheckboxInput

from flexmail.errors import Conflict, InvalidInput
from flexmail.models import User
from flexmail.services import account_rules, accounts, sign_in, unsubscribing, wishes
from flexmail.services.wishes import Wishes
from flexmail.views import fields
from flexmail.views.access import begin_session, signed_in, viewer

pages = Blueprint("account", __name__)


class OwnPasswordForm(FlaskForm):
    """The old password proves that it is you."""

    current_password = fields.password("Current password", autocomplete="current-password")
    password = fields.password(
        "New password",
        f"At least {account_rules.MIN_PASSWORD_CHARACTERS} characters.",
        autocomplete="new-password",
    )
    password_again = fields.password("New password, again", autocomplete="new-password")


class NotificationsForm(FlaskForm):
    """What mail about events comes, and how often; the service knows what there is to choose."""

    digest = SelectField(
        "How often",
        choices=[
            SelectChoice("at_once", "At once, a mail each"),
            SelectChoice("hourly", "Hourly, in one summary"),
            SelectChoice("daily", "Daily, in one summary"),
        ],
        description="Mail about approvals always comes at once: no summary holds it back.",
    )
    on = SelectMultipleField(
        "Mail about",
        choices=[],
        option_widget=CheckboxInput(),
        description="Of what is not ticked no mail comes, whoever subscribed you.",
    )


@pages.get("/account")
@signed_in
def show() -> ResponseReturnValue:
    """Show the own account."""
    return _page(OwnPasswordForm(formdata=None))


@pages.post("/account")
@signed_in
def change_password() -> ResponseReturnValue:
    """Set the own password; every other session of the account ends."""
    form = OwnPasswordForm()
    try:
        _check_current(form.current_password.data or "")
        if form.password.data != form.password_again.data:
            raise InvalidInput({"password_again": ["The two new passwords differ."]})
        user = accounts.set_password(g.person.email, form.password.data or "")
    except InvalidInput as error:
        fields.show(form, error)
        return _page(form), 422
    except Conflict as error:
        form.form_errors.append(str(error))
        return _page(form), 429
    begin_session(user)
    flash("Your password is changed. All other sessions of yours have ended.", "good")
    return redirect(url_for(".show"), 303)


@pages.post("/account/notifications")
@signed_in
def choose_notifications() -> ResponseReturnValue:
    """Store what mail about events the own account wants."""
    form = NotificationsForm()
    given = request.form
    try:
        wishes.save(
            g.person.email,
            given.get("digest", ""),
            given.getlist("on"),
            shown=given.getlist("shown"),
            now=datetime.now(UTC),
        )
    except InvalidInput as error:
        fields.show(form, error)
        return _page(OwnPasswordForm(formdata=None), form), 422
    flash("What mail you want is stored.", "good")
    return redirect(url_for(".show"), 303)


def _check_current(password: str) -> None:
    try:
        sign_in.check_password(
            g.person.email,
            password,
            remote_address=request.remote_addr or "",
            now=datetime.now(UTC),
        )
    except InvalidInput as error:
        raise InvalidInput({"current_password": ["The current password is wrong."]}) from error


def _page(form: OwnPasswordForm, notifications: NotificationsForm | None = None) -> str:
    user = viewer()
    present = wishes.of(user)
    notifications = notifications or _filled(user, present)
    notifications.on.choices = [
        SelectChoice(switch.type, switch.label) for switch in present.switches
    ]
    if present.everything_off:
        label = "Notifications at all: everything is switched off now"
        notifications.on.choices.insert(0, SelectChoice(unsubscribing.EVERYTHING, label))
    return render_template(
        "account/show.html", form=form, user=user, wishes=present, notifications=notifications
    )


def _filled(user: User, present: Wishes) -> NotificationsForm:
    on = [switch.type for switch in present.switches if switch.on]
    return NotificationsForm(formdata=None, data={"digest": user.digest, "on": on})
