"""How flexmail is doing: for people on the first page, for machines under /healthz and /readyz."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, g, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from flexmail import jobs
from flexmail.services import channels, delivery, inbox, installation, settings, status
from flexmail.views.access import public, signed_in

pages = Blueprint("status", __name__)
log = logging.getLogger(__name__)


@pages.get("/")
@signed_in
def show() -> ResponseReturnValue:
    """Show the state of every part; an approver goes on to the approvals."""
    if g.person.role != "admin":
        return redirect(url_for("approvals.index"), 303)
    now = datetime.now(UTC)
    overview = status.overview(now=now)
    return render_template(
        "status/show.html",
        overview=overview,
        boxes=_boxes(overview),
        paused={name: _paused_until(name, now) for name in (inbox.CHANNEL, delivery.CHANNEL)},
    )


@pages.post("/claim")
def claim() -> ResponseReturnValue:
    """Make the database this flexmail's."""
    if installation.claim(now=datetime.now(UTC)):
        jobs.apply()
        flash("The database is claimed: replies are read and mail is sent from here.", "good")
    return redirect(url_for(".show"), 303)


@pages.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Say that this process answers."""
    return "ok", {"Content-Type": "text/plain; charset=utf-8"}


@pages.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """Say whether database, jobs and mail work; causes stand on the status page, for admins."""
    try:
        overview = status.overview(now=datetime.now(UTC))
    except SQLAlchemyError as error:
        log.warning("readyz: %s", type(error).__name__)
        parts = {
            "database": "failing",
            "jobs": "unknown",
            "replies": "unknown",
            "outbox": "unknown",
            "backlog": "unknown",
            "installation": "unknown",
        }
    else:
        replies = overview["reply_processing"]
        parts = {
            "database": "ok",
            "jobs": "ok" if replies["owner"] else "no owner",
            "replies": "failing" if replies["enabled"] and _fails(replies) else "ok",
            "outbox": "failing" if overview["outbox"]["failing_since"] else "ok",
            "backlog": "growing" if _grows(overview) else "ok",
            "installation": "ok" if overview["installation"]["ours"] else "elsewhere",
        }
    ready = set(parts.values()) == {"ok"}
    return jsonify(ready=ready, **parts), 200 if ready else 503


def _paused_until(name: str, now: datetime) -> datetime | None:
    """Return until when scheduled runs of a channel wait, None when they do not."""
    paused = channels.is_paused(name, revision=settings.load().revision, now=now)
    return channels.get(name).paused_until if paused else None


def _boxes(overview: dict[str, Any]) -> list[dict[str, str]]:
    """Return the stations of a request in their order, with what is in each and how it fares."""
    mail_out, replies = overview["outbox"], overview["reply_processing"]
    outcomes = (replies["last_run"] or {}).get("by_outcome", {})
    decided = outcomes.get("approved", 0) + outcomes.get("rejected", 0)
    sending = "failing" if mail_out["failing_since"] else "ok"
    reading = "failing" if _fails(replies) else "ok"
    return [
        _box("Requests", overview["approvals"]["pending"], "open", "approvals.index", "ok"),
        _box(
            "Outbox", mail_out["queued"] + mail_out["sending"], "to send", "outbox.index", sending
        ),
        _box("Mailboxes", mail_out["sent"], "sent", "outbox.index", "ok"),
        _box(
            "Reply folder",
            replies["waiting"],
            "waiting",
            "settings.show",
            reading if replies["enabled"] else "off",
        ),
        _box("Decisions", decided, "in the last run", "replies.index", "ok"),
    ]


def _fails(replies: dict[str, Any]) -> bool:
    """Tell whether replies stay unread until somebody mends something."""
    return bool(replies["failing_since"]) or replies["trust"]["state"] == "refused"


def _grows(overview: dict[str, Any]) -> bool:
    return any(trouble["kind"].endswith("_backlog") for trouble in overview["troubles"])


def _box(title: str, count: int, unit: str, endpoint: str, how: str) -> dict[str, str]:
    return {"title": title, "count": str(count), "unit": unit, "to": url_for(endpoint), "how": how}
