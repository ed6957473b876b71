"""Accounts, for admins: list, add, change, disable, enable, set a password."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectChoice, SelectField

from flexmail.errors import Conflict, InvalidInput
from flexmail.services import account_rules, accounts, wishes
from flexmail.views import fields

pages = Blueprint("users", __name__)

_PASSWORD_HELP = f"At least {account_rules.MIN_PASSWORD_CHARACTERS} characters."


class UserForm(FlaskForm):
    """What an admin says about an account."""

    name = fields.text("Name", "How mails and pages call this person; may be empty.")
    role = SelectField(
        "Role",
        choices=[SelectChoice("approver", "Approver"), SelectChoice("admin", "Admin")],
        default="approver",
        description="An admin sees all and changes settings; an approver sees the own approvals.",
    )
    groups = fields.text("Groups", "Names with commas between them, like ops, release.")

    @property
    def group_names(self) -> list[str]:
        """Names of the groups, as typed."""
        return [name.strip() for name in self.groups.data.split(",") if name.strip()]


class NewUserForm(UserForm):
    """An account that is not there yet."""

    email = fields.text(
        "E-mail address",
        "Requests go to it, and answers count only when they come from it.",
        type="email",
        autocomplete="off",
        required=True,
    )
    password = fields.password(
        "Password",
        f"{_PASSWORD_HELP} Without one this person decides by mail, but cannot sign in.",
        autocomplete="new-password",
        required=False,
    )


class PasswordForm(FlaskForm):
    """A password for somebody else."""

    password = fields.password("New password", _PASSWORD_HELP, autocomplete="new-password")


@pages.get("/users")
def index() -> ResponseReturnValue:
    """List all accounts."""
    return render_template("users/index.html", users=accounts.everyone())


@pages.get("/users/new")
def new() -> ResponseReturnValue:
    """Ask who it is."""
    return render_template("users/new.html", form=NewUserForm(formdata=None))


@pages.post("/users/new")
def add() -> ResponseReturnValue:
    """Make an account."""
    form = NewUserForm()
    try:
        user = accounts.add(
            form.email.data,
            role=form.role.data,
            name=form.name.data,
            groups=form.group_names,
            password=form.password.data or None,
            now=datetime.now(UTC),
        )
    except InvalidInput as error:
        fields.show(form, error)
        return render_template("users/new.html", form=form), 422
    except Conflict as error:
        fields.show(form, InvalidInput({"email": [str(error)]}))
        return render_template("users/new.html", form=form), 409
    flash(f"{user.email} has an account.", "good")
    return redirect(url_for(".index"), 303)


@pages.get("/users/<row:user_id>")
def show(user_id: int) -> ResponseReturnValue:
    """Show one account with the forms that change it."""
    return _page(user_id)


@pages.post("/users/<row:user_id>")
def edit(user_id: int) -> ResponseReturnValue:
    """Change name, role and groups."""
    form = UserForm()
    email = accounts.by_id(user_id).email
    try:
        accounts.edit(email, role=form.role.data, name=form.name.data, groups=form.group_names)
    except InvalidInput as error:
        fields.show(form, error)
        return _page(user_id, form=form), 422
    except Conflict as error:
        form.form_errors.append(str(error))
        return _page(user_id, form=form), 409
    flash(f"{email} is changed.", "good")
    return redirect(url_for(".index"), 303)


@pages.post("/users/<row:user_id>/password")
def set_password(user_id: int) -> ResponseReturnValue:
    """Set a password; every session of the account ends."""
    form = PasswordForm()
    email = accounts.by_id(user_id).email
    try:
        accounts.set_password(email, form.password.data or "")
    except InvalidInput as error:
        fields.show(form, error)
        return _page(user_id, password_form=form), 422
    flash(f"{email} has a new password and is signed out everywhere.", "good")
    return redirect(url_for(".index"), 303)


@pages.post("/users/<row:user_id>/disable")
def disable(user_id: int) -> ResponseReturnValue:
    """Take away all power of an account, at once."""
    return _set_active(user_id, False)


@pages.post("/users/<row:user_id>/enable")
def enable(user_id: int) -> ResponseReturnValue:
    """Give it back."""
    return _set_active(user_id, True)


def _set_active(user_id: int, active: bool) -> ResponseReturnValue:
    email = accounts.by_id(user_id).email
    try:
        accounts.set_active(email, active)
    except Conflict as error:
        form = _filled(user_id)
        form.form_errors.append(str(error))
        return _page(user_id, form=form), 409
    flash(f"{email} is {'enabled' if active else 'disabled and signed out everywhere'}.", "good")
    return redirect(url_for(".index"), 303)


def _filled(user_id: int) -> UserForm:
    user = accounts.by_id(user_id)
    groups = ", ".join(user.group_names)
    return UserForm(formdata=None, data={"name": user.name, "role": user.role, "groups": groups})


def _page(
    user_id: int, *, form: UserForm | None = None, password_form: PasswordForm | None = None
) -> str:
    user = accounts.by_id(user_id)
    return render_template(
        "users/show.html",
        user=user,
        wishes=wishes.of(user),
        form=form or _filled(user_id),
        password_form=password_form or PasswordForm(formdata=None),
    )
