"""Take back the mails that still ask for what is closed; joins the caller's transaction."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, update

from flexmail.db import at_end, db
from flexmail.models import OutboxMail


def withdraw(approval_id: int, *, at_once: bool = False) -> None:
    """Cancel the mails that wait to ask for this approval.

    Args:
        at_once: for whoever looks at them next; else all of a transaction are one statement.
    """
    if at_once:
        _cancel([approval_id])
    else:
        at_end(_cancel, approval_id)


def _cancel(approval_ids: list[int]) -> None:
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
