"""So many in an hour and no more: counts by the hour of the clock, for tokens and recipients.

Counting joins the caller's transaction: what is not committed was not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from flexmail.db import db, transaction
from flexmail.models import HourlyCount

_KEPT = timedelta(hours=24)


def hour_of(now: datetime) -> datetime:
    """Return when the hour by the clock began."""
    return now.replace(minute=0, second=0, microsecond=0)


def next_hour(now: datetime) -> datetime:
    """Return when counting begins anew."""
    return hour_of(now) + timedelta(hours=1)


def count(keys: Sequence[str], *, now: datetime) -> dict[str, int]:
    """Count each key once more; return how often each was counted in this hour, this time too."""
    if not keys:
        return {}
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    counting = dialect.insert(HourlyCount).values(
        [{"key": key, "hour": hour_of(now), "count": 1} for key in dict.fromkeys(keys)]
    )
    counting = counting.on_conflict_do_update(
        index_elements=["key", "hour"], set_={"count": HourlyCount.count + 1}
    )
    found = db.session.execute(counting.returning(HourlyCount.key, HourlyCount.count))
    return {row[0]: row[1] for row in found}


def remove_old(*, now: datetime) -> None:
    """Forget the counts of hours long past; commits."""
    with transaction():
        db.session.execute(delete(HourlyCount).where(HourlyCount.hour < now - _KEPT))
