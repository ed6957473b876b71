"""Limits by the hour: counted exactly, whoever counts at the same time, and told when reached."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql

from flexmail.db import db, transaction
from flexmail.errors import TooMany
from flexmail.models import HourlyCount, OutboxMail
from flexmail.services import digests, event_warnings, events, limits, outbox, tokens
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.services.stage import BOB, queued, set_up, together

HOUR = timedelta(hours=1)


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    people.config |= {"NOTIFICATIONS_PER_RECIPIENT_HOUR": 2, "EVENTS_PER_TOKEN_HOUR": 2}
    return people


def tell(*recipients: str, token_id: int | None = None, minutes: int = 0) -> events.Report:
    now = NOW + timedelta(minutes=minutes)
    return events.send(NewEvent("failed", recipients=recipients), now=now, token_id=token_id)


def count(*keys: str, minutes: int = 0) -> dict[str, int]:
    with transaction():
        return limits.count(keys, now=NOW + timedelta(minutes=minutes))


def test_each_key_is_counted_by_itself_and_once_a_call(context: Flask) -> None:
    assert count("a", "b", "a") == {"a": 1, "b": 1}
    assert count("b") == {"b": 2}
    assert count() == {}


def test_the_hour_is_the_clocks(context: Flask) -> None:
    assert [count("a", minutes=minutes)["a"] for minutes in (0, 59, 60, 61)] == [1, 2, 1, 2]
    assert limits.next_hour(NOW + timedelta(minutes=59)) == NOW + HOUR


def test_what_is_not_committed_was_not_counted(context: Flask) -> None:
    def count_and_break_off() -> None:
        with transaction():
            limits.count(["a"], now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        count_and_break_off()
    assert count("a") == {"a": 1}


def test_many_at_once_miss_no_count(context: Flask) -> None:
    found = together(context, *[lambda: count("a", "b")["a"]] * 8)
    assert {*found} == {*range(1, 9)}
    assert count("b") == {"b": 9}


def test_postgresql_counts_with_one_statement_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    said = str(limits._counting("postgresql").compile(dialect=dialect))
    assert "ON CONFLICT (key, hour) DO UPDATE SET count = (hourly_counts.count + " in said
    assert "RETURNING hourly_counts.key, hourly_counts.count" in said


def test_keys_are_counted_in_one_order_so_that_nobody_waits_for_each_other(
    context: Flask,
) -> None:
    assert list(count("c", "a", "b")) == ["a", "b", "c"]


def test_old_hours_are_forgotten(context: Flask) -> None:
    count("a")
    count("a", minutes=60 * 30)
    limits.remove_old(now=NOW + 30 * HOUR)
    assert db.session.scalar(select(func.count()).select_from(HourlyCount)) == 1


def test_a_loop_in_a_pipeline_fills_one_summary_and_not_a_mailbox(ready: Flask) -> None:
    reports = [tell(BOB) for _ in range(5)]
    assert [report.queued for report in reports] == [1, 1, 0, 0, 0]
    assert reports[2].skipped[0].reason == (
        "They got 2 notifications in this hour: it goes into a summary."
    )
    assert digests.queue_due(now=NOW + HOUR) == 1
    assert [mail.kind for mail in queued(to=BOB)] == ["event", "event", "digest"]


def test_a_mail_that_is_tried_again_is_not_counted_again(ready: Flask) -> None:
    tell(BOB)
    tell(BOB)
    with transaction():
        db.session.get_one(OutboxMail, 1).state = "failed"
    outbox.retry(1, now=NOW)
    assert count(limits.recipient_key(BOB)) == {limits.recipient_key(BOB): 3}


def test_an_admin_sees_who_is_held_back_as_long_as_it_lasts(ready: Flask) -> None:
    others = tuple(f"person{number}@corp.test" for number in range(4))
    assert event_warnings.of(now=NOW) == []
    tell(BOB, *others)
    tell(BOB, *others)
    assert event_warnings.of(now=NOW) == []
    tell(BOB, *others)
    tell(BOB)
    (sentence,) = event_warnings.of(now=NOW + timedelta(minutes=59))
    assert "beyond 2 to one recipient: 2 to bob@corp.test, 1 to person" in sentence
    assert "and some to 2 others. They stand in a summary after 10:00 UTC." in sentence
    assert event_warnings.of(now=NOW + HOUR) == []


def test_an_admin_sees_which_token_may_tell_no_more(ready: Flask) -> None:
    token, _ = tokens.create("ci 100%", ["events"], now=NOW)
    tell(BOB, token_id=token.id)
    assert event_warnings.of(now=NOW) == []
    tell(token_id=token.id)
    with pytest.raises(TooMany):
        tell(token_id=token.id)
    (sentence,) = event_warnings.of(now=NOW)
    assert sentence.startswith("The tokens ci 100% told 2 events in this hour: more are refused")


def test_the_warning_is_found_by_an_index(context: Flask) -> None:
    wanted = "SELECT count(*) FROM hourly_counts WHERE hour = ? AND key LIKE ? AND count > ?"
    with db.engine.connect() as connection:
        given = ("2026-11-02 09:00:00", "to:%", 2)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {wanted}", given).all()
    assert [row[3] for row in plan] == [
        "SEARCH hourly_counts USING INDEX ix_hourly_counts_hour (hour=?)"
    ]
