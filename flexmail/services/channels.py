"""How each job fares: started, finished, failing since when and why, paused until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update

from flexmail.db import db, execute, insert_unless_there, transaction
from flexmail.db import locked as locked_row
from flexmail.errors import FlexmailError, LoginRefused
from flexmail.mail.reference import mask
from flexmail.models import Channel

_CHANNELS = cast(Table, Channel.__table__)
_LAST = (
    select(_CHANNELS.c.summary, _CHANNELS.c.growing)
    .where(_CHANNELS.c.name == bindparam("of"))
    .with_for_update()
)
_PAUSED = select(_CHANNELS.c.paused_until, _CHANNELS.c.paused_revision).where(
    _CHANNELS.c.name == bindparam("of")
)
_CHANGE = update(_CHANNELS).where(_CHANNELS.c.name == bindparam("of"))
_WELL = {
    "error": "",
    "failing_since": None,
    "paused_until": None,
    "paused_revision": None,
    "failures": 0,
    "login_refused": False,
}

_PAUSE = timedelta(minutes=1)
_LOGIN_PAUSE = timedelta(minutes=6)
"""At most ten refused logins an hour: servers lock accounts for more."""


def get(name: str) -> Channel:
    """Return the row, or an empty one that is in no session."""
    return db.session.get(Channel, name) or _fresh(name)


def started(name: str, *, now: datetime) -> None:
    """Note that a run begins; joins the caller's transaction."""
    _note(name, started_at=now)


def finished(name: str, summary: dict[str, Any]) -> None:
    """Note a run that reached its end; joins the caller's transaction."""
    before: Any = execute(_LAST, of=name).first() or (None, 0)
    last, growing = before
    grows = summary.get("left", 0) > (last or {}).get("left", 0)
    _note(name, **_WELL, summary=summary, growing=growing + 1 if grows else 0)


def failed(name: str, error: FlexmailError, *, revision: int, now: datetime) -> None:
    """Note why a run failed, and pause the channel; commits.

    The pause is for servers' sake only: a new revision of the settings ends it.
    """
    with transaction():
        row = locked(name)
        row.error = explain(error)
        row.failing_since = row.failing_since or now
        row.failures += 1
        row.login_refused = isinstance(error, LoginRefused)
        row.paused_until = now + (_LOGIN_PAUSE if isinstance(error, LoginRefused) else _PAUSE)
        row.paused_revision = revision


def explain(error: FlexmailError) -> str:
    """Return cause and hint as one text for people."""
    hint = getattr(error, "hint", "")
    return mask(f"{error} {hint}".strip())


def is_paused(name: str, *, revision: int, now: datetime) -> bool:
    """Tell whether a scheduled run should wait."""
    row = execute(_PAUSED, of=name).first()
    if row is None or row.paused_until is None or row.paused_revision != revision:
        return False
    longest = now + _LOGIN_PAUSE  # a pause from a clock that was ahead ends all the same
    return bool(now < row.paused_until <= longest)


def locked(name: str) -> Channel:
    """Return the row to change it, made where there is none; joins the caller's transaction."""
    return locked_row(Channel, name, lambda: _fresh(name))


def _note(name: str, **values: Any) -> None:
    if not execute(_CHANGE, of=name, **values).rowcount:
        insert_unless_there(Channel, name=name)
        execute(_CHANGE, of=name, **values)


def _fresh(name: str) -> Channel:
    return Channel(name=name, error="", failures=0, login_refused=False, growing=0)
