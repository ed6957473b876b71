"""Faults on a line, and the acts that they are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.faults.proxy import Link

Act = Callable[["Link", bytes], bytes | None]
Side = Literal["flexmail", "server"]
WHOLE = 1 << 16


@dataclass
class Fault:
    """What happens to lines of one side that match; `act` returns what goes on, None for nothing.

    Args:
        times: after so many it is over; 0 = until it is lifted.
        skip: so many matches pass unharmed first.
    """

    side: Side
    at: bytes
    act: Act
    times: int = 1
    skip: int = 0
    fired: int = 0

    def meet(self, link: Link, line: bytes) -> bytes | None:
        if not re.search(self.at, line) or (self.times and self.fired >= self.times):
            return line
        if self.skip:
            self.skip -= 1
            return line
        self.fired += 1
        return self.act(link, line)


@dataclass
class Shape:
    """How bytes of the server reach flexmail: in segments, slowly, or only so many of them."""

    segment: int = WHOLE
    bytes_per_second: float = 0.0
    cut_after: int | None = None
    fired: int = 0
    sent: int = field(default=0, repr=False)


def cut(link: Link, _line: bytes) -> None:
    """End the connection instead of handing the line on."""
    link.cut()


def cut_behind(link: Link, line: bytes) -> None:
    """Hand a line of flexmail on to the server, and end the connection before any answer."""
    link.tell_server(line)
    link.cut()


def stall(link: Link, _line: bytes) -> None:
    """Say nothing more until flexmail gives up."""
    link.over.wait(30)


def answer(text: bytes) -> Act:
    """Answer flexmail in the server's place; `TAG` stands for its tag."""

    def act(link: Link, _line: bytes) -> None:
        link.tell_flexmail(text)

    return act


def instead(text: bytes, *, then_cut: bool = False) -> Act:
    """Let flexmail hear this line instead of the server's."""

    def act(link: Link, _line: bytes) -> None:
        link.tell_flexmail(text)
        if then_cut:
            link.cut()

    return act


def changed(pattern: bytes, by: bytes) -> Act:
    return lambda _link, line: re.sub(pattern, by, line)


def before(text: bytes) -> Act:
    """Put lines before this one."""
    return lambda _link, line: text + line


def hook(work: Callable[[], object]) -> Act:
    """Do something at this moment, and hand the line on."""

    def act(_link: Link, line: bytes) -> bytes:
        work()
        return line

    return act


def flood(data: bytes) -> Act:
    """Send the same bytes until flexmail gives up."""

    def act(link: Link, _line: bytes) -> None:
        while not link.over.is_set():
            link.tell_flexmail(data)

    return act
