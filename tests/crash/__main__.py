"""Kill flexmail at random moments of its runs, and see that nothing is lost and nothing doubled.

    python -m tests.crash              # 200 kills
    python -m tests.crash 50 --seed 7  # 50; the seed is printed, and makes the same choices again

Real servers, the real commands, SIGKILL. After each kill a fresh run has to take what is left. The
table says where the kills fell; a step that none fell into is a failure, as is a broken promise.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.crash.aim import STEPS, Trigger, choose, where_it_fell
from tests.crash.ground import Ground, Round, ground
from tests.crash.nursery import Nursery
from tests.crash.oracle import counts, unsettled, violations

KILLS = 200
REQUESTS = 8
"""A round has three mails for each."""

RUN = (("replies", "process"), ("outbox", "send"))
WATCHED = (*RUN, ("replies", "process"))
_LONGEST_SECONDS = 30.0


class Killer:
    """Kills one process a round, and lets a fresh one do what is left."""

    def __init__(self, where: Ground, nursery: Nursery, seed: int) -> None:
        self.hits: Counter[str] = Counter()
        self.broken: list[str] = []
        self.missed = 0
        self._ground, self._nursery = where, nursery
        self._chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
        self._usual_seconds = 1.0

    def kill_once(self) -> None:
        """Let one process be killed in the middle; one that ended before does not count."""
        made = self._ground.ask(REQUESTS)
        aim = choose(self.hits, self._chance)
        trigger = Trigger(self._ground, aim) if aim else None
        self._nursery.begin(*WATCHED)
        began = time.monotonic()
        if trigger:
            self._wait(trigger.reached, _LONGEST_SECONDS)
            self._sleep(self._chance.uniform(0, 1.2) * 0.06)
        else:
            self._sleep(self._chance.uniform(0, self._usual_seconds))
        self._nursery.kill()
        code = self._nursery.end()
        if trigger:
            trigger.lift()
        if code < 0:
            self.hits[where_it_fell(self._ground, made)] += 1
        else:
            self.missed += 1
            self._usual_seconds = time.monotonic() - began
        self._clear(made)

    def _clear(self, made: Round) -> None:
        """Two runs at most must take what is left."""
        wrong: list[str] = []
        for _ in range(2):
            self._ground.let_time_pass()
            if code := self._nursery.run(*RUN):
                self.broken.append(f"a run after a kill ended with exit code {code}")
            wrong = list(unsettled(self._ground, made))
            if not wrong:
                return
        self.broken += wrong

    def _wait(self, event: threading.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not event.wait(0.01):
            if self._nursery.has_ended() or time.monotonic() > until:
                return

    def _sleep(self, seconds: float) -> None:
        threading.Event().wait(seconds)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=KILLS)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        return crash(Path(folder), chosen.kills, chosen.seed)


def crash(folder: Path, kills: int, seed: int) -> int:
    """Kill so often; print the table; return the exit code."""
    began = time.monotonic()
    log = folder / "commands.log"
    say(f"{kills} kills, seed {seed}")
    with ground(folder) as where, Nursery(where.instance, log) as nursery:
        nursery.run(*RUN)  # the folder is known from its beginning: nothing in it is held back
        killer = Killer(where, nursery, seed)
        while killer.hits.total() < kills:
            killer.kill_once()
            if killer.hits.total() % 25 == 0:
                say(f"{killer.hits.total()} kills, {time.monotonic() - began:.0f} s")
        broken = [*killer.broken, *violations(where, [log])]
        numbers = counts(where)
    if "Traceback" in (said := log.read_text("utf-8", "replace")):
        broken.append("a command broke off:\n" + said[said.index("Traceback") :][:3000])
    for step in STEPS:
        say(f"{killer.hits[step]:6}  {step}")
    if kills >= 10 * len(STEPS):
        broken += [f"no kill fell {step}" for step in STEPS if not killer.hits[step]]
    say(f"{killer.missed:6}  (ended before they were killed)")
    for name, number in numbers.items():
        say(f"{number:6}  {name}")
    for sentence in broken:
        say(f"BROKEN: {sentence}")
    say(f"{len(broken)} promises broken, {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
