"""How flexmail is doing, as one plain value for the status page, the API and the command line."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from flexmail.crypto import key_ring
from flexmail.db import db
from flexmail.mail.reference import mask
from flexmail.models import Approval, Channel, EmailSettings, Trouble
from flexmail.services import (
    bounces,
    callbacks,
    channels,
    delivery,
    event_templates,
    event_warnings,
    inbox,
    installation,
    leases,
    outbox_log,
    reply_folders,
    settings,
    troubles,
    trust,
    withheld,
)
from flexmail.services.moments import iso
from flexmail.services.reply_folders import Held

JOBS_LEASE = "jobs"

_SENDERS = 3
_APART = timedelta(seconds=1)
"""How far the clocks of hosts that share a database may differ."""


def next_run_at(row: EmailSettings, channel: Channel, *, now: datetime) -> datetime | None:
    """Return when the reply job runs next, None while approval is off.

    The start of the last run plus the interval, at once if that is past; sooner while a canary is
    on its way, later while the server is given a pause.
    """
    if not row.enable_email_approval:
        return None
    due = now
    if channel.started_at is not None:
        wait = trust.next_look(row, now=now) or inbox.interval(row)
        # A start that lies ahead was told by a clock that was wrong: nobody knows when it was.
        due = max(now, channel.started_at + wait) if channel.started_at <= now + _APART else now
    if channels.is_paused(channel.name, revision=row.revision, now=now):
        due = max(due, channel.paused_until or due)
    return due


def overview(*, now: datetime) -> dict[str, Any]:
    """Return the state of every part, in JSON types; moments are ISO 8601 in UTC."""
    row = settings.load()
    replies, mail_out = channels.get(inbox.CHANNEL), channels.get(delivery.CHANNEL)
    summary = replies.summary or {}
    held = reply_folders.held(row)
    return {
        "reply_processing": {
            "enabled": row.enable_email_approval,
            "interval_minutes": row.email_reply_process_interval,
            "next_run_at": _iso(next_run_at(row, replies, now=now)),
            "last_run": summary or None,
            "waiting": summary.get("left", 0),
            "held": held.count if held else 0,
            "owner": leases.holder(JOBS_LEASE, now=now) or None,
            "trust": asdict(trust.of(row)),
            **_trouble(replies),
        },
        "outbox": {**outbox_log.counts(), **_trouble(mail_out)},
        "callbacks": callbacks.counts(),
        "approvals": {"pending": _pending()},
        "installation": {"ours": not (reason := installation.objection()), "reason": reason},
        "troubles": [_trouble_shape(row) for row in troubles.known()],
        "warnings": [
            *_warnings(row),
            *([_about(held)] if held else []),
            *_withheld(row),
            *event_warnings.of(now=now),
        ],
    }


def _trouble(channel: Channel) -> dict[str, Any]:
    return {"failing_since": _iso(channel.failing_since), "error": channel.error}


def _trouble_shape(row: Trouble) -> dict[str, Any]:
    return {"kind": row.kind, "since": iso(row.since), "text": row.text}


def _pending() -> int:
    found = select(func.count(Approval.id)).where(Approval.status == "pending")
    return db.session.scalar(found) or 0


def _warnings(row: EmailSettings) -> list[str]:
    warnings = []
    if not row.smtp_host_name:
        warnings.append("E-mail is not set up yet: fill in the email settings.")
    for name in settings.SECRETS:
        sealed = getattr(row, f"sealed_{name}")
        if sealed and not key_ring().opens(sealed):
            warnings.append(
                f"No encryption key opens the stored {name}: put the lost key back, or type it anew"
                " under email settings."
            )
    lost = bounces.undelivered()
    if lost:
        warnings.append(
            f"{lost} approval mail(s) of open requests could not be delivered: whoever was to get"
            " them does not know. The outbox says why, and sends them again."
        )
    untold = callbacks.counts()["failed"]
    if untold:
        warnings.append(
            f"{untold} callback(s) could not be delivered: those programs do not know what was"
            " decided. The callbacks page says why, and sends them again."
        )
    failing = event_templates.failing()
    if failing:
        warnings.append(
            f"The words for mails about {', '.join(failing)} could not be used for the last event:"
            " those that came with flexmail went out instead. The templates page says why."
        )
    in_clear = outbox_log.went_in_clear()
    if in_clear:
        warnings.append(
            f"{in_clear} approval mail(s) left over an unencrypted connection, where others could"
            " read the secret reference. Turn on STARTTLS or SSL/TLS for SMTP."
        )
    held_to = channels.get(delivery.CHANNEL).pace
    if held_to:
        warnings.append(
            f"The mail server asked for mail to come slower: {held_to} at a time for now, more as"
            " soon as it takes them."
        )
    return warnings


def _about(held: Held) -> str:
    since = f" since {held.oldest}" if held.oldest else ""
    senders = ", ".join(f"{address} ({count})" for address, count in held.senders[:_SENDERS])
    return (
        f"{held.count} mail(s) lay in {held.folder} before flexmail read it{since}, and answer none"
        " of its requests. They stay untouched until an admin confirms that they may be deleted."
        + (f" Most are from {senders}." if senders else "")
    )


def _withheld(row: EmailSettings) -> list[str]:
    mails = withheld.in_folder(row)
    if not mails:
        return []
    first = mails[0]
    return [
        f"{len(mails)} mail(s) in {first.folder} cannot be read, the first (UID {first.uid}) since"
        f" {first.first_seen_at:%Y-%m-%d %H:%M} UTC. The mail server lists them and does not hand"
        f" them over; of that one it says: {mask(first.reason)} They stay there and are asked for"
        " again at least once an hour: open them in a mail program, or ask who runs the server."
    ]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
