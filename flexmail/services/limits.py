"""So many in an hour and no more: counts by the hour of the clock, for tokens and recipients.

Counting joins the caller's transaction: what is not committed was not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, delete, func, select
from sqlalchemy.sql.dml import ReturningInsert

from flexmail.db import db, insert_of, transaction
from flexmail.models import HourlyCount

_KEPT = timedelta(hours=24)
TOKEN, RECIPIENT = "token:", "to:"
"""How keys begin that count the events of a token, and the notifications to an address."""
_NAMED = 3


def hour_of(now: datetime) -> datetime:
    """Return when the hour by the clock began."""
    return now.replace(minute=0, second=0, microsecond=0)


def next_hour(now: datetime) -> datetime:
    """Return when counting begins anew."""
    return hour_of(now) + timedelta(hours=1)


def token_key(token_id: int) -> str:
    """Return the key of the events that a token tells."""
    return f"{TOKEN}{token_id}"


def recipient_key(address: str) -> str:
    """Return the key of the notifications that somebody gets at once."""
    return f"{RECIPIENT}{address}"


def count(keys: Sequence[str], *, now: datetime) -> dict[str, int]:
    """Count each key once more; return how often each was counted in this hour, this time too."""
    if not keys:
        return {}
    # In one order everywhere: PostgreSQL locks row by row, and two that wait for each other fail.
    given = [{"key": key, "hour": hour_of(now), "count": 1} for key in sorted(set(keys))]
    connection = db.session.connection()
    found = connection.execute(_counting(connection.dialect.name), given)
    return {row[0]: row[1] for row in found}


@lru_cache
def _counting(dialect: str) -> ReturningInsert[Any]:
    """Return the statement, made once: making it costs more than running it."""
    table = cast(Table, HourlyCount.__table__)
    counted = insert_of(dialect, table).on_conflict_do_update(
        index_elements=["key", "hour"], set_={"count": table.c["count"] + 1}
    )
    counting: ReturningInsert[Any] = counted.returning(table.c["key"], table.c["count"])
    return counting


def over(prefix: str, at_most: int, *, now: datetime) -> tuple[int, list[tuple[str, int]]]:
    """Return how many keys of a kind were counted more than `at_most` times in this hour, and the
    worst few of them without the prefix, each with how much it is over."""
    counted = (
        HourlyCount.hour == hour_of(now),
        HourlyCount.key.startswith(prefix, autoescape=True),
        HourlyCount.count > at_most,
    )
    number = db.session.scalar(select(func.count()).select_from(HourlyCount).where(*counted)) or 0
    wanted = select(HourlyCount.key, HourlyCount.count).where(*counted)
    worst = db.session.execute(wanted.order_by(HourlyCount.count.desc()).limit(_NAMED))
    return number, [(row[0].removeprefix(prefix), row[1] - at_most) for row in worst]


def remove_old(*, now: datetime) -> None:
    """Forget the counts of hours long past; commits."""
    with transaction():
        db.session.execute(delete(HourlyCount).where(HourlyCount.hour < now - _KEPT))
