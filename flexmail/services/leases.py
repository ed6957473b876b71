"""Leases: one row says who owns something, until when, and with which fence number.

Time is this host's; hosts that share a database keep their clocks within a second of each other
(NTP). An owner that sleeps past its lease is stopped by the fence number, which is compared inside
the very transaction that would commit its work.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flask import current_app
from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db, execute, insert_unless_there, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import Lease

log = logging.getLogger(__name__)

_LEASES = cast(Table, Lease.__table__)
_LOCKED = select(_LEASES).where(_LEASES.c.name == bindparam("of")).with_for_update()
_TAKE = update(_LEASES).where(_LEASES.c.name == bindparam("of"))
_GIVE_UP = _TAKE.where(_LEASES.c.owner == bindparam("by"))


def acquire(name: str, owner: str, *, now: datetime, seconds: float) -> int | None:
    """Take or renew a lease in a transaction of its own.

    Returns:
        The fence number, or None while somebody else holds the lease. A new owner gets a new
        number, which is on disk before anybody goes by it; renewing keeps it.
    """
    with transaction():
        lease = _locked(name)
        if lease is None:
            insert_unless_there(Lease, name=name, owner="", expires_at=now, fence=0)
            lease = _locked(name)
        fence: int = lease.fence
        if lease.owner != owner:
            # One that ends later than it could have been given was made by a clock that is ahead.
            if lease.owner and now < lease.expires_at <= now + timedelta(seconds=2 * seconds):
                return None
            fence += 1
        expires_at = now + timedelta(seconds=seconds)
        execute(_TAKE, of=name, owner=owner, fence=fence, expires_at=expires_at)
        return fence


def renew(name: str, owner: str, *, now: datetime, seconds: float) -> int | None:
    """Renew a lease in a transaction of its own; return the fence number, None if it is not ours.

    A power cut may undo it: the lease then ends sooner, and its owner with the machine.
    """
    with transaction(durable=False):
        lease = _locked(name)
        if lease is None or lease.owner != owner:
            return None
        execute(_TAKE, of=name, expires_at=now + timedelta(seconds=seconds))
        return int(lease.fence)


def check(name: str, fence: int, *, now: datetime) -> None:
    """Inside the caller's write transaction: make sure that the lease is still ours, and runs.

    Raises:
        OwnershipLost: it is not; the caller's transaction has to roll back.
    """
    lease = _locked(name)
    if lease is None or lease.fence != fence or lease.expires_at <= now:
        raise OwnershipLost(f"The lease {name!r} has gone to another process.")


def release(name: str, owner: str, *, now: datetime) -> None:
    """Give the lease up at once, if it is still ours; commits."""
    with transaction(durable=False):  # undone by a power cut, it runs out by itself
        execute(_GIVE_UP, of=name, by=owner, owner="", expires_at=now)


def holder(name: str, *, now: datetime) -> str:
    """Return the present owner as `host:pid`, "" when nobody holds the lease."""
    lease = db.session.get(Lease, name)
    return lease.owner.rpartition(":")[0] if lease and lease.expires_at > now else ""


@contextmanager
def hold(name: str, *, now: datetime, seconds: float) -> Iterator[int | None]:
    """Hold a lease while the block runs, renewed by a thread; given up at the end.

    Yields:
        The fence number to `check` in each commit, or None while somebody else holds the lease.
    """
    holder = Holder(name, seconds=seconds)
    fence = holder.keep(now)
    if fence is None:
        yield None
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    done = threading.Event()

    def renew() -> None:
        while not done.wait(seconds / 6):
            try:
                with app.app_context():
                    holder.keep(datetime.now(UTC))
            except SQLAlchemyError as error:
                log.warning("The lease %r was not renewed: %s", name, error)

    renewing = threading.Thread(target=renew, name=f"lease-{name}", daemon=True)
    renewing.start()
    try:
        yield fence
    finally:
        done.set()
        renewing.join()
        db.session.rollback()
        holder.release(datetime.now(UTC))


class Holder:
    """One process's hold on a lease: renewed at a third of its length, given up before its end."""

    def __init__(self, name: str, *, seconds: float) -> None:
        self.name = name
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._seconds = seconds
        self._fence: int | None = None
        self._until = self._renew_at = 0.0

    def keep(self, now: datetime) -> int | None:
        """Take or renew the lease when that is due; commits; return the fence number if ours."""
        asked = time.monotonic()
        if asked >= self._renew_at:
            self._fence = self._renewed(now) or self._acquired(now)
            ours = self._fence is not None
            self._until = asked + self._seconds - 1 if ours else 0.0
            self._renew_at = asked + self._seconds / 3 if ours else 0.0
        return self._fence if self.holds() else None

    def holds(self) -> bool:
        """Tell whether the lease is ours by this process's own clock; asks nobody."""
        return time.monotonic() < self._until

    def drop(self) -> None:
        """Act as if it were not ours from now on."""
        self._until = self._renew_at = 0.0

    def release(self, now: datetime) -> None:
        """Give it up at once; commits."""
        self.drop()
        release(self.name, self._owner, now=now)

    def _renewed(self, now: datetime) -> int | None:
        if self._fence is None:
            return None
        return renew(self.name, self._owner, now=now, seconds=self._seconds)

    def _acquired(self, now: datetime) -> int | None:
        return acquire(self.name, self._owner, now=now, seconds=self._seconds)


def _locked(name: str) -> Any:
    return execute(_LOCKED, of=name).first()
