"""How many mails a batch may hold while a mail server wants them slower.

A server that throttles gets half as many at once and a minute's rest. Each batch that goes through
without such an answer doubles them again, until nothing is held back.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from flexmail.errors import LoginRefused, MailServerError
from flexmail.mail.delivery_report import status_code_in
from flexmail.services import channels
from flexmail.services.claims import BATCH

_REST = timedelta(minutes=1)
_BREATH = timedelta(seconds=10)

_ALWAYS = (421, 432)
_WHERE_THE_TEXT_SAYS_SO = (450, 451, 452)
_CODES = ("4.7.", "4.3.2", "4.4.5")
"""Policy, "not accepting now" and congestion (RFC 3463); 4.2 is about one mailbox."""

_WORDS = re.compile(
    r"\brates?\b|throttl|too (?:many|much|fast|quickly)|slow(?:er)? down|concurren|frequen|congest"
    r"|\blimit",
    re.IGNORECASE,
)
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
"""Asks one mail to wait, which it does, and nobody else."""


def throttles(error: MailServerError) -> bool:
    """Tell whether a server's answer asks to send slower, rather than about one mail."""
    if isinstance(error, LoginRefused):  # has a pause of its own, and a longer one
        return False
    if error.code in _ALWAYS:
        return True
    text = str(error)
    status = status_code_in(text)
    if error.code not in _WHERE_THE_TEXT_SAYS_SO or status.startswith("4.2."):
        return False
    asks = status.startswith(_CODES) or _WORDS.search(text)
    return bool(asks and not _GREYLISTED.search(text))


def batch_size(name: str) -> int:
    """Return how many mails the next batch of a channel may hold."""
    return min(channels.get(name).pace or BATCH, BATCH)


def slower(name: str) -> None:
    """Halve the batch; joins the caller's transaction."""
    row = channels.locked(name)
    row.pace = max(1, min(row.pace or BATCH, BATCH) // 2)


def faster(name: str) -> None:
    """Double the batch, up to where nothing is held back; joins the caller's transaction."""
    row = channels.locked(name)
    if row.pace is not None:
        row.pace = row.pace * 2 if row.pace * 2 < BATCH else None


def rest(name: str, *, revision: int, now: datetime) -> None:
    """Pause after the server asked for less; joins the caller's transaction."""
    _pause(name, _REST, revision, now)


def breathe(name: str, *, revision: int, now: datetime) -> None:
    """Pause between two batches while mail is held back; joins the caller's transaction."""
    _pause(name, _BREATH, revision, now)


def _pause(name: str, how_long: timedelta, revision: int, now: datetime) -> None:
    row = channels.locked(name)
    row.paused_until, row.paused_revision = now + how_long, revision
