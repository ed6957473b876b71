"""Signing in with a password, and the one-time link that makes the first admin.

Guessing is slowed down in a table, so that the count holds over all workers: after ten failures in
a quarter of an hour for one account name or one network address, further tries are not looked at.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import bindparam, delete, select

from flexmail.db import db, locked, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.models import SignInFailure, User
from flexmail.services import account_rules, accounts, audit

MAX_FAILURES = 10
MAX_FAILURES_PER_ADDRESS = 50
WINDOW = timedelta(minutes=15)
SETUP_LINK_SECONDS = 24 * 3600

_WRONG = "E-mail address or password is wrong."
_ABSENT = account_rules.hasher.hash("compared with when there is no such account")
_OF = User.__table__.c  # columns alone take half the work that objects do
_OF_SESSION = select(_OF.id, _OF.email, _OF.name, _OF.role).where(
    _OF.id == bindparam("id"), _OF.active, _OF.session_version == bindparam("version")
)


def sign_in(email: str, password: str, *, remote_address: str, now: datetime) -> User:
    """Return the account that signs in, and note it in the audit log; commits.

    Raises:
        InvalidInput, Conflict: as `check_password`.
    """
    user = check_password(email, password, remote_address=remote_address, now=now)
    with transaction():
        audit.record(
            "signed_in",
            f"account {user.email}",
            proof={"remote_address": remote_address},
            by=audit.Actor(user.email, "web"),
        )
    return user


def of_session(user_id: int, session_version: int) -> tuple[int, str, str, str] | None:
    """Return id, address, name and role of an active account whose sessions of this version hold.

    Asked for every page, so it reads nothing else, in a statement that is made once.
    """
    session = {"id": user_id, "version": session_version}
    return db.session.execute(_OF_SESSION, session).one_or_none()


def check_password(email: str, password: str, *, remote_address: str, now: datetime) -> User:
    """Return the account that address and password belong to; counts a failure and commits it.

    Raises:
        InvalidInput: they do not match, or the account is disabled (one sentence for all).
        Conflict: too many failures; says how long to wait.
    """
    user = accounts.find(email)
    name = user.email if user else "".join(filter(str.isprintable, email.strip().lower()))[:254]
    keys = {
        f"account:{name}": MAX_FAILURES,
        f"address:{remote_address}": MAX_FAILURES_PER_ADDRESS,
    }
    _refuse_when_throttled(keys, now)
    version = user.session_version if user else 0
    matches = _matches(user.password_hash if user else None, password)
    if user is None or not matches or not user.active:
        _count_failure(keys, now)
        raise InvalidInput(_WRONG)
    with transaction():
        if user.session_version != version:  # changed or disabled while it was compared
            raise InvalidInput(_WRONG)
        db.session.execute(delete(SignInFailure).where(SignInFailure.key == next(iter(keys))))
    return user


def setup_token() -> str:
    """Return the token of the set-up link; it works while there is no account, for a day."""
    return str(_serializer().dumps("first admin"))


def set_up(token: str, *, email: str, name: str, password: str, now: datetime) -> User:
    """Make the first admin and commit.

    Raises:
        Conflict: the link is wrong, too old, or there is an account already.
        InvalidInput: what `accounts.add` refuses.
    """
    check_setup_token(token)
    return accounts.add(
        email, role="admin", name=name, password=password, now=now, only_if_first=True
    )


def check_setup_token(token: str) -> None:
    """Make sure that the set-up link is good.

    Raises:
        Conflict: it is wrong, too old, or used.
    """
    try:
        _serializer().loads(token, max_age=SETUP_LINK_SECONDS)
    except BadSignature as error:
        raise Conflict("This link is wrong or too old. A restart logs a new one.") from error
    if not accounts.none_yet():
        raise Conflict("This link has been used. Sign in instead.")


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="flexmail set-up")


def _matches(password_hash: str | None, password: str) -> bool:
    """Compare in the same time whether or not the account exists."""
    try:
        account_rules.hasher.verify(password_hash or _ABSENT, password[:512])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def _refuse_when_throttled(keys: dict[str, int], now: datetime) -> None:
    for key, limit in keys.items():
        failure = db.session.get(SignInFailure, key)
        if failure and failure.count >= limit and failure.since + WINDOW > now:
            minutes = int((failure.since + WINDOW - now).total_seconds() // 60) + 1
            raise Conflict(f"Too many wrong passwords. Try again in {minutes} min.")


def _count_failure(keys: dict[str, int], now: datetime) -> None:
    with transaction():
        db.session.execute(delete(SignInFailure).where(SignInFailure.since < now - WINDOW))
        for key, limit in keys.items():
            fresh = partial(SignInFailure, key=key, count=0, since=now)
            failure = locked(SignInFailure, key, fresh)
            failure.count += 1
            if failure.count == limit:
                audit.record("sign_in_throttled", key)
