"""Claims on what waits to go out, mails and callbacks: who sends which, for how long.

One conditional UPDATE hands a batch to one sender among many, in one process or on several hosts;
a sender that dies leaves claims that run out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from flexmail.db import UtcDateTime, db, transaction
from flexmail.models import Callback, OutboxContent, OutboxMail
from flexmail.services import installation

Queue = type[OutboxMail] | type[Callback]
Moment = datetime | BindParameter[datetime]

BATCH = 100
CLAIM = timedelta(minutes=5)
_FURTHEST = timedelta(hours=6)
"""Nothing is put off, or claimed, for so long: a moment beyond is of a clock that was ahead."""
_CONTENTS = select(OutboxContent.id, OutboxContent.sealed_content).where(
    OutboxContent.id.in_(bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send now; without content where the database lost that."""

    id: int
    recipient: str
    sealed_content: bytes | None = field(repr=False)


def sender() -> str:
    """Return by what name this process claims."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _due(queue: Queue, now: Moment, furthest: Moment, at_once: bool) -> ColumnElement[bool]:
    waiting, claimed = queue.state == "queued", queue.state == "sending"
    return or_(
        *([waiting] if at_once else [and_(waiting, queue.retry_at <= now)]),
        and_(waiting, queue.retry_at > furthest),
        and_(claimed, or_(queue.claimed_until < now, queue.claimed_until > furthest)),
    )


def anything_due(now: datetime, *, at_once: bool, queue: Queue = OutboxMail) -> bool:
    """Tell whether a claim would find something."""
    due = _due(queue, now, now + _FURTHEST, at_once)
    return bool(db.session.scalar(select(queue.id).where(due).limit(1)))


def claim(
    due_at: datetime,
    now: datetime,
    *,
    at_once: bool = False,
    already: Collection[int] = (),
    at_most: int = BATCH,
) -> list[Claimed]:
    """Claim a batch of mails as `claim_from` does."""
    found = claim_from(
        OutboxMail,
        ("id", "recipient"),
        due_at,
        now,
        at_once=at_once,
        already=already,
        at_most=at_most,
    )
    if not found:
        return []
    ids = [mail_id for mail_id, _ in found]
    contents = {row[0]: row[1] for row in db.session.execute(_CONTENTS, {"ids": ids})}
    db.session.rollback()
    return [Claimed(mail_id, recipient, contents.get(mail_id)) for mail_id, recipient in found]


def claim_from(
    queue: Queue,
    wanted: Sequence[str],
    due_at: datetime,
    now: datetime,
    *,
    at_once: bool = False,
    already: Collection[int] = (),
    at_most: int = BATCH,
) -> list[list[Any]]:
    """Claim a batch for `CLAIM` from `now` on, and commit; what was tried least comes first, then
    what was due first.

    Args:
        wanted: the names of the columns to return of each row; the first is the id.
        due_at: rows with a retry time up to here, and claims that ran out by then.
        at_once: whatever the retry time.
        already: ids to leave out.
    """
    given = {
        "due_at": due_at,
        "furthest": due_at + _FURTHEST,
        "until": now + CLAIM,
        "by": sender(),
        "already": list(already),
        "at_most": at_most,
    }
    with transaction(durable=False):
        if installation.objection(lock=True):
            return []  # another flexmail claimed the database
        found = db.session.execute(_claiming(queue, tuple(wanted), at_once), given).all()
    return [list(row[2:]) for row in sorted(found, key=tuple)]


@lru_cache
def _claiming(queue: Queue, wanted: tuple[str, ...], at_once: bool) -> ReturningUpdate[Any]:
    """Return the claim as one statement, made once: making it costs more than running it."""
    columns = queue.__table__.c  # the ORM would take longer over a batch than a server over a mail
    due = (
        select(columns.id)
        .where(
            _due(
                queue,
                bindparam("due_at", type_=UtcDateTime),
                bindparam("furthest", type_=UtcDateTime),
                at_once,
            ),
            columns.id.not_in(bindparam("already", expanding=True)),
        )
        .order_by(columns.retry_at, columns.id)
        .limit(bindparam("at_most", type_=Integer))
        .with_for_update(skip_locked=True)
    )
    return (
        update(queue.__table__)  # type: ignore[arg-type]
        .where(columns.id.in_(due.scalar_subquery()))
        .values(
            state="sending",
            claimed_by=bindparam("by"),
            claimed_until=bindparam("until"),
            attempts=columns.attempts + 1,
        )
        .returning(columns.attempts, columns.retry_at, *(columns[name] for name in wanted))
    )


def give_back(row_ids: list[int], queue: Queue = OutboxMail) -> None:
    """Return what was claimed and not tried, uncounted; commits.

    What somebody else claimed since, because this claim ran out, stays theirs.
    """
    if not row_ids:
        return
    with transaction():
        db.session.execute(
            update(queue)
            .where(queue.id.in_(row_ids), queue.state == "sending", queue.claimed_by == sender())
            .values(
                state="queued",
                claimed_by=None,
                claimed_until=None,
                attempts=queue.attempts - 1,
            )
        )
