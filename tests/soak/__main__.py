"""Let everything go wrong at random for a while, and see that nothing is lost and nothing doubled.

    python -m tests.soak               # ten minutes
    python -m tests.soak 60 --seed 7   # one; the seed is printed

Flexmail runs under gunicorn with four workers, against real servers through proxies, while requests
are made and answered all the time. In the end the troubles stop, and all that waits has to be done.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from flexmail.db import db, transaction
from flexmail.models import Channel, OutboxMail
from flexmail.services import inbox
from tests.crash.__main__ import say
from tests.crash.ground import Ground, ground
from tests.crash.oracle import counts, violations
from tests.soak import trouble
from tests.soak.trouble import Place
from tests.story.serving import Gunicorn

SECONDS = 600.0
CALM_SECONDS = 90.0
SOON = timedelta(seconds=5)
_REQUESTS = (1, 5)
_WAITS = OutboxMail.state.in_(("queued", "sending"))


class Soak:
    """Makes requests, answers and troubles, in turns."""

    rest_seconds = 0.0, 2.0

    def __init__(self, where: Ground, served: Gunicorn, seed: int) -> None:
        self.troubles: Counter[str] = Counter()
        self._ground = where
        self._chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
        self._place = Place(where, served, self._chance, self.ask)

    def ask(self) -> None:
        """Make some requests with their answers; while the database is locked, none."""
        try:
            self._ground.ask(self._chance.randint(*_REQUESTS), sent=False)
        except OperationalError:
            db.session.rollback()

    def go_on(self, seconds: float, troubles: Sequence[trouble.Trouble]) -> None:
        """Make trouble of every kind in turn, in an order of its own each time.

        The first turn is made whole, however long that takes.
        """
        until = time.monotonic() + seconds
        while not self.troubles or time.monotonic() < until:
            for one in self._chance.sample(troubles, len(troubles)):
                if self.troubles.keys() >= {*map(name_of, troubles)} and time.monotonic() > until:
                    return
                self.ask()
                trouble.wait(self._chance.uniform(*self.rest_seconds))
                one(self._place)
                self.troubles[name_of(one)] += 1

    def calm_down(self) -> str:
        """Let pauses and claims run out, and wait until all is done; say what is not.

        As long as it becomes less, it is waited for: a backlog takes as long as it takes.
        """
        before, until = "", 0.0
        while left := self._left():
            if left != before:
                before, until = left, time.monotonic() + CALM_SECONDS
            if time.monotonic() > until:
                channels = [
                    f"{one.name}: {one.error}" for one in db.session.scalars(select(Channel))
                ]
                return "; ".join([left, *channels])
            self._let_time_pass()
            trouble.wait(0.5)
        return ""

    def _left(self) -> str:
        db.session.rollback()
        waiting = select(func.count(OutboxMail.id)).where(_WAITS)
        mails, unsent = sum(map(len, self._ground.folder().values())), db.session.scalar(waiting)
        db.session.rollback()
        return f"{mails} mails in the folder, {unsent} in the outbox" if mails or unsent else ""

    def _let_time_pass(self) -> None:
        now = datetime.now(UTC)
        with transaction():
            late = OutboxMail.claimed_until.is_(None) | (OutboxMail.claimed_until > now)
            owned = self._place.owner()
            mine = OutboxMail.claimed_by.is_(None) | ~OutboxMail.claimed_by.endswith(f":{owned}")
            overdue = {"retry_at": now, "claimed_until": now}
            db.session.execute(update(OutboxMail).where(_WAITS, late, mine).values(overdue))
            db.session.execute(update(Channel).values(paused_until=None))
            last = update(Channel).where(
                Channel.name == inbox.CHANNEL, Channel.started_at < now - SOON
            )
            db.session.execute(last.values(started_at=now - timedelta(days=1)))


def name_of(one: trouble.Trouble) -> str:
    return one.__name__.replace("_", " ")


def soak(folder: Path, seconds: float, seed: int, troubles: Sequence[trouble.Trouble]) -> int:
    """Make trouble for so long; print what happened; return the exit code."""
    began = time.monotonic()
    say(f"{seconds:.0f} s, seed {seed}")
    often: dict[str, object] = {"process_as_they_arrive": True, "email_reply_process_interval": 1}
    with ground(folder, **often) as where, Gunicorn(folder, "-w", "4") as served:
        served.wait_for_run(after=None, seconds=CALM_SECONDS)
        run = Soak(where, served, seed)
        try:
            run.go_on(seconds, troubles)
            where.connect()
            left = run.calm_down()
        except BaseException:
            say(served.log()[-3000:])
            say(f"{run.troubles}")
            raise
        broken = [f"not done after {CALM_SECONDS:.0f} s: {left}"] if left else []
        broken += violations(where, [folder / "gunicorn.log"])
        numbers = counts(where)
        log = served.log()
    if "this should not have happened" in log:
        broken.append("a job broke off:\n" + log[log.index("this should not have") :][:3000])
    for name, number in sorted(run.troubles.items()) + list(numbers.items()):
        say(f"{number:6}  {name}")
    for sentence in broken:
        say(f"BROKEN: {sentence}")
    say(f"{len(broken)} promises broken, {time.monotonic() - began:.0f} s")
    return 1 if broken else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("seconds", type=float, nargs="?", default=SECONDS)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        return soak(Path(folder), chosen.seconds, chosen.seed, trouble.ALL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
