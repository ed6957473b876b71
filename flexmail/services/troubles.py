"""Trouble with flexmail's own mail, told where mail is not needed: page, log, and a program.

`watch` compares what is wrong with what was told: each trouble is told once when it begins and once
when it ends. What takes both to be told is one commit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app
from sqlalchemy import func, select

from flexmail.db import db, transaction
from flexmail.errors import ConfigError
from flexmail.models import Channel, OutboxMail, Trouble
from flexmail.services import callbacks, channels, delivery, inbox, settings
from flexmail.services.moments import iso

log = logging.getLogger(__name__)

KINDS = ("mail_out", "mail_in", "outbox_backlog", "reply_backlog")
BEGAN, ENDED = "flexmail.trouble_began", "flexmail.trouble_ended"
"""The types of what a program is told."""
FAILURES = 2
"""So many runs in a row have to fail; a refused login is enough by itself."""
GROWING_RUNS = 3
LATE = timedelta(minutes=10)
"""No mail is due for so long unless nobody sends."""


def init_app(app: Flask) -> None:
    """Refuse to start with an address, where there is one, that would never be called.

    Raises:
        ConfigError
    """
    with app.app_context():
        if fault := callbacks.fault_of(app.config["TROUBLE_URL"]):
            raise ConfigError(f"FLEXMAIL_TROUBLE_URL: {fault}")


def watch(*, now: datetime) -> None:
    """Tell of every trouble that began or ended since the last look; commits."""
    present = at_present(now=now)
    if present.keys() == {row.kind for row in known()}:
        return
    said: list[tuple[int, str]] = []
    with transaction():
        told = {row.kind: row for row in db.session.scalars(select(Trouble).with_for_update())}
        for kind in present.keys() - told.keys():
            row = Trouble(kind=kind, since=now, text=present[kind])
            db.session.add(row)
            _tell(BEGAN, row, now)
            said.append((logging.ERROR, f"{kind}: {row.text}"))
        for kind in told.keys() - present.keys():
            row = told[kind]
            _tell(ENDED, row, now)
            db.session.delete(row)
            said.append((logging.WARNING, f"{kind} is over, it lasted since {iso(row.since)}"))
    for level, sentence in said:  # once it is committed that it was told
        log.log(level, "trouble: %s", sentence)


def known() -> list[Trouble]:
    """Return the troubles that were told and last, the oldest first."""
    return list(db.session.scalars(select(Trouble).order_by(Trouble.since, Trouble.kind)))


def at_present(*, now: datetime) -> dict[str, str]:
    """Return what is wrong at this moment, by kind, as sentences for people."""
    row = settings.load()
    found: dict[str, str] = {}
    mail_out, mail_in = channels.get(delivery.CHANNEL), channels.get(inbox.CHANNEL)
    if _fails(mail_out):
        found["mail_out"] = f"Mail cannot be sent: {mail_out.error}"
    if row.enable_email_approval and _fails(mail_in):
        found["mail_in"] = f"Replies cannot be read: {mail_in.error}"
    if row.smtp_host_name and (late := _late(now)):
        found["outbox_backlog"] = (
            f"{late} mail(s) should have gone out {LATE.seconds // 60} minutes ago or earlier, and"
            " nobody sent them."
        )
    if row.enable_email_approval and mail_in.growing >= GROWING_RUNS:
        left = (mail_in.summary or {}).get("left", 0)
        found["reply_backlog"] = (
            f"More replies come than are read: {left} wait in the folder, more after each of the"
            f" last {mail_in.growing} runs. Raise the count or shorten the interval."
        )
    return found


def _fails(channel: Channel) -> bool:
    return bool(channel.failing_since) and (channel.login_refused or channel.failures >= FAILURES)


def _late(now: datetime) -> int:
    late = (OutboxMail.state == "queued", OutboxMail.retry_at <= now - LATE)
    return db.session.scalar(select(func.count(OutboxMail.id)).where(*late)) or 0


def _tell(what: str, trouble: Trouble, now: datetime) -> None:
    url = current_app.config["TROUBLE_URL"]
    if url:
        callbacks.announce(what, _shape(trouble), url=url, now=now)


def _shape(trouble: Trouble) -> Mapping[str, Any]:
    return {"kind": trouble.kind, "since": iso(trouble.since), "text": trouble.text}
