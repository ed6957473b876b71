"""`flexmail users`: accounts."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.models import ROLES, User
from flexmail.services import accounts
from flexmail.services.shapes import list_shape, user_shape

group = AppGroup("users", help="Accounts: who administers, who approves.")

_role = click.Choice(ROLES)
_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")


@group.command("add")
@click.argument("email")
@click.option("--role", type=_role, required=True, help="What the account may do.")
@click.option("--name", default="", help="Display name.")
@click.option("--group", "groups", multiple=True, help="A group; may be given several times.")
@_stdin
@console.json_option
def add(
    email: str, role: str, name: str, groups: tuple[str, ...], password_stdin: bool, as_json: bool
) -> None:
    """Make an account.

    The password is asked for twice, or comes from stdin. Without one the account cannot sign in,
    but it can decide by mail.
    """
    password = console.typed_password(from_stdin=password_stdin)
    user = accounts.add(
        email, role=role, name=name, groups=groups, password=password, now=datetime.now(UTC)
    )
    _tell(user, f"Added {user.email} ({user.role}).", as_json)
    if password is None:
        console.remark(f"It has no password yet: flexmail users password {user.email}")


@group.command("list")
@console.json_option
def list_users(as_json: bool) -> None:
    """List the accounts."""
    console.say_page(
        list_shape([user_shape(user) for user in accounts.everyone()]),
        lambda user: (
            user["email"],
            user["role"],
            "active" if user["active"] else "disabled",
            user["password"],
            ", ".join(user["groups"]),
            user["name"],
        ),
        head=("EMAIL", "ROLE", "STATE", "PASSWORD", "GROUPS", "NAME"),
        as_json=as_json,
    )


@group.command("edit")
@click.argument("email")
@click.option("--role", type=_role, help="What the account may do.")
@click.option("--name", help="Display name.")
@click.option("--group", "groups", multiple=True, help="A group; all that are given replace all.")
@click.option("--no-groups", is_flag=True, help="Take the account out of all groups.")
@console.json_option
def edit(
    email: str,
    role: str | None,
    name: str | None,
    groups: tuple[str, ...],
    no_groups: bool,
    as_json: bool,
) -> None:
    """Change role, name or groups; what is not given stays."""
    if groups and no_groups:
        raise click.UsageError("Give --group or --no-groups, not both.")
    if role is None and name is None and not groups and not no_groups:
        raise click.UsageError("Say what to change: --role, --name, --group or --no-groups.")
    wanted = groups if groups or no_groups else None
    user = accounts.edit(email, role=role, name=name, groups=wanted)
    _tell(user, f"Changed {user.email}.", as_json)


@group.command("disable")
@click.argument("email")
@console.json_option
def disable(email: str, as_json: bool) -> None:
    """Take all power from an account, at once, also over mail that is under way."""
    user = accounts.set_active(email, False)
    _tell(user, f"Disabled {user.email}.", as_json)


@group.command("enable")
@click.argument("email")
@console.json_option
def enable(email: str, as_json: bool) -> None:
    """Give a disabled account its power back."""
    user = accounts.set_active(email, True)
    _tell(user, f"Enabled {user.email}.", as_json)


@group.command("password")
@click.argument("email")
@_stdin
def password(email: str, password_stdin: bool) -> None:
    """Set a password; it ends all sessions of the account."""
    accounts.get(email)
    typed = console.typed_password(from_stdin=password_stdin)
    if typed is None:
        raise click.UsageError("There is no terminal to ask at: give --password-stdin.")
    user = accounts.set_password(email, typed)
    console.say(f"Set the password of {user.email}.")


def _tell(user: User, sentence: str, as_json: bool) -> None:
    if as_json:
        console.say_json(user_shape(user))
    else:
        console.say(sentence)
