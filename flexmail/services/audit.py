"""The audit log: who did what, when, through what, on which proof.

`record` joins the caller's transaction; the entries of a transaction are written together at its
end, so that the log has what happened and nothing else, and costs a reply run two statements.
Each entry is chained to the one before (SHA-256), and the end of the chain is sealed with a key
that is not in the database: `audit_check` finds what was changed, removed, added or moved since.
The clock is the log's own: nobody tells it when something happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flask import current_app, g
from sqlalchemy import Table, bindparam, insert, inspect, select, update

from flexmail.crypto import key_ring
from flexmail.db import Base, at_end, db, execute
from flexmail.errors import SecretUnreadable
from flexmail.models import AUDIT_ACTIONS, AuditEntry, Installation
from flexmail.services.paging import Page, page_of

FIRST = "0" * 64
"""What the first entry is chained to."""

_TABLE = cast(Table, AuditEntry.__table__)
_INSTALLATION = cast(Table, Installation.__table__)
_NEW = insert(_TABLE)
_END = select(_INSTALLATION.c.sealed_audit_end).where(_INSTALLATION.c.id == 1)
_LOCKED_END = _END.with_for_update(key_share=True)
"""Locked past those who see to whose installation it is."""
_NEW_END = (
    update(_INSTALLATION)
    .where(_INSTALLATION.c.id == 1)
    .values(sealed_audit_end=bindparam("sealed"))
)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_PROCESS_ACTOR = "flexmail_actor"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, through what: `web`, `api`, `command`, `email` or `job`."""

    name: str
    channel: str


@dataclass(frozen=True, slots=True)
class End:
    """Number and chain of the last entry."""

    id: int = 0
    chain: str = FIRST


def act_as(name: str, channel: str) -> None:
    """Say who acts from here to the end of the present request, run or command."""
    g.actor = Actor(name, channel)


def act_always_as(name: str, channel: str) -> None:
    """Say who acts in this process wherever nobody else was named."""
    current_app.extensions[_PROCESS_ACTOR] = Actor(name, channel)


def actor() -> Actor:
    """Return who acts; flexmail itself where nobody was named."""
    by_itself = current_app.extensions.get(_PROCESS_ACTOR) or Actor("flexmail", "job")
    acting: Actor = g.get("actor") or by_itself
    return acting


def record(
    action: str,
    subject: str = "",
    *,
    proof: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> None:
    """Add an entry to the caller's transaction.

    Args:
        action: one of `AUDIT_ACTIONS`.
        subject: what it was done to, such as `approval 12`.
        proof: JSON values that show why it was right; never a secret.
        by: who did it, where that is not who acts.
    """
    if action not in AUDIT_ACTIONS:
        raise ValueError(f"{action!r} is no action of the audit log.")
    by = by or actor()
    entry = {
        "at": datetime.now(UTC),
        "actor": by.name[:320],
        "channel": by.channel,
        "action": action,
        "subject": subject[:400],
        "proof": dict(proof or {}),
    }
    at_end(_write, entry)


def changes(row: Base) -> list[str]:
    """Return the columns of a row that the next flush will write; of a secret its name alone."""
    written = (attribute for attribute in inspect(row).attrs if attribute.history.has_changes())
    return sorted(attribute.key.removeprefix("sealed_") for attribute in written)


def listing(
    *, action: str | None = None, cursor: str | None = None, limit: int = 50
) -> Page[AuditEntry]:
    """Return one page, the newest first."""
    wanted = select(AuditEntry)
    if action:
        wanted = wanted.where(AuditEntry.action == action)
    return page_of(wanted, AuditEntry.id, cursor=cursor, limit=limit)


def chained(previous: str, entry: Mapping[str, Any]) -> str:
    """Return the chain of an entry: SHA-256 over the chain before it and all its fields."""
    fields = [
        entry["id"],
        entry["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        *(entry[name] for name in ("actor", "channel", "action", "subject", "proof")),
    ]
    return hashlib.sha256(_CANONICAL.encode([previous, *fields]).encode()).hexdigest()


def sealed_end(sealed: bytes | None) -> End | None:
    """Return what the seal says of the end of the log, None when nothing is sealed.

    Raises:
        SecretUnreadable: no key opens it.
    """
    return End(*json.loads(key_ring().open(sealed))) if sealed else None


def _write(entries: list[dict[str, Any]]) -> None:
    """Chain entries to what the seal calls the end, whatever the table says, and seal anew.

    So the traces of a removal stay for ever: the entries after it do not fit the table.
    """
    db.session.flush()  # the end of the log is locked behind all else that this transaction writes
    try:
        end = sealed_end(execute(_LOCKED_END).scalar())
    except SecretUnreadable:
        end = None
    if end is None:
        end = _last()
        if end.id or entries[0]["action"] != "installation_made":
            lost = {**entries[0], "action": "audit_end_lost", "subject": "", "proof": {}}
            entries = [lost | {"actor": "flexmail", "channel": "job"}, *entries]
    for entry in entries:
        entry["id"] = end.id + 1
        entry["chain"] = chained(end.chain, entry)
        end = End(entry["id"], entry["chain"])
    db.session.connection().execute(_NEW, entries)
    sealed = key_ring().seal(json.dumps([end.id, end.chain]))
    execute(_NEW_END, sealed=sealed)


def _last() -> End:
    last = select(AuditEntry.id, AuditEntry.chain).order_by(AuditEntry.id.desc()).limit(1)
    found = db.session.execute(last).first()
    return End(*found) if found else End()
