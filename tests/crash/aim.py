"""Where a kill shall fall, and where it fell.

A kill is aimed at a line between flexmail and a server: the proxy holds the line for a moment, and
the kill comes at random within it or just behind. Where it fell is found afterwards from database
and folder, whatever was aimed at.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from tests.crash.ground import Ground, Round
from tests.faults.acts import Fault, Side
from tests.faults.proxy import Link, Proxy

IDLE = "idle"
BEFORE_COMMIT = "before the commit"
BEFORE_STORE = "after the commit, before STORE"
BEFORE_EXPUNGE = "between STORE and EXPUNGE"
BEFORE_SENDING = "after the delete, before an answer is sent"
SENDING = "while answers are sent"
STEPS = (BEFORE_COMMIT, BEFORE_STORE, BEFORE_EXPUNGE, BEFORE_SENDING, SENDING, IDLE)

HOLD_SECONDS = 0.06
_SHARE_AT_RANDOM = 0.3


@dataclass(frozen=True)
class Aim:
    """A line of one side on the way to one server; `skip` so many before it."""

    server: Literal["imap", "smtp"]
    at: bytes
    side: Side = "flexmail"
    skip: int = 0


# The commands are a run, what sends its answers, and a run that finds nothing.
AIMS: dict[str, tuple[Aim, ...]] = {
    BEFORE_COMMIT: (
        Aim("imap", rb"(?i) (LOGIN|AUTHENTICATE) "),
        Aim("imap", rb" UID FETCH "),
        Aim("imap", rb"OK Fetch", "server", skip=1),
    ),
    BEFORE_STORE: (Aim("imap", rb" UID STORE "),),
    BEFORE_EXPUNGE: (Aim("imap", rb" UID EXPUNGE "),),
    BEFORE_SENDING: (Aim("imap", rb" UID SEARCH UID "), Aim("imap", rb" LOGOUT")),
    SENDING: (
        Aim("smtp", rb"^MAIL FROM"),
        Aim("smtp", rb"^\.\r\n"),
        Aim("smtp", rb"^250 OK id=", "server", skip=1),
    ),
    IDLE: (Aim("imap", rb"(?i) (LOGIN|AUTHENTICATE) ", skip=1), Aim("smtp", rb"^QUIT")),
}


class Trigger:
    """Holds the line that is aimed at, and says when it has come."""

    def __init__(self, ground: Ground, aim: Aim) -> None:
        self.reached = threading.Event()
        self._proxy: Proxy = getattr(ground, aim.server)
        self._proxy.put(Fault(aim.side, aim.at, self._hold, skip=aim.skip))

    def _hold(self, link: Link, line: bytes) -> bytes:
        self.reached.set()
        link.over.wait(HOLD_SECONDS)
        return line

    def lift(self) -> None:
        self._proxy.lift()


def choose(hits: Counter[str], chance: random.Random) -> Aim | None:
    """Return what to aim at next: the step that was hit least, or nothing, for a random moment."""
    if chance.random() < _SHARE_AT_RANDOM:
        return None
    fewest = min(hits[step] for step in STEPS)
    step = chance.choice([step for step in STEPS if hits[step] <= fewest + 2])
    return chance.choice(AIMS[step])


def where_it_fell(ground: Ground, made: Round) -> str:
    """Tell from database and folder how far the killed process had come."""
    settled = {row.sha256 for row in ground.rows(made.digests) if row.outcome}
    there = ground.folder()
    if any(any(marked) for marked in there.values()):
        return BEFORE_EXPUNGE
    if not settled:
        return BEFORE_COMMIT if ground.has_begun(made) else IDLE
    if settled & there.keys():
        return BEFORE_STORE
    waiting = Counter(mail.state for mail in ground.answers(made))
    if set(waiting) == {"sent"}:
        return IDLE
    return SENDING if waiting["sending"] or waiting["sent"] else BEFORE_SENDING


def heard_of(proxy: Proxy, at: bytes) -> int:
    """Count the lines that flexmail said."""
    return sum(bool(re.search(at, line)) for line in proxy.said("flexmail"))
