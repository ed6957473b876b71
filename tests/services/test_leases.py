"""Leases: one owner at a time, and one that wakes up late commits nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import OwnershipLost
from flexmail.models import Channel
from flexmail.services import leases
from tests.conftest import NOW
from tests.services.stage import together

ONE, TWO = "one.test:1:aaaa", "two.test:2:bbbb"


def take(owner: str, *, after: float = 0, seconds: float = 10) -> int | None:
    return leases.acquire("jobs", owner, now=NOW + timedelta(seconds=after), seconds=seconds)


def test_a_free_lease_is_taken_and_renewed_under_one_number(context: Flask) -> None:
    fence = take(ONE)
    assert fence is not None
    assert take(ONE, after=5) == fence
    assert take(ONE, after=60) == fence
    assert leases.holder("jobs", now=NOW + timedelta(seconds=61)) == "one.test:1"


@pytest.mark.parametrize(("after", "free"), [(0, False), (9.9, False), (10, True), (60, True)])
def test_another_gets_it_when_it_ran_out_and_not_before(
    after: float, free: bool, context: Flask
) -> None:
    first = take(ONE)
    second = take(TWO, after=after)
    assert (second is not None) is free
    assert second != first


def test_renewing_moves_the_end(context: Flask) -> None:
    take(ONE)
    take(ONE, after=8)
    assert take(TWO, after=12) is None
    assert take(TWO, after=18) is not None


def test_an_owner_that_wakes_up_late_is_stopped_in_its_commit(context: Flask) -> None:
    fence = take(ONE)
    take(TWO, after=11)
    assert fence is not None

    def wake_up_late() -> None:
        with transaction():
            db.session.add(Channel(name="late", error=""))
            leases.check("jobs", fence, now=NOW)

    with pytest.raises(OwnershipLost):
        wake_up_late()
    assert db.session.get(Channel, "late") is None


def test_the_present_owner_may_commit(context: Flask) -> None:
    fence = take(ONE)
    assert fence is not None
    with transaction():
        leases.check("jobs", fence, now=NOW)
        db.session.add(Channel(name="mine", error=""))
    assert db.session.get(Channel, "mine") is not None


def test_an_owner_that_lost_it_and_took_it_again_has_a_new_number(context: Flask) -> None:
    first = take(ONE)
    take(TWO, after=11)
    assert take(ONE, after=22) not in (None, first)


def test_a_lease_that_is_given_up_is_free_at_once(context: Flask) -> None:
    first = take(ONE)
    leases.release("jobs", ONE, now=NOW)
    assert leases.holder("jobs", now=NOW) == ""
    second = take(TWO)
    assert second is not None
    assert second != first


def test_only_the_owner_can_give_it_up(context: Flask) -> None:
    take(ONE)
    leases.release("jobs", TWO, now=NOW)
    assert take(TWO) is None


def test_leases_with_other_names_are_apart(context: Flask) -> None:
    take(ONE)
    assert leases.acquire("replies", TWO, now=NOW, seconds=10) is not None


def test_nobody_holds_a_lease_that_does_not_exist_or_ran_out(context: Flask) -> None:
    assert leases.holder("jobs", now=NOW) == ""
    take(ONE)
    assert leases.holder("jobs", now=NOW + timedelta(seconds=10)) == ""
    with pytest.raises(OwnershipLost), transaction():
        leases.check("none", 1, now=NOW)


def test_of_many_who_ask_at_once_one_gets_it(context: Flask) -> None:
    fences = together(
        context, *[lambda owner=f"host:{number}:x": take(owner) for number in range(5)]
    )
    assert len([fence for fence in fences if fence is not None]) == 1, fences


def test_while_the_block_runs_the_lease_is_held_and_afterwards_it_is_free(
    context: Flask,
) -> None:
    now = datetime.now(UTC)
    with leases.hold("replies", now=now, seconds=30) as fence:
        assert fence is not None
        with leases.hold("replies", now=now, seconds=30) as second:
            assert second is None
        with transaction():
            leases.check("replies", fence, now=NOW)
    assert leases.acquire("replies", TWO, now=now, seconds=30) is not None


def test_a_block_that_breaks_off_frees_the_lease(context: Flask) -> None:
    now = datetime.now(UTC)
    with pytest.raises(KeyboardInterrupt), leases.hold("replies", now=now, seconds=30):
        raise KeyboardInterrupt
    assert leases.acquire("replies", TWO, now=now, seconds=30) is not None
