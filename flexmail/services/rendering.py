"""Render the words of admins in a process of its own: what a template does, it does to that one.

The same kind of child as reads mail (`child`): no database, no keys, no environment, little memory,
and killed at the first answer that is late or makes no sense. Words that cost a child rest for a
while, so that a program that tells the same again and again waits for them now and then only.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from flexmail.mail import apart, press
from flexmail.mail.compose import OutgoingContent
from flexmail.mail.event_template import Source, TemplateFault
from flexmail.services.child import Child

SECONDS = 2.0
"""What one notification may take to compile and render, by the wall clock."""
REST_SECONDS = 20.0
"""How long words that took too much are not tried again."""
_START_SECONDS = 30.0

_lock = threading.Lock()
_child: Child | None = None
_resting: dict[Source, tuple[float, str]] = {}


def render(
    source: Source, known: Mapping[str, Any], *, seconds: float = SECONDS
) -> OutgoingContent:
    """Return what the templates give, with a deadline.

    Raises:
        TemplateFault: they break off, give nothing, or take too much time or memory, or did so
            just now.
        OSError: there can be no process.
    """
    global _child  # noqa: PLW0603 (one a process is the point)
    with _lock:
        until, fault = _resting.get(source, (0.0, ""))
        if time.monotonic() < until:
            raise TemplateFault({"": fault})
        try:
            if _child is None or not _child.can_be_asked:
                _child = _started()
            _child.ask(apart.RENDER, press.order(source, known))
            kind, answer = _child.hear(seconds)
            if kind == apart.ANSWER:
                return press.delivered(answer)
            fault = "It needs too much memory." if kind == apart.NO_MEMORY else "It breaks off."
        except TemplateFault:
            raise
        except TimeoutError:
            fault = f"It takes more than {seconds:g} s."
        except (EOFError, ValueError, KeyError):
            fault = "It ends the process that renders it."
        except BaseException:
            _stop()
            raise
        _stop()
        _let_rest(source, fault)
        raise TemplateFault({"": fault})


def stop() -> None:
    """End the child, if there is one, and let no words rest; the next template starts another."""
    with _lock:
        _stop()
        _resting.clear()


def _let_rest(source: Source, fault: str) -> None:
    now = time.monotonic()
    for other in [one for one, (until, _) in _resting.items() if until <= now]:
        del _resting[other]
    _resting[source] = now + REST_SECONDS, fault


def _started() -> Child:
    _stop()
    child = Child(press.__name__)
    try:
        if child.hear(_START_SECONDS) != (apart.READY, b""):
            raise OSError("The process that renders templates does not start.")
    except (EOFError, ValueError, TimeoutError) as error:
        child.end()
        raise OSError("The process that renders templates does not start.") from error
    return child


def _stop() -> None:
    global _child
    child, _child = _child, None
    if child:
        child.end()


def _leave_to_parent() -> None:
    """After a fork: the child belongs to the other process, and so may the lock."""
    global _lock  # noqa: PLW0603
    _stop()
    _lock = threading.Lock()


atexit.register(stop)
os.register_at_fork(after_in_child=_leave_to_parent)
