"""The bench still works: each part of it is run at its smallest size, and nothing is timed."""

from __future__ import annotations

from functools import partial

import pytest

from bench import asking
from bench.__main__ import load, names
from bench.benches import drain, events, outbox
from bench.measuring import Fact, Row, Size, interleave, show
from tests.fixtures_servers import need


def test_every_bench_has_a_title_and_measures() -> None:
    for name in names():
        module = load(name)
        assert (module.__doc__ or "").strip()
        assert callable(module.measure)


def test_candidates_run_once_a_round_and_take_turns() -> None:
    ran: list[str] = []

    def candidate(name: str) -> float:
        ran.append(name)
        return 1.0

    figures = interleave({name: partial(candidate, name) for name in "ab"}, rounds=2)
    assert ran == ["a", "b", "b", "a"]
    assert figures == {"a": [1.0, 1.0], "b": [1.0, 1.0]}


def test_a_goal_is_met_missed_or_has_nothing_to_compare_with() -> None:
    def verdict(ratio: float | None, *, at_least: bool = True) -> str:
        return Row("x", "", "", ratio, 0.5, at_least).verdict

    assert (verdict(0.5), verdict(0.4), verdict(None)) == ("met", "NOT MET", "missing")
    assert (verdict(0.5, at_least=False), verdict(0.6, at_least=False)) == ("met", "NOT MET")


def test_the_table_says_whether_all_goals_were_met() -> None:
    good, bad = Row("x", "", "", 1.0, 0.5), Row("y", "", "", 0.1, 0.5)
    assert show("title", [good, Fact("commands", "7")])
    assert not show("title", [good, bad])


def test_a_size_chooses_its_numbers() -> None:
    assert Size("quick", 1).of(quick=3, full=9) == 3
    assert Size("full", 5).of(quick=3, full=9) == 9


WRK = """Running 1s test @ http://127.0.0.1:8000/settings/email
  103 requests in 1.01s, 1.46MB read
Requests/sec:    101.98
latency 900 50
latency 1200 49
latency 1500 3
latency 9000 1
"""


def test_latencies_of_a_page_are_counted_one_by_one() -> None:
    requests, rate, latencies = asking.read(WRK)
    assert (requests, rate, latencies.total()) == (103, 101.98, 103)
    assert asking.within(latencies, 0.48) == 900
    assert asking.within(latencies, 0.5) == 1200
    assert asking.within(latencies, 0.99) == 1500
    assert asking.within(latencies, 1) == 9000


@pytest.mark.parametrize(
    "trouble",
    ["  Non-2xx or 3xx responses: 7", "  Socket errors: connect 0, read 1, write 0, timeout 0"],
)
def test_what_is_not_the_page_is_not_measured(trouble: str) -> None:
    with pytest.raises(ValueError, match=trouble.strip()):
        asking.read(WRK + trouble + "\n")


@pytest.mark.dovecot
def test_the_drain_runs_at_its_smallest_size() -> None:
    need("dovecot", "dovecot-imapd")
    lines = list(drain.of_storage("mdbox", Size("quick", 1), with_peers=False))
    assert [line.ratio is not None for line in lines if isinstance(line, Row)] == 4 * [True]


def test_telling_and_listing_run_at_their_smallest_size() -> None:
    told = list(events.measure(Size("quick", 1)))
    assert any("events/s" in line.ours for line in told if isinstance(line, Row))
    assert any(line.what == "database" for line in told if isinstance(line, Fact))
    listed = list(outbox.measure(Size("quick", 1)))
    assert all(line.ratio for line in listed)
