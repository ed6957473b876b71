"""What an account's address, role, name, groups and password have to be.

Every function returns the value as it is stored, or raises `InvalidInput` with the field's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from argon2 import PasswordHasher

from flexmail.errors import InvalidInput
from flexmail.mail.address import is_safe_header, normalise
from flexmail.models import ROLES, Membership

MIN_PASSWORD_CHARACTERS = 10
MAX_PASSWORD_CHARACTERS = 512
_GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

hasher = PasswordHasher()


def address(email: str) -> str:
    """Return the address as it is stored and compared."""
    try:
        return normalise(email)
    except ValueError as error:
        raise InvalidInput({"email": [str(error)]}) from error


def role(role: str) -> str:
    """Return a role that exists."""
    if role not in ROLES:
        raise InvalidInput({"role": [f"{role!r} is no role: give {' or '.join(ROLES)}."]})
    return role


def name(name: str) -> str:
    """Return a display name of one line."""
    name = name.strip()
    if len(name) > 120 or not is_safe_header(name):
        raise InvalidInput({"name": ["Give a name of one line, 120 characters at most."]})
    return name


def memberships(groups: Iterable[str]) -> list[Membership]:
    """Return one row a group, sorted, each once."""
    names = sorted({group.strip().lower() for group in groups if group.strip()})
    wrong = [name for name in names if not _GROUP.fullmatch(name)]
    if wrong:
        raise InvalidInput(
            {
                "groups": [
                    f"{wrong[0]!r} is no group name: use letters, digits, dot, dash and underscore."
                ]
            }
        )
    return [Membership(group=name) for name in names]


def password_hash(password: str) -> str:
    """Return the argon2id hash of a password that is long enough."""
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise InvalidInput(
            {
                "password": [
                    f"Give a password of {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS}"
                    " characters."
                ]
            }
        )
    return hasher.hash(password)
