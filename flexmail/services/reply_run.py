"""One run over the reply folder: what it counts, what it may use, and how it deletes."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, select, update

from flexmail.db import db, execute, transaction
from flexmail.errors import OwnershipLost, Refused
from flexmail.mail.sizes import HEAD_BYTES
from flexmail.models import Reply
from flexmail.services import in_force, installation, leases
from flexmail.services.channels import explain
from flexmail.services.in_force import InForce
from flexmail.transport.imap import Fetched, Folder

log = logging.getLogger(__name__)

LEASE = "replies"

HERE = and_(
    *[getattr(Reply, key) == bindparam(key) for key in ("account", "folder", "uidvalidity")]
)
"""The condition that a row is about a mail in this folder; takes what `Run.identity` returns."""
THESE = and_(HERE, Reply.uid.in_(bindparam("uids", expanding=True)))
"""The condition that it is about one of those with these `uids`."""
_SETTLED = select(Reply.id).where(THESE, Reply.outcome.is_not(None))

_ENDED_BEFORE_ITS_TEXT = {"own_mail", "bounce", "auto_reply", "malformed", "too_large", None}
"""None is the outcome of one that was put back and tried: what it had ended as is not known."""


@dataclass(slots=True)
class Report:
    """What one run did.

    `left` counts the mails that still wait in the folder, `held` those that an admin has to confirm
    first, `kept` those that the server kept in this run although it said that they are gone; `busy`
    means that another run held it. `waits_for` says why replies have to wait although nothing went
    wrong.
    """

    at: datetime
    looked_at: int = 0
    left: int = 0
    held: int = 0
    kept: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict)
    reply_ids: list[int] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    waits_for: str = ""
    busy: bool = False

    def count(self, reply_id: int, outcome: str) -> None:
        """Add one settled mail."""
        self.looked_at += 1
        self.reply_ids.append(reply_id)
        self.by_outcome[outcome] = self.by_outcome.get(outcome, 0) + 1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run waits for one step of the mail server, and how long it may last in all.

    After `late_seconds` no mail is begun that may take its 10 s, for a run ends within a minute.
    """

    step_seconds: float = 10.0
    late_seconds: float = 45.0
    run_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same while a run lasts; `account` is `user@host:port`."""

    account: str
    settings: InForce
    now: datetime
    fence: int
    report: Report
    keep_going: Callable[[], bool]
    patience: Patience = Patience()
    began: float = field(default_factory=time.monotonic)

    def clock(self) -> datetime:
        """Return `now` and what has passed since: a decision is judged by when it is taken."""
        return self.now + timedelta(seconds=time.monotonic() - self.began)

    def is_late(self) -> bool:
        """Tell whether it is too late to begin with anything that may take its time."""
        return time.monotonic() - self.began > self.patience.late_seconds

    @property
    def place(self) -> dict[str, str]:
        """Name the folder as rows do, whatever its UIDs mean."""
        return {"account": self.account, "folder": self.settings.email_reply_folder}

    def identity(self, folder: Folder) -> dict[str, str | int]:
        """Return what, with UID and SHA-256, tells one mail from all others."""
        return {**self.place, "uidvalidity": folder.uidvalidity}


def stand_firm(run: Run) -> None:
    """Inside a write transaction: make sure that database, lease and settings are as before.

    Raises:
        OwnershipLost: what was not committed must not be.
    """
    installation.stand_firm()
    leases.check(LEASE, run.fence, now=run.clock())
    if in_force.revision() != run.settings.revision:
        raise OwnershipLost("The settings were changed: the next run goes by the new ones.")


def delete(folder: Folder, run: Run, uids: Collection[int]) -> None:
    """Delete settled mails; commits a mark on those that the server keeps although it said OK.

    A server that refuses keeps no later reply waiting: the refusal is noted as the run's error.
    """
    try:
        kept = folder.delete(uids)
    except Refused as error:
        run.report.error = explain(error)
        return
    if not kept:
        return
    run.report.kept += len(kept)
    log.warning("replies: the server kept %d mails that were deleted", len(kept))
    with transaction():
        settled = execute(_SETTLED, **run.identity(folder), uids=list(kept)).scalars().all()
        marked = update(Reply).where(Reply.id.in_(settled))
        db.session.execute(marked.values(kept_by_server=True))


def identity_of(raw: bytes) -> str:
    """Return the hex digest that tells a mail from others: of what is read of every mail."""
    return hashlib.sha256(raw[:HEAD_BYTES]).hexdigest()


def is_there(folder: Folder, uidvalidity: int, uid: int, raw: bytes) -> bool:
    """Tell whether a settled mail is still in the folder, under its number."""
    if folder.uidvalidity != uidvalidity:
        return False
    found = folder.fetch([uid], max_bytes=HEAD_BYTES)
    return any(sha256(mail) == identity_of(raw) for mail in found)


def sha256(mail: Fetched) -> str:
    """Return the hex digest of a mail; see `identity_of`."""
    return identity_of(mail.raw)


def text_is_behind(row: Reply) -> bool:
    """Tell whether a mail may have text that its kept copy lacks, so that nobody decides on the
    rest: it was found to have, or ended before anybody looked.
    """
    return ends_before_its_text(row.raw_partial, row.outcome)


def ends_before_its_text(partial: bool, outcome: str | None) -> bool:
    """Tell the same by the two columns that say so."""
    return partial and outcome in _ENDED_BEFORE_ITS_TEXT
