"""Wait on the command line for a decision, and say it as an exit code.

It looks at the database itself, so it needs no server; but without a process that runs the jobs
nobody reads the replies.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from flexmail.db import db
from flexmail.errors import FlexmailError
from flexmail.services import approvals, delivery
from flexmail.services.approval_shape import Shape, approval_shape

EXIT_CODES = {"approved": 0, "rejected": 1, "expired": 2, "cancelled": 2, "pending": 3}
UNTIL_FINAL = "until it is final"
_LOOK_EVERY_SECONDS = 0.5
_SEND_SECONDS = 30.0
_PATIENCE_SECONDS = 60.0


class Seconds(click.ParamType[float]):
    """Seconds to wait; infinite when the option stands alone."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return a number of seconds."""
        if value == UNTIL_FINAL:
            return math.inf
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


def send_now() -> str:
    """Try to send what waits, for half a minute at the most; return what went wrong, if anything.

    The mail is safe in the outbox whatever happens here.
    """
    until = time.monotonic() + _SEND_SECONDS
    try:
        report = delivery.deliver_due(
            now=datetime.now(UTC), keep_going=lambda: time.monotonic() < until
        )
    except FlexmailError as error:
        return str(error)
    except SQLAlchemyError as error:
        return f"the database did not answer ({type(error).__name__})."
    finally:
        db.session.rollback()
    return report.error


def await_final(approval_id: int, seconds: float) -> Shape:
    """Return the approval once it is final or the time is over; outlasts a database that is away
    for a minute.
    """
    until = time.monotonic() + seconds
    seen_at = time.monotonic()
    while True:
        left = until - time.monotonic()
        try:
            shape = _look(approval_id)
            seen_at = time.monotonic()
            if shape["status"] != "pending" or left <= 0:
                return shape
        except OperationalError:
            if time.monotonic() - seen_at > _PATIENCE_SECONDS or left <= 0:
                raise
        time.sleep(max(0.0, min(_LOOK_EVERY_SECONDS, left)))


def _look(approval_id: int) -> Shape:
    """Read the row as it is now; expire it here, since no other process may be running."""
    db.session.rollback()
    approvals.expire_due(now=datetime.now(UTC))
    shape = approval_shape(approvals.get(approval_id))
    db.session.rollback()
    return shape
