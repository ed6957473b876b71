"""Accounts: make, change, disable; a change that takes power away works at once.

An account's e-mail address is what a reply is compared with, whole, its domain lower-cased.
Sessions carry the account's `session_version`: raising it ends them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select

from flexmail.db import db, transaction
from flexmail.errors import Conflict, NotFound
from flexmail.mail.address import normalise
from flexmail.models import Installation, User
from flexmail.services import account_rules, audit


def everyone() -> list[User]:
    """Return all accounts by address."""
    return list(db.session.scalars(select(User).order_by(User.email)))


def get(email: str) -> User:
    """Return the account with this address.

    Raises:
        NotFound: there is none.
    """
    user = find(email)
    if user is None:
        raise NotFound(f"There is no account {email!r}.")
    return user


def by_id(user_id: int) -> User:
    """Return the account with this id.

    Raises:
        NotFound: there is none.
    """
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound(f"There is no account {user_id}.")
    return user


def find(email: str) -> User | None:
    """Return the account with this address, if there is one."""
    try:
        return db.session.scalar(select(User).where(User.email == normalise(email)))
    except ValueError:
        return None


def none_yet() -> bool:
    """Tell whether no account exists at all: the moment of the set-up link."""
    return db.session.scalar(select(func.count(User.id))) == 0


def add(
    email: str,
    *,
    role: str,
    name: str = "",
    groups: Iterable[str] = (),
    password: str | None = None,
    now: datetime,
    only_if_first: bool = False,
) -> User:
    """Make an account and commit. Without a password it cannot sign in, but can decide by mail.

    Args:
        only_if_first: refuse when any account exists, checked in the same transaction.

    Raises:
        InvalidInput: address, role, name, group or password will not do.
        Conflict: the address has an account already, or the account is not the first.
    """
    address = account_rules.address(email)
    user = User(
        email=address,
        role=account_rules.role(role),
        name=account_rules.name(name),
        password_hash=None if password is None else account_rules.password_hash(password),
        active=True,
        session_version=1,
        created_at=now,
        groups=account_rules.memberships(groups),
    )
    with transaction():
        db.session.execute(
            select(Installation.id).with_for_update(key_share=True)
        )  # one after another
        if only_if_first and not none_yet():
            raise Conflict("There is an account already: ask its owner for one.")
        if find(address):
            raise Conflict(f"There is an account {address!r} already.")
        db.session.add(user)
        audit.record("account_added", f"account {address}", proof=_powers(user))
    return user


def edit(
    email: str,
    *,
    role: str | None = None,
    name: str | None = None,
    groups: Iterable[str] | None = None,
) -> User:
    """Change what is given, and commit.

    Raises:
        NotFound, InvalidInput
        Conflict: the last active admin would be gone.
    """
    with transaction():
        user = _hold(email)
        if role is not None:
            if account_rules.role(role) != "admin":
                _keep_an_admin(user)
            user.role = role
        if name is not None:
            user.name = account_rules.name(name)
        if groups is not None:
            wanted = {
                membership.group: membership for membership in account_rules.memberships(groups)
            }
            kept = [membership for membership in user.groups if membership.group in wanted]
            present = {membership.group for membership in kept}
            fresh = [row for group, row in wanted.items() if group not in present]
            user.groups = kept + fresh
        audit.record("account_edited", f"account {user.email}", proof=_powers(user))
    return user


def set_active(email: str, active: bool) -> User:
    """Enable or disable an account, end its sessions, and commit.

    Raises:
        NotFound
        Conflict: the last active admin would be gone.
    """
    with transaction():
        user = _hold(email)
        if not active:
            _keep_an_admin(user)
        user.active = active
        user.session_version += 1
        audit.record("account_enabled" if active else "account_disabled", f"account {user.email}")
    return user


def set_password(email: str, password: str) -> User:
    """Set a password, end all sessions of the account, and commit.

    Raises:
        NotFound, InvalidInput
    """
    hashed = account_rules.password_hash(password)
    with transaction():
        user = _hold(email)
        user.password_hash = hashed
        user.session_version += 1
        audit.record("password_changed", f"account {user.email}")
    return user


def end_sessions(user_id: int) -> None:
    """Sign an account out everywhere; commits."""
    with transaction():
        user = db.session.get_one(User, user_id, with_for_update={"key_share": True})
        user.session_version += 1
        audit.record("sessions_ended", f"account {user.email}")


def _hold(email: str) -> User:
    """Return an account to change what it may do, locked as `cases` does, with all admins."""
    user = get(email)
    either = (User.role == "admin") | (User.id == user.id)
    locked = select(User).where(either).order_by(User.id).with_for_update(key_share=True)
    db.session.scalars(locked.execution_options(populate_existing=True)).all()
    return user


def _powers(user: User) -> dict[str, object]:
    return {"role": user.role, "name": user.name, "groups": sorted(user.group_names)}


def _keep_an_admin(user: User) -> None:
    if user.role != "admin" or not user.active:
        return
    others = select(func.count()).where(User.role == "admin", User.active, User.id != user.id)
    if not db.session.scalar(others):
        raise Conflict(f"{user.email} is the last active admin: make another one first.")
