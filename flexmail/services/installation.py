"""Which flexmail a database belongs to: a mark stands in it and beside the keys.

Where the two differ this is a copy of the database, or the database was claimed elsewhere. Two that
read one folder would both decide, and both would send: so this one reads and sends nothing until
somebody claims the database for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from flask import Flask, current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from flexmail.db import db, execute, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import Approval, Installation, Lease
from flexmail.services import audit

_IDS_LEFT_OUT = 1000
_MARK = select(Installation.mark).where(Installation.id == 1)
_MARK_KEPT = _MARK.with_for_update(read=True, key_share=True)
_NONE: Mapping[str, int] = {}
_ELSEWHERE = (
    "This database belongs to another flexmail: it is a copy, or it was claimed elsewhere. Nothing"
    " is read from the reply folder and nothing is sent from here. If the other one is gone, claim"
    " the database: flexmail restore --claim, or the button on the status page."
)


def init_app(app: Flask, *, now: datetime) -> None:
    """Give a new database its mark."""
    with app.app_context():
        adopt(now=now)


def adopt(*, now: datetime) -> None:
    """Give a database that has no mark yet the one of this flexmail; commits."""
    if db.session.scalar(select(Installation.id)) is not None:
        db.session.rollback()
        return
    try:
        with transaction():
            if db.session.get(Installation, 1) is None:
                db.session.add(Installation(id=1, mark=own_mark(), claimed_at=now))
                audit.record("installation_made", "installation")
    except IntegrityError:  # another host was first
        db.session.rollback()


def own_mark() -> str:
    """Return the mark that stands beside the keys."""
    return str(current_app.config["INSTALLATION_MARK"])


def objection(*, lock: bool = False) -> str:
    """Return why nothing may be read or sent from here, "" when it may.

    Args:
        lock: inside a write transaction, keep it so until the commit. Only `claim` waits for that:
            who writes in the audit log may hold what this transaction locks next.
    """
    stored = execute(_MARK_KEPT if lock else _MARK).scalar()
    return "" if stored == own_mark() else _ELSEWHERE


def stand_firm() -> None:
    """Inside a write transaction: make sure that the database is ours still.

    Raises:
        OwnershipLost: what was not committed must not be.
    """
    if reason := objection(lock=True):
        raise OwnershipLost(reason)


def claim(*, now: datetime) -> bool:
    """Make the database this flexmail's and end every hold on its jobs; commits.

    Returns:
        False when it was ours already: then nothing is changed.
    """
    with transaction():
        row = db.session.get_one(Installation, 1, with_for_update=True)
        if row.mark == own_mark():
            return False
        take_over(row, now=now)
        audit.record("installation_claimed", "installation")
    return True


def take_over(
    row: Installation, *, now: datetime, fences: Mapping[str, int] = _NONE, approval_id: int = 0
) -> None:
    """Set our mark, raise every fence and leave ids out; joins the caller's transaction.

    What was asked for since a copy was made is not known in it: an id given anew would lead whoever
    waits for the old request to the answer to another one.

    Args:
        fences, approval_id: the highest known from elsewhere, fences by the name of the lease.
    """
    row.mark, row.claimed_at = own_mark(), now
    last = max(approval_id, db.session.scalar(select(func.max(Approval.id))) or 0)
    row.approval_ids_from = last + _IDS_LEFT_OUT
    if db.engine.dialect.name == "postgresql":
        sequence = text("SELECT setval(pg_get_serial_sequence('approvals', 'id'), :id)")
        db.session.execute(sequence, {"id": row.approval_ids_from})
    held = {lease.name: lease for lease in db.session.scalars(select(Lease).with_for_update())}
    for name in {*fences, *held}:
        lease = held.get(name) or Lease(name=name, fence=0)
        lease.owner, lease.expires_at = "", now
        lease.fence = max(lease.fence, fences.get(name, 0)) + 1
        db.session.add(lease)


def next_approval_id() -> int | None:
    """Return the id that a new approval has to take, None where the database's own will do.

    SQLite alone needs it, where one transaction writes at a time.
    """
    if db.engine.dialect.name != "sqlite":
        return None
    wanted = db.session.scalar(select(Installation.approval_ids_from)) or 1
    last = db.session.scalar(select(func.max(Approval.id))) or 0
    return wanted if last + 1 < wanted else None
