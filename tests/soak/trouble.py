"""What goes wrong in a soak: each does it, and mends it after a while."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.crash.ground import Ground
from tests.faults.acts import Act, Fault, answer, cut, cut_behind, stall
from tests.servers import Dovecot, Exim
from tests.story.serving import Gunicorn
from tests.story.waiting import wait_for

PAUSE_SECONDS = (13.0, 16.0)
"""Longer than both leases (9 and 12 s)."""

OWNED_WITHIN_SECONDS = 15.0
MET_WITHIN_SECONDS = 120.0
"""A fault in sending may come at the next try only, the one in reading at the next interval."""

_IMAP_LINES = (
    rb" (LOGIN|AUTHENTICATE) ",
    rb" UID FETCH ",
    rb" UID STORE ",
    rb" UID EXPUNGE ",
    rb" UID SEARCH ",
)
_SMTP_LINES = (rb"^EHLO", rb"^MAIL FROM", rb"^RCPT TO", rb"^DATA", rb"^\.\r\n")


@dataclass(frozen=True)
class Place:
    """Where trouble is made, by which chance; `meanwhile` is done while something is away."""

    ground: Ground
    served: Gunicorn
    chance: random.Random
    meanwhile: Callable[[], None]

    def owner(self) -> int:
        """Return the worker that owns the jobs, 0 while there is none."""
        name, _, pid = self.served.lease_holder().rpartition(":")
        return int(pid) if name and int(pid) in self.served.workers() else 0

    def await_owner(self) -> int:
        return wait_for(self.owner, seconds=OWNED_WITHIN_SECONDS, what="a worker owns the jobs")


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _signal_owner(place: Place, number: signal.Signals) -> int:
    owner = place.await_owner()
    with suppress(ProcessLookupError):
        os.kill(owner, number)
    return owner


def kill_the_owner(place: Place) -> None:
    _signal_owner(place, signal.SIGKILL)


def terminate_the_owner(place: Place) -> None:
    _signal_owner(place, signal.SIGTERM)


def pause_the_owner(place: Place) -> None:
    """Let it sleep past its leases, and wake up."""
    owner = _signal_owner(place, signal.SIGSTOP)
    seconds = place.chance.uniform(*PAUSE_SECONDS)
    try:
        wait(seconds / 2)
        place.meanwhile()
        wait(seconds / 2)
    finally:
        with suppress(ProcessLookupError):
            os.kill(owner, signal.SIGCONT)


def _restart(place: Place, server: Dovecot | Exim) -> None:
    server.pause()
    wait(place.chance.uniform(0, 2))
    server.start()


def restart_dovecot(place: Place) -> None:
    _restart(place, place.ground.dovecot)


def restart_exim(place: Place) -> None:
    _restart(place, place.ground.exim)


def cut_all_lines(place: Place) -> None:
    for proxy in (place.ground.imap, place.ground.smtp):
        proxy.cut()


def _meet(place: Place, imap: tuple[Act, ...], smtp: tuple[Act, ...]) -> None:
    """Put one fault on a line of either server, and wait until a connection comes to it."""
    on_imap = Fault("flexmail", place.chance.choice(_IMAP_LINES), place.chance.choice(imap))
    on_smtp = Fault("flexmail", place.chance.choice(_SMTP_LINES), place.chance.choice(smtp))
    place.ground.imap.put(on_imap)
    place.ground.smtp.put(on_smtp)
    try:
        place.meanwhile()
        what = "a line that a fault was put on"
        wait_for(lambda: on_imap.fired or on_smtp.fired, seconds=MET_WITHIN_SECONDS, what=what)
        wait(place.chance.uniform(0, 2))
    finally:
        place.ground.imap.lift()
        place.ground.smtp.lift()


def cut_at_a_line(place: Place) -> None:
    _meet(place, (cut, cut_behind), (cut, cut_behind))


def stall_at_a_line(place: Place) -> None:
    _meet(place, (stall,), (stall,))


def refuse_at_a_line(place: Place) -> None:
    _meet(
        place,
        (answer(b"TAG NO [UNAVAILABLE] not now\r\n"), answer(b"* BYE good night\r\n")),
        (answer(b"451 4.3.0 not now\r\n"), answer(b"421 4.3.2 good night\r\n")),
    )


Trouble = Callable[[Place], None]

ALL: tuple[Trouble, ...] = (
    kill_the_owner,
    terminate_the_owner,
    pause_the_owner,
    restart_dovecot,
    restart_exim,
    cut_all_lines,
    cut_at_a_line,
    stall_at_a_line,
    refuse_at_a_line,
)
