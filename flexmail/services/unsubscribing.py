"""The link in every notification that stops such mail: works without a login, and never by GET.

It carries address and type, signed; there is nothing to look up and nothing to guess. RFC 2369,
8058.
"""

from __future__ import annotations

from datetime import datetime

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import delete, select

from flexmail.db import db, insert_unless_there, transaction
from flexmail.errors import NotFound
from flexmail.models import OptOut
from flexmail.services import audit

EVERYTHING = "*"
"""Every type of event."""
_SALT = "unsubscribe"


def link(address: str, type_name: str) -> str:
    """Return where the mail can be stopped, or nothing while flexmail does not know its address."""
    base = current_app.config["BASE_URL"]
    return f"{base}/unsubscribe/{_signer().dumps([address, type_name])}" if base else ""


def opened(token: str) -> tuple[str, str]:
    """Return address and type of a link.

    Raises:
        NotFound: it is none of ours.
    """
    try:
        address, type_name = _signer().loads(token)
    except (BadSignature, ValueError, TypeError) as error:
        raise NotFound("This link is not one of flexmail's, or not all of it.") from error
    return str(address), str(type_name)


def is_off(address: str, type_name: str) -> bool:
    """Tell whether an address gets no mail about a type."""
    wanted = select(OptOut.type).where(OptOut.address == address, OptOut.type == type_name)
    return db.session.scalar(wanted) is not None


def switch(address: str, type_name: str, *, on: bool, now: datetime) -> None:
    """Have an address get mail about a type, or none; commits. Doing it twice changes nothing."""
    with transaction():
        set_switch(address, type_name, on=on, now=now)


def set_switch(address: str, type_name: str, *, on: bool, now: datetime) -> None:
    """Do what `switch` does inside the caller's transaction."""
    if on:
        wanted = delete(OptOut).where(OptOut.address == address, OptOut.type == type_name)
        changed = bool(db.session.connection().execute(wanted).rowcount)
    else:
        changed = insert_unless_there(OptOut, address=address, type=type_name, at=now)
    if changed:
        action = "notifications_switched_on" if on else "notifications_switched_off"
        audit.record(action, f"address {address}", proof={"type": type_name})


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=_SALT)
