"""Send what is due of the callbacks: at least once, several servers side by side.

Claim and commit; call outside any transaction; note each answer as it comes. A server that does not
answer, or takes its time, is left alone for a while with all that waits for it, so it holds nobody
else up for longer than a call lasts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any

from sqlalchemy import update

from flexmail.db import db, transaction
from flexmail.errors import SecretUnreadable
from flexmail.mail.reference import mask
from flexmail.models import Callback
from flexmail.services import callbacks, claims, settings, webhook_secrets
from flexmail.services.calling import TURN_SECONDS, Call, Result, Turn, Ways, take_turn
from flexmail.transport.webhook import TIMEOUT_SECONDS, target_of

log = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(days=3)
_RETRY_SECONDS = (30, 120, 600, 1800, 3600, 7200, 14400)
_THREADS = 8
BATCH = 30
_WANTED = ("id", "url", "token_id", "webhook_id", "body")
_PASS_SECONDS = 10.0
_GONE = 410


@dataclass(slots=True)
class Report:
    """What one call of `announce_due` did, in callbacks."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0

    def count(self, state: str) -> None:
        """Add one callback by the state it ended in."""
        self.sent += state == "sent"
        self.deferred += state == "queued"
        self.failed += state == "failed"


@dataclass(frozen=True, slots=True)
class _Pass:
    """What stays the same while one call of `announce_due` lasts; `resting` are origins."""

    ways: Ways
    pool: ThreadPoolExecutor
    report: Report = field(default_factory=Report)
    resting: set[str] = field(default_factory=set)


def announce_due(
    *,
    now: datetime,
    at_once: bool = False,
    keep_going: Callable[[], bool] = lambda: True,
    timeout_seconds: float = TIMEOUT_SECONDS,
    turn_seconds: float = TURN_SECONDS,
) -> Report:
    """Send the callbacks that are due, batch by batch; commits as it goes.

    A scheduled call ends after some seconds even if more is due: what came meanwhile has its turn
    in the next.

    Args:
        at_once: act whatever retry time is set (somebody asked for it by hand).
        keep_going: asked between calls, in any thread; False ends it and gives the rest back.
        timeout_seconds: wall clock for one call.
        turn_seconds: how long one server may be called in a batch; the rest waits as long.
    """
    began = time.monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    def goes_on() -> bool:
        return keep_going() and (at_once or time.monotonic() - began < _PASS_SECONDS)

    if not claims.anything_due(now, at_once=at_once, queue=Callback):
        return Report()
    ways = Ways(
        clock, keep_going, settings.load().tls_ca_certificates, timeout_seconds, turn_seconds
    )
    already: set[int] = set()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="callback") as pool:
        run = _Pass(ways, pool)
        while goes_on() and (
            claimed := claims.claim_from(
                Callback, _WANTED, now, clock(), at_once=at_once, already=already, at_most=BATCH
            )
        ):
            already.update(callback_id for callback_id, *_ in claimed)
            _send_batch(claimed, run)
    return run.report


def _send_batch(claimed: list[list[Any]], run: _Pass) -> None:
    """Call every server that has something in the batch; what it did not come to is given back."""
    untried = {callback_id for callback_id, *_ in claimed}
    over: list[Turn] = []
    try:
        calls, refused = _prepared(claimed)
        for result in refused:
            untried.discard(result.callback_id)
            _note(result, run)
        turns: dict[str, list[Call]] = {}
        for call in calls:
            if call.target.origin not in run.resting:
                turns.setdefault(call.target.origin, []).append(call)
        heard: SimpleQueue[Result | Turn] = SimpleQueue()
        for turn in turns.values():
            run.pool.submit(take_turn, turn, heard, run.ways)
        while len(over) < len(turns):
            item = heard.get()
            if isinstance(item, Turn):
                over.append(item)
            else:
                untried.discard(item.callback_id)
                _note(item, run)
    finally:
        claims.give_back(sorted(untried), Callback)
    for ended in over:
        if ended.rest:
            run.resting.add(ended.origin)
            _let_rest(ended, run.ways.clock())


def _prepared(claimed: list[list[Any]]) -> tuple[list[Call], list[Result]]:
    """Return what the threads need; what cannot be called is a result already."""
    calls: list[Call] = []
    refused: list[Result] = []
    for callback_id, url, token_id, webhook_id, body in claimed:
        fault = callbacks.fault_of(url)
        if fault:
            refused.append(Result(callback_id, 0, f"Nothing was sent. {fault}"))
            continue
        target = target_of(url)
        try:
            secret = webhook_secrets.of(token_id)
        except SecretUnreadable as error:
            refused.append(Result(callback_id, 0, str(error)))
            continue
        listed = callbacks.is_listed(target)
        calls.append(Call(callback_id, target, listed, webhook_id, body.encode(), secret))
    db.session.rollback()  # no transaction is open while the network is used
    return calls, refused


def _note(result: Result, run: _Pass) -> None:
    """Store what became of one try; commits."""
    now = run.ways.clock()
    with transaction():
        row = db.session.get_one(Callback, result.callback_id, with_for_update=True)
        late = row.claimed_by != claims.sender()  # the claim ran out: another sender has it, or had
        if row.state == "sent" or (late and not result.taken):
            return
        row.claimed_by, row.claimed_until, row.answer = None, None, mask(result.text)
        last_try_at = row.created_at + GIVE_UP_AFTER
        if result.taken:
            row.state, row.sent_at = "sent", now
        elif result.status == _GONE or now >= last_try_at:
            row.state = "failed"
        else:
            seconds = _RETRY_SECONDS[min(max(row.attempts, 1), len(_RETRY_SECONDS)) - 1]
            wait = max(timedelta(seconds=seconds), result.rest)
            row.state, row.retry_at = "queued", min(now + wait, last_try_at)
        run.report.count(row.state)
        state, origin = row.state, row.origin
    if not result.taken:
        log.warning("callback %d to %s: %s: %s", result.callback_id, origin, state, result.text)


def _let_rest(turn: Turn, now: datetime) -> None:
    """Put off what waits for a server, uncounted; what waited too long fails; commits."""
    waiting = update(Callback).where(Callback.origin == turn.origin, Callback.state == "queued")
    until = now + turn.rest
    with transaction():
        if turn.because:
            missed = waiting.where(Callback.created_at <= now - GIVE_UP_AFTER)
            db.session.execute(missed.values(state="failed", answer=mask(turn.because)))
        db.session.execute(waiting.where(Callback.retry_at < until).values(retry_at=until))
