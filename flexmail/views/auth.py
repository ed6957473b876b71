"""Signing in and out, and the link that makes the first admin."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm

from flexmail.errors import Conflict, InvalidInput
from flexmail.services import account_rules, accounts, sign_in
from flexmail.views import fields
from flexmail.views.access import begin_session, public, signed_in

pages = Blueprint("auth", __name__)

# Browsers drop line breaks and tabs from an address and read \ as /: none of them may be in it.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")


class LoginForm(FlaskForm):
    """Who are you?"""

    email = fields.text("E-mail address", type="email", autocomplete="username", required=True)
    password = fields.password("Password", autocomplete="current-password")


class SetupForm(FlaskForm):
    """The first admin."""

    email = fields.text(
        "E-mail address",
        "You sign in with it, and test mail goes to it.",
        type="email",
        autocomplete="username",
        required=True,
    )
    name = fields.text("Name", "How mails and pages call you; may be empty.", autocomplete="name")
    password = fields.password(
        "Password",
        f"At least {account_rules.MIN_PASSWORD_CHARACTERS} characters.",
        autocomplete="new-password",
    )


@pages.get("/login")
@public
def login() -> ResponseReturnValue:
    """Ask for address and password."""
    if current_user.is_authenticated:
        return redirect(_target(), 303)
    return _login_page(LoginForm(formdata=None))


@pages.post("/login")
@public
def check_login() -> ResponseReturnValue:
    """Sign in; whatever is wrong is told in one sentence."""
    form = LoginForm()
    try:
        user = sign_in.sign_in(
            form.email.data,
            form.password.data or "",
            remote_address=request.remote_addr or "",
            now=datetime.now(UTC),
        )
    except InvalidInput as error:
        fields.show(form, error)
        return _login_page(form), 422
    except Conflict as error:
        form.form_errors.append(str(error))
        return _login_page(form), 429
    begin_session(user)
    return redirect(_target(), 303)


@pages.post("/logout")
@signed_in
def logout() -> ResponseReturnValue:
    """End every session of this account."""
    accounts.end_sessions(g.person.id)
    session.clear()
    flash("You are signed out, here and everywhere else.", "good")
    return redirect(url_for(".login"), 303)


@pages.get("/setup/<token>")
@public
def first_admin(token: str) -> ResponseReturnValue:
    """Ask who the first admin is."""
    sign_in.check_setup_token(token)
    return render_template("auth/setup.html", form=SetupForm(formdata=None))


@pages.post("/setup/<token>")
@public
def make_first_admin(token: str) -> ResponseReturnValue:
    """Make the first admin, signed in."""
    form = SetupForm()
    try:
        user = sign_in.set_up(
            token,
            email=form.email.data,
            name=form.name.data,
            password=form.password.data or "",
            now=datetime.now(UTC),
        )
    except InvalidInput as error:
        fields.show(form, error)
        return render_template("auth/setup.html", form=form), 422
    begin_session(user)
    flash("Welcome. Next, tell flexmail how to send mail.", "good")
    return redirect(url_for("settings.show"), 303)


def _login_page(form: LoginForm) -> str:
    target = _target()
    return render_template(
        "auth/login.html",
        form=form,
        target=target if target != "/" else "",
        nobody_yet=accounts.none_yet(),
    )


def _target() -> str:
    """Return where to go after signing in: a page of ours and no other."""
    wanted = request.values.get("next", "")
    return wanted if _LOCAL.fullmatch(wanted) else url_for("status.show")
