"""Who is no person: the signs of automatic mail, of bounces, and of our own mail.

Each sign is enough by itself and is never weighed; list headers are no sign. RFC 3464, 3834.
"""

from __future__ import annotations

import re

from flexmail.mail.address import Mailbox
from flexmail.mail.bounded import Part

_ROBOT_NAMES = ("mailerdaemon", "maildeliverys", "noreply", "donotreply")
_SUPPRESS = frozenset({"all", "oof", "autoreply"})
_REPORTS = frozenset(
    f"message/{kind}" for kind in ("delivery-status", "disposition-notification", "feedback-report")
)
_SHOWN = 60


def robot_name(from_values: tuple[str, ...], author: Mailbox | None) -> str:
    """Return the name of a machine that the From line gives, or nothing."""
    if author:
        names = [author.addr_spec.rpartition("@")[0], author.display_name]
    else:
        names = re.split(r'[\s<>"@,]+', " ".join(from_values)[:998])
    for name in names:
        letters = re.sub(r"[-._\s]", "", name.lower())
        if letters.startswith(_ROBOT_NAMES) or letters == "postmaster":
            return name.lower()
    return ""


def bounce(message: Part, leaves: list[Part], robot: str) -> str:
    """Return why this is a bounce, or nothing."""
    kinds = {leaf.get_content_type() for leaf in leaves}
    if "message/delivery-status" in kinds or "X-Failed-Recipients" in message:
        return "a delivery report"
    if message.get_content_type() == "multipart/report":
        kind = message.parameter("report-type").lower()
        return "a delivery report" if kind in {"", "delivery-status"} else ""
    if robot.startswith("mail") and _null_return_path(message):
        return "no return address, and from the mail system"
    return ""


def _null_return_path(message: Part) -> bool:
    return any(not value.strip("<> ") for value in message.all("Return-Path"))


def automatic(message: Part, leaves: list[Part], robot: str) -> str:
    """Return the first sign that no person sent this, or nothing."""
    for name in ("Auto-Submitted", "X-Autoreply", "X-Autorespond"):
        for value in message.all(name):
            if re.split(r"[;(\s]", value.lower(), maxsplit=1)[0] != "no":
                return f"{name}: {value[:_SHOWN]}"
    for value in message.all("Precedence"):
        if value.lower().replace("-", "_") in {"bulk", "junk", "auto_reply"}:
            return f"Precedence: {value[:_SHOWN]}"
    for value in message.all("X-Auto-Response-Suppress"):
        if _SUPPRESS.intersection(re.split(r"[\s,;]+", value.lower())):
            return f"X-Auto-Response-Suppress: {value[:_SHOWN]}"
    if _null_return_path(message):
        return "Return-Path: <>"
    if message.get_content_type() == "multipart/report":
        return "Content-Type: multipart/report"
    if any(leaf.get_content_type() in _REPORTS for leaf in leaves):
        return "it holds a report"
    return f"From: {robot}" if robot else ""


def own_mark(message: Part) -> str:
    """Return the kind that our own mail carries in X-Flexmail, or nothing."""
    if "X-Flexmail" not in message:
        return ""
    return "".join(re.findall(r"[\w.-]", message.first("X-Flexmail")[:_SHOWN])) or "unknown"
