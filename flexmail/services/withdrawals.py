"""Take back the mails that still ask for what is closed; joins the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Table, update

from flexmail.db import db
from flexmail.models import OutboxMail

_CLOSED = "closed approvals"


def withdraw(approval_id: int, *, at_once: bool) -> None:
    """Cancel the mails that wait to ask for this approval.

    Args:
        at_once: whoever looks at them next has to see it, also inside `together`.
    """
    together: list[int] | None = db.session.info.get(_CLOSED)
    if together is None or at_once:
        _cancel([approval_id])
    else:
        together.append(approval_id)


@contextmanager
def together() -> Iterator[None]:
    """Let `withdraw` inside wait for the end of the block, and be one statement there."""
    closed: list[int] = []
    db.session.info[_CLOSED] = closed
    try:
        yield
    finally:
        del db.session.info[_CLOSED]
    if closed:
        _cancel(closed)


def _cancel(approval_ids: Collection[int]) -> None:
    # Past the session, which would write down all that it holds before it did this.
    mails = cast(Table, OutboxMail.__table__)
    db.session.connection().execute(
        update(mails)
        .where(
            mails.c.approval_id.in_(approval_ids),
            mails.c.kind == "approval_request",
            mails.c.state == "queued",
        )
        .values(state="cancelled", answer="The request was closed before this mail went out.")
    )
