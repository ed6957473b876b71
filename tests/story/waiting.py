"""Wait for something that other threads or processes bring about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_PAUSE_SECONDS = 0.05


def wait_for(condition: Callable[[], Found], *, seconds: float, what: str) -> Found:
    """Ask until the answer is true and return it; fail, naming `what`, after the deadline."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"Not within {seconds} s: {what}. Last answer: {answer!r}")
        pause.wait(_PAUSE_SECONDS)
