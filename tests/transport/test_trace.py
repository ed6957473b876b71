"""Steps of a connection: each is recorded, in order, also when it fails."""

from __future__ import annotations

import pytest

from flexmail.errors import Unreachable
from flexmail.transport.trace import Trace


def test_a_step_that_goes_well_is_recorded_with_its_detail_and_time() -> None:
    trace = Trace(["connect"])
    with trace.step("connect") as step:
        step.detail = "connected"
    [row] = trace.steps
    assert (row.name, row.ok, row.detail, row.hint) == ("connect", True, "connected", "")
    assert row.seconds is not None
    assert row.seconds >= 0


def test_a_failure_is_recorded_with_cause_and_hint_and_raised_on() -> None:
    trace = Trace(["connect"])
    with pytest.raises(Unreachable) as caught, trace.step("connect"):
        raise Unreachable("Nobody there.", hint="Check the port.")
    assert caught.value.step == "connect"
    [row] = trace.steps
    assert (row.ok, row.detail, row.hint) == (False, "Nobody there.", "Check the port.")


def test_an_unexpected_failure_is_recorded_without_its_text() -> None:
    trace = Trace(["connect"])
    with pytest.raises(ZeroDivisionError), trace.step("connect"):
        raise ZeroDivisionError("s3cret")
    [row] = trace.steps
    assert row.ok is False
    assert "s3cret" not in repr(row)


def test_steps_that_were_not_reached_stay_open_and_in_order() -> None:
    trace = Trace(["resolve", "connect", "tls"])
    with pytest.raises(Unreachable), trace.step("connect"):
        raise Unreachable("Nobody there.")
    assert [(row.name, row.ok) for row in trace.steps] == [
        ("resolve", None),
        ("connect", False),
        ("tls", None),
    ]
    assert trace.steps[2].seconds is None


def test_a_step_without_a_place_in_the_order_is_refused() -> None:
    with pytest.raises(KeyError), Trace(["connect"]).step("send"):
        pass
