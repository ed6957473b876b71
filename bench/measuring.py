"""Measure candidates in turns, and say how they compare.

No absolute time is a goal: a machine is slow today and fast tomorrow, so what is compared runs in
the same minutes, one after the other and round after round, and the median of each counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Fact", "Row", "Size", "interleave", "median", "say", "seconds", "show"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: `quick` is a test that the bench still works, nothing more."""

    name: Literal["quick", "full"]
    rounds: int

    def of(self, *, quick: int, full: int) -> int:
        """Return the number that belongs to this size."""
        return quick if self.name == "quick" else full


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Args:
        ratio: what the goal speaks of; None where there is nothing to compare with.
        goal: the bound, or None for a row that only informs.
        at_least: whether the ratio has to reach the goal, or to stay under it.
    """

    what: str
    ours: str
    other: str
    ratio: float | None = None
    goal: float | None = None
    at_least: bool = True

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if self.ratio is None:
            return "missing"
        met = self.ratio >= self.goal if self.at_least else self.ratio <= self.goal
        return "met" if met else "NOT MET"


@dataclass(frozen=True, slots=True)
class Fact:
    """What does not depend on the machine: commands, bytes, fsyncs."""

    what: str
    value: str


def interleave(
    candidates: Mapping[str, Callable[[], float]], *, rounds: int
) -> dict[str, list[float]]:
    """Let each candidate run once a round; each returns its own figure, mostly seconds.

    The order turns with each round, so that nobody always runs after the same neighbour.
    """
    figures: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            figures[name].append(candidates[name]())
            say(f"  round {number + 1}/{rounds}  {name}: {figures[name][-1]:.4g}")
    return figures


def median(figures: Iterable[float]) -> float:
    return statistics.median(figures)


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes by the wall clock."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def show(title: str, lines: Sequence[Row | Fact]) -> bool:
    """Print the table of a bench; return whether every goal was met."""
    rows = [line for line in lines if isinstance(line, Row)]
    cells = [["what", "ours", "other", "ratio", "goal", ""], *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    say(f"\n{title}")
    for texts in cells:
        say("  " + "  ".join(map(str.ljust, texts, widths)).rstrip())
    for line in lines:
        if isinstance(line, Fact):
            say(f"  {line.what}: {line.value}")
    return not any(row.verdict == "NOT MET" for row in rows)


def _cells(row: Row) -> list[str]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    goal = "" if row.goal is None else f"{'≥' if row.at_least else '≤'} {row.goal:.2f}"
    return [row.what, row.ours, row.other, ratio, goal, row.verdict]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
