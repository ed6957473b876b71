"""Wait for an approval to be decided without holding a transaction or too many threads.

At most half of the server's threads may wait (`LONG_POLLS`; gunicorn.conf.py sets the threads),
so that pages and other calls are always served. Whoever finds no place is answered at once.
"""

from __future__ import annotations

import threading
import time

from flask import Flask, current_app

from flexmail.db import db
from flexmail.services import approvals
from flexmail.services.approval_shape import Shape, approval_shape

MAX_SECONDS = 25
_LOOK_EVERY_SECONDS = 0.5
_EXTENSION = "flexmail_long_polls"


def init_app(app: Flask) -> None:
    """Count the places of this process."""
    app.extensions[_EXTENSION] = threading.BoundedSemaphore(app.config["LONG_POLLS"])


def await_final(approval_id: int, seconds: int) -> tuple[Shape, bool]:
    """Return the approval once it is final or the time is over, and whether it could wait at all.

    Raises:
        NotFound: there is no such approval.
    """
    shape = _look(approval_id)
    if shape["status"] != "pending" or seconds <= 0:
        return shape, True
    places: threading.BoundedSemaphore = current_app.extensions[_EXTENSION]
    if not places.acquire(blocking=False):
        return shape, False
    try:
        return _watch(approval_id, time.monotonic() + min(seconds, MAX_SECONDS)), True
    finally:
        places.release()


def _watch(approval_id: int, deadline: float) -> Shape:
    while True:
        left = deadline - time.monotonic()
        time.sleep(max(0.0, min(_LOOK_EVERY_SECONDS, left)))
        shape = _look(approval_id)
        if shape["status"] != "pending" or left <= _LOOK_EVERY_SECONDS:
            return shape


def _look(approval_id: int) -> Shape:
    """Read the row as it is now, in a transaction that ends here."""
    db.session.rollback()
    shape = approval_shape(approvals.get(approval_id))
    db.session.rollback()
    return shape
