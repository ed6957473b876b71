"""Lists in pages: the newest first, each page named by the last id it showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from flexmail.db import db
from flexmail.errors import InvalidInput

Row = TypeVar("Row")
MAX_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and where the next page begins (None at the end)."""

    items: list[Row]
    next_cursor: str | None


def page_of(
    wanted: Select[Row],
    key: InstrumentedAttribute[int],
    *,
    cursor: str | None,
    limit: int,
) -> Page[Row]:
    """Return up to `limit` rows with an id below `cursor`.

    Raises:
        InvalidInput: the cursor is none of ours.
    """
    if cursor:
        if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
            raise InvalidInput({"cursor": ["Give the next_cursor of the page before."]})
        wanted = wanted.where(key < int(cursor))
    limit = max(1, min(limit, MAX_LIMIT))
    rows: list[Any] = list(db.session.scalars(wanted.order_by(key.desc()).limit(limit + 1)))
    more = len(rows) > limit
    return Page(rows[:limit], str(getattr(rows[limit - 1], key.key)) if more else None)
