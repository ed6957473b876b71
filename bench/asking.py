"""Ask for a page under gunicorn with wrk, a second at a time, and put all those turns together.

A connection stays with the worker that accepted it, and how eight of them fall out decides how fast
all are: so each turn makes new ones, and what is told counts every request of every turn.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_SCRIPT = Path(__file__).with_name("latencies.lua")
_CONNECTIONS = 8
_TURN_SECONDS = 1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Asked:
    """A page, and what became of all requests for it so far.

    Args:
        master: the process id of gunicorn's arbiter, whose children serve.
        rates: requests a second, of each turn.
        tails: the 99th percentile as a multiple of the median, of each turn.
        shares: how much of the processor's time the busier worker used, of each turn.
    """

    url: str
    cookie: str
    master: int
    rates: list[float] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    requests: int = 0
    cpu_seconds: float = 0.0
    _latencies: Counter[int] = field(default_factory=Counter)

    def turn(self) -> float:
        """Ask for a second over new connections; return requests a second."""
        before = self._used()
        requests, rate, latencies = read(_wrk(self.url, self.cookie))
        used = [after - began for began, after in zip(before, self._used(), strict=True)]
        self.rates.append(rate)
        self.tails.append(within(latencies, 0.99) / within(latencies, 0.5))
        self.shares.append(max(used) / (sum(used) or 1))
        self.cpu_seconds += sum(used)
        self.requests += requests
        self._latencies += latencies
        return rate

    @property
    def tail(self) -> str:
        """In words: the 99th percentile of all requests as a multiple of their median."""
        half, late = within(self._latencies, 0.5), within(self._latencies, 0.99)
        return f"{late / half:.1f} × {half / 1e3:.1f} ms"

    def _used(self) -> list[float]:
        """Return the seconds of processor that each worker has used."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text().split()
        return [_cpu_seconds(Path(f"/proc/{pid}/stat").read_text()) for pid in children]


def _cpu_seconds(stat: str) -> float:
    user, system = stat.rpartition(")")[2].split()[11:13]  # proc(5)
    return (int(user) + int(system)) / _TICKS


def within(latencies: Counter[int], part: float) -> int:
    """Return the latency that this part of all is not above."""
    wanted, seen = part * latencies.total(), 0
    for latency in sorted(latencies):
        seen += latencies[latency]
        if seen >= wanted:
            return latency
    raise ValueError("Nothing was answered.")


def _wrk(url: str, cookie: str) -> str:
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{_TURN_SECONDS}s", "-s", str(_SCRIPT)]
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    return subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout


def read(said: str) -> tuple[int, float, Counter[int]]:
    """Return what wrk counted: requests, requests a second, and each latency in microseconds.

    There are more latencies than requests: wrk adds those of requests that a late answer kept it
    from making.

    Raises:
        ValueError: an answer was not the page.
    """
    requests = re.search(r"(\d+) requests in ", said)
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    if requests is None or rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(said)
    counted = re.findall(r"^latency (\d+) (\d+)$", said, re.MULTILINE)
    latencies = Counter({int(latency): int(count) for latency, count in counted})
    return int(requests[1]), float(rate[1]), latencies
