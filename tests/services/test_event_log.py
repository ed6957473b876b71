"""Events that were told before: which types, to whom, and when they are forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from flexmail.db import db, transaction
from flexmail.models import Event, EventSkip, OutboxMail
from flexmail.services import accounts, digests, event_log, events
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, set_up

DAY = timedelta(days=1)


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def tell(type_name: str, *recipients: str, age: timedelta = timedelta()) -> int:
    told = NewEvent(type_name, recipients=recipients)
    return events.send(told, now=NOW - age).event_id


def kept() -> set[int]:
    return set(db.session.scalars(select(Event.id)))


def test_each_type_that_was_told_is_listed_once(ready: Flask) -> None:
    assert event_log.types_seen() == []
    for name in ("failed", "invoice.sent", "a", "failed", "zz", "a"):
        tell(name)
    assert event_log.types_seen() == ["a", "failed", "invoice.sent", "zz"]


def test_no_program_can_make_the_list_of_types_endless(ready: Flask) -> None:
    with transaction():
        db.session.add_all(Event(type=f"t{n:04}", created_at=NOW) for n in range(300))
    assert len(event_log.types_seen()) == event_log.MAX_TYPES


def test_types_that_somebody_heard_of_or_waits_to_hear_of(ready: Flask) -> None:
    tell("to.both", ADA, BOB)
    tell("to.ada", ADA)
    with transaction():
        accounts.get(BOB).digest = "daily"
    tell("in.summary", BOB)
    assert event_log.types_told(BOB) == {"to.both", "in.summary"}
    assert event_log.types_told("nobody@corp.test") == set()


def test_old_events_go_unless_a_mail_or_a_summary_belongs_to_them(ready: Flask) -> None:
    old = event_log.KEPT + timedelta(seconds=1)
    mailed = tell("failed", BOB, age=old)
    with transaction():
        accounts.get(ADA).digest = "daily"
    waits = tell("failed", ADA, age=old)
    gone = tell("failed", "group:nobody", age=old)
    young = tell("failed", age=event_log.KEPT)
    assert db.session.scalar(select(func.count(EventSkip.id))) == 1
    assert event_log.remove_old(now=NOW) == 1
    assert kept() == {mailed, waits, young}
    assert gone not in kept()
    assert db.session.scalar(select(func.count(EventSkip.id))) == 0
    digests.queue_due(now=NOW)
    with transaction():
        db.session.execute(update(OutboxMail).values(event_id=None))
    assert event_log.remove_old(now=NOW) == 2
    assert kept() == {young}


def test_many_are_removed_in_pieces_that_can_be_broken_off(ready: Flask) -> None:
    with transaction():
        db.session.add_all(
            Event(type="failed", created_at=NOW - 100 * DAY + timedelta(minutes=n // 3))
            for n in range(1200)
        )
    may = iter((True, False))
    assert event_log.remove_old(now=NOW, keep_going=lambda: next(may)) == 500
    assert len(kept()) == 700
    assert event_log.remove_old(now=NOW) == 700
    assert event_log.remove_old(now=NOW) == 0
