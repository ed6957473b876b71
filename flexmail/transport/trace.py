"""What a connection went through, step by step, for people.

A test of the settings shows the steps; production goes through the same code and keeps only
the step that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from flexmail.errors import MailServerError


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a test; `ok` and `seconds` are None when the step was not reached."""

    name: str
    ok: bool | None = None
    seconds: float | None = None
    detail: str = ""
    hint: str = ""


@dataclass(slots=True)
class OpenStep:
    """The step under way; whoever works on it may say what came of it."""

    detail: str = ""


class Trace:
    """Record the named steps in their order.

    Args:
        names: every step that may come, in the order in which people read them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._steps = {name: Step(name) for name in names}

    @property
    def steps(self) -> list[Step]:
        return list(self._steps.values())

    @contextmanager
    def step(self, name: str) -> Iterator[OpenStep]:
        """Time one step; a `MailServerError` is recorded, marked with the step and raised on."""
        if name not in self._steps:
            raise KeyError(name)
        open_step = OpenStep()
        started = monotonic()
        try:
            yield open_step
        except MailServerError as error:
            error.step = name
            self._steps[name] = Step(name, False, monotonic() - started, str(error), error.hint)
            raise
        except BaseException as error:
            cause = f"flexmail itself failed here ({type(error).__name__})."
            self._steps[name] = Step(name, False, monotonic() - started, cause)
            raise
        self._steps[name] = Step(name, True, monotonic() - started, open_step.detail)
