"""Who may come in: sessions, roles, and the token that every unsafe request must carry.

A view that says nothing is for admins; `signed_in` and `public` open one further. What lies under
/api/ brings a key of its own and is let in there. A session names an account and its
`session_version`, so that raising the version ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from flexmail.models import User
from flexmail.services import accounts, audit, sign_in
from flexmail.views.errors import prefers_json

View = TypeVar("View", bound=Callable[..., Any])

ADMIN, SIGNED_IN, PUBLIC = "admin", "signed in", "public"
_MAX_NEXT = 2000

csrf = CSRFProtect()


def public(view: View) -> View:
    """Let everybody use this view."""
    view.__dict__["access"] = PUBLIC
    return view


def signed_in(view: View) -> View:
    """Let every account use this view."""
    view.__dict__["access"] = SIGNED_IN
    return view


def proven_by_address(view: View) -> View:
    """Let this view be posted to by anybody who knows its address, which nobody can guess.

    It takes no token against forgery; so it must not look at who is signed in.
    """
    view.__dict__["proven_by_address"] = True
    return view


def access_to(endpoint: str) -> str:
    """Return who may use a view: `admin`, `signed in` or `public`."""
    if endpoint == "static":
        return PUBLIC
    found: str = current_app.view_functions[endpoint].__dict__.get("access", ADMIN)
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as plain values: a page can name them even while the database is away."""

    id: int
    email: str
    name: str
    role: str
    session_version: int

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """Return what the session keeps."""
        return f"{self.id}:{self.session_version}"


class Sessions(SecureCookieSessionInterface):
    """Cookies that are Secure wherever people reach flexmail through TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Tell whether browsers may send the cookie over TLS only."""
        over_tls = request.is_secure or str(app.config["BASE_URL"]).startswith("https:")
        return over_tls or super().get_cookie_secure(app)


def init_app(app: Flask) -> None:
    """Guard every request."""
    if proxies := app.config["TRUSTED_PROXIES"]:
        # The name under which people reach us is FLEXMAIL_BASE_URL, never a header's.
        fixed = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0, x_port=0)
        app.wsgi_app = fixed  # type: ignore[method-assign]
    app.session_interface = Sessions()
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # `_admit` checks, after the role
    csrf.init_app(app)
    manager = LoginManager()
    manager.session_protection = None
    manager.user_loader(_load)
    manager.init_app(app, add_context_processor=False)
    app.before_request(_admit)


def begin_session(user: User) -> None:
    """Sign in; nothing of the session before is kept."""
    person = _person(user)
    session.clear()
    login_user(person)


def viewer() -> User:
    """Return the account of the person who asks."""
    return accounts.by_id(g.person.id)


def _admit() -> ResponseReturnValue | None:
    g.person = None
    if request.path.startswith("/api/"):
        return None
    access = access_to(request.endpoint) if request.endpoint else PUBLIC
    if access != PUBLIC or not request.endpoint:
        g.person = current_user._get_current_object() if current_user.is_authenticated else None
    audit.act_as(g.person.email if g.person else "not signed in", "web")
    if access != PUBLIC and g.person is None:
        return _ask_to_sign_in()
    if access == ADMIN and g.person.role != "admin":
        abort(403)
    if request.is_json and request.method == "POST":
        abort(415)
    if request.endpoint and not _is_proven_by_address(request.endpoint):
        csrf.protect()
    return None


def _is_proven_by_address(endpoint: str) -> bool:
    view = current_app.view_functions[endpoint]
    return view.__dict__.get("proven_by_address", False) is True


def _ask_to_sign_in() -> ResponseReturnValue:
    if prefers_json():
        abort(401)
    target = request.full_path.rstrip("?")
    comes_back = request.method == "GET" and target != "/" and len(target) <= _MAX_NEXT
    return redirect(url_for("auth.login", next=target if comes_back else None), 303)


def _load(session_id: str) -> Person | None:
    number, _, version = session_id.partition(":")
    try:
        found = sign_in.of_session(int(number), int(version))
    except ValueError:
        return None
    return Person(*found, session_version=int(version)) if found else None


def _person(user: User) -> Person:
    return Person(user.id, user.email, user.name, user.role, user.session_version)
