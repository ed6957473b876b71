"""What the pages ask of a large database: an index answers it, whatever the tables hold."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from sqlalchemy import event

from flexmail.db import db
from tests.conftest import Cast
from tests.views.filled import fill_database
from tests.views.visitor import Visitor

GROWING = (
    "approvals",
    "outbox",
    "replies",
    "callbacks",
    "audit",
    "decisions",
    "events",
    "subscriptions",
)
PATHS = (
    "/",
    "/settings/email",
    "/approvals",
    "/approvals?status=approved",
    "/approvals?status=approved&cursor=9",
    "/approvals/1",
    "/replies",
    "/replies?outcome=approved",
    "/replies/1",
    "/outbox",
    "/outbox?state=sent",
    "/outbox?state=sent&cursor=9",
    "/outbox?state=sent&kind=event&recipient=bob%40corp.test",
    "/outbox?recipient=bob%40corp.test",
    "/outbox/1",
    "/callbacks",
    "/callbacks?state=failed",
    "/audit",
    "/audit?action=signed_in",
    "/subscriptions",
    "/subscriptions?recipient=group:ops&cursor=9",
    "/subscriptions?type=failed&scope=billing/prod",
    "/users/2",
    "/account",
)
PATHS_OF_APPROVERS = ("/approvals", "/approvals?status=approved", "/approvals/1", "/account")


def test_no_page_searches_a_growing_table_from_end_to_end(
    app: Flask, cast: Cast, ada: Visitor, bob: Visitor
) -> None:
    with app.app_context():
        fill_database()
        engine = db.engine
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    for person, paths in ((ada, PATHS), (bob, PATHS_OF_APPROVERS)):
        for path in paths:
            assert person.get(path).status_code == 200, path
    event.remove(engine, "before_cursor_execute", note)
    read = [
        (statement, values)
        for statement, values in asked
        if statement.startswith(("SELECT", "WITH"))
    ]
    assert {table for table in GROWING if any(f"FROM {table}" in text for text, _ in read)} == {
        *GROWING
    }
    with engine.connect() as connection:
        slow = {
            f"{statement}\n{step}"
            for statement, values in read
            for (*_, step) in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            if reads_all(statement, step)
        }
    assert not slow, "\n\n".join(sorted(slow))


def reads_all(statement: str, step: str) -> bool:
    """Tell whether a step of a plan takes longer the more rows there are, page by page or not."""
    paged = "LIMIT" in statement
    if step == "USE TEMP B-TREE FOR ORDER BY":
        # All that the page could show is sorted to show fifty of it; an approver's own are few, and
        # so are those whom a limit holds back in one hour.
        few = ("FROM approval_approvers", "FROM hourly_counts")
        return paged and not any(table in statement for table in few)
    table = re.fullmatch(r"SCAN (\w+)", step)
    return table is not None and table[1] in GROWING and not paged
