"""Whether replies may be judged by what the mail server says of their senders.

With `reply_trust=authenticated_sender` they may from the moment a canary has passed: a mail with a
forged Authentication-Results header that came into the reply folder without it. A server that lets
such headers through lets anybody vouch for any sender (RFC 8601, sections 5 and 7.1). Until then
replies wait; `canary` sends that mail and looks for it, and this module says where things stand.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from flexmail.db import db, transaction
from flexmail.mail.reference import digest, mask
from flexmail.models import Canary, EmailSettings, OutboxMail
from flexmail.services import audit
from flexmail.services.in_force import InForce, in_force

_LOOK_AGAIN = timedelta(seconds=10)
_HOPE = timedelta(minutes=10)
_WAIT = "Replies wait in the folder until a canary has passed:"


@dataclass(frozen=True, slots=True)
class Trust:
    """`not_needed`, `waiting`, `passed` or `refused`, and why, in words for people."""

    state: str
    reason: str = ""

    @property
    def lets_decide(self) -> bool:
        """Tell whether replies may be read."""
        return self.state in ("not_needed", "passed")


def of(row: EmailSettings) -> Trust:
    """Say where these settings stand."""
    if not is_needed(row):
        return Trust("not_needed")
    canary = canary_of(row)
    if canary is None:
        return Trust("waiting", f"{_WAIT} the next run sends it to {reply_address(row)}.")
    if canary.state == "sent":
        return Trust("waiting", f"{_WAIT} {_way(canary)}")
    return Trust(canary.state, canary.reason)


def is_needed(row: EmailSettings | InForce) -> bool:
    """Tell whether replies are read and have to prove who sent them."""
    return row.enable_email_approval and row.reply_trust == "authenticated_sender"


def reply_address(row: EmailSettings) -> str:
    """Return the addr-spec that answers go to."""
    return _addr_spec(in_force(row).approval_reply_address)


def canary_of(row: EmailSettings, *, lock: bool = False) -> Canary | None:
    """Return the canary of these settings, None while none was sent.

    Args:
        lock: inside a write transaction, nobody forgets it until the commit.
    """
    wanted = select(Canary).where(Canary.target_digest == target(row))
    return db.session.scalar(wanted.with_for_update() if lock else wanted)


def mail_of(canary: Canary) -> OutboxMail | None:
    """Return the mail that went out, or waits to, as this canary."""
    wanted = OutboxMail.message_id_digest == digest(canary.message_id)
    return db.session.scalar(select(OutboxMail).where(wanted))


def target(row: EmailSettings) -> str:
    """Return the digest of all that the answer depends on: way in, mailbox, way out, name."""
    known = in_force(row)
    parts = (
        row.imap_host_name.lower(),
        row.imap_host_port,
        row.imap_enable_starttls,
        row.imap_implicit_tls,
        known.imap_user,
        known.email_reply_folder,
        reply_address(row),
        row.smtp_host_name.lower(),
        row.smtp_host_port,
        row.smtp_user,
        _addr_spec(row.smtp_from_address),
        row.trusted_authserv_id.strip().lower(),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def next_look(row: EmailSettings, *, now: datetime) -> timedelta | None:
    """Return how soon after the last run the next one should look for the canary.

    None where there is none to be looked for, or where it has been on its way for long: then the
    interval is soon enough.
    """
    if not is_needed(row):
        return None
    canary = canary_of(row)
    if canary is None:
        return _LOOK_AGAIN
    mail = mail_of(canary) if canary.state == "sent" else None
    return _LOOK_AGAIN if mail and now - mail.created_at < _HOPE else None


def settings_saved(row: EmailSettings) -> list[str]:
    """Forget what did not pass, so that a save asks again; return what there is to say.

    Joins the caller's transaction.
    """
    db.session.execute(delete(Canary).where(Canary.state != "passed"))
    found = of(row)
    return [] if found.lets_decide else [found.reason]


def ask_again() -> None:
    """Forget every canary, so that the next run sends a new one; commits."""
    with transaction():
        db.session.execute(delete(Canary))
        audit.record("canary_repeated", "settings")


def _way(canary: Canary) -> str:
    mail = mail_of(canary)
    if mail is None or mail.state == "cancelled":
        return "the last one is gone from the outbox, and another will be sent."
    if mail.state == "sent" and mail.sent_at:
        return (
            f"the one sent to {mail.recipient} at {_clock(mail.sent_at)} has not arrived yet."
            f" One is awaited since {_clock(canary.created_at)}."
        )
    if mail.state == "failed":
        return f"it could not be delivered to {mail.recipient}: {mask(mail.answer)}"
    waits = f"the one to {mail.recipient} of {_clock(mail.created_at)} waits in the outbox."
    return f"{waits} The mail server said: {mask(mail.answer)}" if mail.answer else waits


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _addr_spec(address: str) -> str:
    from flexmail.mail.address import parse_mailbox  # takes a while to load, and few need it

    return parse_mailbox(address).addr_spec if address else ""
