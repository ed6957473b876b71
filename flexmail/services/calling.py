"""Call programs: one server's turn in a thread of its own, on plain values.

Nothing here knows the database or the application. Calls to one server go one after the other; one
that does not answer, or takes its time, ends its turn and says how long it is to be left alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue

from flexmail.errors import MailServerError
from flexmail.transport import webhook
from flexmail.transport.webhook import Target

log = logging.getLogger(__name__)

REST = timedelta(seconds=30)
_LONGEST_REST = timedelta(hours=1)
TURN_SECONDS = 10.0
_OVERLOADED = frozenset({429, 502, 503, 504})
_CONTENT = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "flexmail"}


@dataclass(frozen=True, slots=True)
class Call:
    callback_id: int
    target: Target
    may_lead_inside: bool
    webhook_id: str
    body: bytes = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one call; status 0 means no answer; `rest` is how long the server gets."""

    callback_id: int
    status: int
    text: str
    rest: timedelta = timedelta()

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Turn:
    """That the turn of a server is over, and how long it is left alone now."""

    origin: str
    rest: timedelta = timedelta()
    because: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """How calls are made: `clock` gives the moment of a try, `timeout_seconds` is for one call.

    A server whose turn has lasted `turn_seconds` is given no further call in it.
    """

    clock: Callable[[], datetime]
    keep_going: Callable[[], bool]
    ca_certificates: str
    timeout_seconds: float
    turn_seconds: float


def take_turn(calls: Sequence[Call], heard: SimpleQueue[Result | Turn], ways: Ways) -> None:
    """Make the calls to one server until it needs a rest; hand over each result, then the turn."""
    began = time.monotonic()
    turn = Turn(calls[0].target.origin)
    try:
        for call in calls:
            if not ways.keep_going():
                break
            result = _made(call, ways)
            heard.put(result)
            if result.rest:
                turn = Turn(turn.origin, result.rest, result.text)
                break
            if time.monotonic() - began > ways.turn_seconds:
                turn = Turn(turn.origin, timedelta(seconds=ways.turn_seconds))
                break
    finally:
        heard.put(turn)


def _made(call: Call, ways: Ways) -> Result:
    try:
        proof = webhook.signed(call.webhook_id, call.body, secret=call.secret, at=ways.clock())
        answer = webhook.post(
            call.target,
            call.body,
            _CONTENT | proof,
            ca_certificates=ways.ca_certificates,
            may_lead_inside=call.may_lead_inside,
            timeout_seconds=ways.timeout_seconds,
        )
    except MailServerError as error:
        return Result(call.callback_id, 0, str(error), REST)
    except Exception as error:
        log.exception("callback %d: this should not have happened", call.callback_id)
        return Result(call.callback_id, 0, f"The call broke off ({type(error).__name__}).", REST)
    rest = timedelta()
    if answer.status in _OVERLOADED:
        rest = max(REST, min(timedelta(seconds=answer.retry_after_seconds), _LONGEST_REST))
    return Result(call.callback_id, answer.status, answer.text, rest)
