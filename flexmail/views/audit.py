"""The audit log, to read."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from flexmail.errors import InvalidInput
from flexmail.models import AUDIT_ACTIONS
from flexmail.services import audit

pages = Blueprint("audit", __name__)


@pages.get("/audit")
def index() -> ResponseReturnValue:
    """List the newest first, all or those of one action."""
    action = request.args.get("action") or None
    if action and action not in AUDIT_ACTIONS:
        raise InvalidInput({"action": [f"Give one of: {', '.join(AUDIT_ACTIONS)}."]})
    page = audit.listing(action=action, cursor=request.args.get("cursor"))
    return render_template("audit/index.html", page=page, action=action, actions=AUDIT_ACTIONS)
