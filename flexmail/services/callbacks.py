"""Callbacks: the programs that asked are told once an approval is final, or something is wrong.

`queue` joins the transaction that closes the approval, so a callback exists exactly if what it
tells of happened. `announcing` sends what is due, at least once, the same body on every try.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.models import CALLBACK_STATES, Approval, Callback
from flexmail.services.moments import iso
from flexmail.services.paging import Page, page_of
from flexmail.transport.public import is_link_local, is_public
from flexmail.transport.webhook import Target, target_of

EVENT = "approval.decided"
_MAX_HOST = 253
"""Characters of a host name (RFC 1035); a longer origin would not fit, once it is too late."""


def is_listed(target: Target) -> bool:
    """Tell whether the operator lets this host and port be called in clear, or inside."""
    return (target.host, target.port) in current_app.config["CALLBACK_ALLOWED_HOSTS"]


def fault_of(url: str) -> str:
    """Say why this address will not be called, as a sentence; empty when it can be tried.

    Where a name leads is seen only when it is called.
    """
    try:
        target = target_of(url)
    except InvalidInput as error:
        return str(error)
    if len(target.host) > _MAX_HOST:
        return f"A host name has at most {_MAX_HOST} characters."
    if target.ip and is_link_local(target.ip):
        return "This address is link-local: it is never called."
    if is_listed(target):
        return ""
    listed = f"{target.host}:{target.port} in FLEXMAIL_CALLBACK_ALLOWED_HOSTS"
    if target.scheme != "https":
        return f"Give an https address, or have the operator list {listed}."
    if target.ip and not is_public(target.ip):
        return f"This address lies inside the network: have the operator list {listed}."
    return ""


def queue(approval: Approval, data: dict[str, Any], *, now: datetime) -> None:
    """Add the callback of an approval that was just closed to the caller's transaction.

    Args:
        data: the approval as the API shows it.
    """
    callback = announce(EVENT, data, url=approval.callback_url, now=now)
    callback.approval_id, callback.token_id = approval.id, approval.token_id


def announce(what: str, data: Mapping[str, Any], *, url: str, now: datetime) -> Callback:
    """Add a callback to the caller's transaction; without a token the installation signs it.

    Args:
        what: its type, such as `approval.decided`.
    """
    body = {"type": what, "timestamp": iso(now, timespec="milliseconds"), "data": data}
    callback = Callback(
        webhook_id=f"msg_{secrets.token_hex(16)}",
        url=url,
        origin=target_of(url).origin,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        retry_at=now,
        created_at=now,
    )
    db.session.add(callback)
    return callback


def of_approval(approval_id: int) -> Callback | None:
    """Return the callback of an approval, None while it is pending or asked for none."""
    return db.session.scalar(select(Callback).where(Callback.approval_id == approval_id))


def listing(
    *, state: str | None = None, cursor: str | None = None, limit: int = 50
) -> Page[Callback]:
    """Return one page, the newest first."""
    wanted = select(Callback)
    if state:
        wanted = wanted.where(Callback.state == state)
    return page_of(wanted, Callback.id, cursor=cursor, limit=limit)


def counts() -> dict[str, int]:
    """Return how many callbacks are in each state."""
    found = select(Callback.state, func.count()).group_by(Callback.state)
    return dict.fromkeys(CALLBACK_STATES, 0) | {row[0]: row[1] for row in db.session.execute(found)}


def retry(callback_id: int, *, now: datetime) -> Callback:
    """Queue a callback once more, for now, under the same id; commits.

    One that failed is tried for as long again as a new one. One that was taken may go again too:
    the program knows it by its id.

    Raises:
        NotFound
        Conflict: it is being sent.
    """
    with transaction():
        callback = db.session.get(Callback, callback_id)
        if callback is None:
            raise NotFound(f"There is no callback {callback_id}.")
        if callback.state == "sending":
            raise Conflict(f"Callback {callback_id} is being sent right now.")
        if callback.state != "queued":
            callback.attempts, callback.created_at, callback.sent_at = 0, now, None
        callback.state, callback.retry_at = "queued", now
    return callback
