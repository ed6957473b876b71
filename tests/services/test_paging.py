"""Lists in pages: each row once, the newest first, whatever the size of a page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.errors import InvalidInput
from flexmail.models import ApiToken
from flexmail.services.paging import MAX_LIMIT, Page, page_of
from tests.conftest import NOW


@pytest.fixture
def rows(context: Flask) -> Flask:
    add(range(1, 8))
    return context


def add(numbers: range) -> None:
    with transaction():
        for number in numbers:
            db.session.add(
                ApiToken(
                    id=number,
                    name=f"token {number}",
                    token_digest=str(number),
                    scopes=[],
                    created_at=NOW + timedelta(minutes=number),
                )
            )


def page(cursor: str | None = None, limit: int = 3) -> Page[ApiToken]:
    return page_of(select(ApiToken), ApiToken.id, cursor=cursor, limit=limit)


def ids(shown: Page[ApiToken]) -> list[int]:
    return [row.id for row in shown.items]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 200])
def test_all_pages_together_show_each_row_once_the_newest_first(limit: int, rows: Flask) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        shown = page(cursor, limit)
        seen += ids(shown)
        cursor = shown.next_cursor
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_row_that_came_meanwhile_shifts_no_page(rows: Flask) -> None:
    first = page()
    add(range(8, 10))
    assert ids(page(first.next_cursor)) == [4, 3, 2]


def test_a_full_last_page_has_no_next(rows: Flask) -> None:
    assert page(limit=7).next_cursor is None
    assert page("4").next_cursor is None


def test_an_empty_list_is_one_empty_page(context: Flask) -> None:
    assert page() == Page([], None)


@pytest.mark.parametrize(
    "cursor", ["x", "-1", "1.5", " 1", "1 ", "１", "9" * 19, "1;DROP", "\x00", "0x1"]
)
def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str, rows: Flask) -> None:
    with pytest.raises(InvalidInput) as raised:
        page(cursor)
    assert list(raised.value.errors) == ["cursor"]


@pytest.mark.parametrize(
    ("cursor", "shown"), [("", 3), (None, 3), ("0", 0), ("1", 0), ("9" * 18, 3)]
)
def test_any_number_is_a_cursor(cursor: str | None, shown: int, rows: Flask) -> None:
    assert len(page(cursor).items) == shown


@pytest.mark.parametrize(("limit", "shown"), [(0, 1), (-5, 1), (10**9, 7)])
def test_a_limit_out_of_bounds_is_brought_inside(limit: int, shown: int, rows: Flask) -> None:
    assert len(page(limit=limit).items) == shown


def test_a_page_has_a_greatest_size(context: Flask) -> None:
    add(range(1, MAX_LIMIT + 2))
    assert len(page(limit=10**9).items) == MAX_LIMIT
