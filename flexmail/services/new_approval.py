"""What a caller asks for, and what of it can be wrong whoever asks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flexmail.errors import InvalidInput
from flexmail.mail.address import is_safe_header
from flexmail.mail.reference import find_references
from flexmail.services import callbacks
from flexmail.transport.webhook import MAX_URL

__all__ = ["MAX_URL", "NewApproval", "check"]

MAX_TITLE_CHARACTERS = 200
MAX_DETAILS_CHARACTERS = 20_000
MAX_APPROVERS = 100
MAX_CONTEXT_CHARACTERS = 20_000
MIN_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS = 60, 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class NewApproval:
    """What a caller asks for; `approvers` are account addresses or `group:NAME`."""

    title: str
    approvers: tuple[str, ...]
    details: str = ""
    rule: str = "any"
    expires_in: int | None = None
    link: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    submitter: str = ""
    comment_required: bool = False
    mail_decision: str = "allow"
    callback_url: str = ""


def check(wanted: NewApproval) -> None:
    """Look at everything that needs no database.

    Raises:
        InvalidInput: by field.
    """
    errors: dict[str, list[str]] = {}
    if not wanted.title.strip() or len(wanted.title) > MAX_TITLE_CHARACTERS:
        errors["title"] = [f"Give a title of 1 to {MAX_TITLE_CHARACTERS} characters."]
    elif not is_safe_header(wanted.title):
        errors["title"] = ["A title is one line, without control characters."]
    in_one_line = re.sub(r"[\t\r\n]", " ", wanted.details)
    if len(wanted.details) > MAX_DETAILS_CHARACTERS or not is_safe_header(in_one_line):
        errors["details"] = [
            f"Details are text of at most {MAX_DETAILS_CHARACTERS} characters,"
            " without control characters."
        ]
    if not 1 <= len(wanted.approvers) <= MAX_APPROVERS:
        errors["approvers"] = [f"Name 1 to {MAX_APPROVERS} approvers."]
    if wanted.rule != "any":
        errors["rule"] = ["Give any: the first decision ends the request."]
    seconds = wanted.expires_in
    if seconds is not None and not MIN_EXPIRY_SECONDS <= seconds <= MAX_EXPIRY_SECONDS:
        errors["expires_in"] = [f"Give {MIN_EXPIRY_SECONDS} to {MAX_EXPIRY_SECONDS} seconds."]
    if wanted.link and not _is_web_address(wanted.link):
        errors["link"] = ["Give an address that begins with https:// or http://."]
    if not _is_json(wanted.context):
        errors["context"] = [f"Context is JSON of at most {MAX_CONTEXT_CHARACTERS} characters."]
    if len(wanted.submitter) > 254 or not is_safe_header(wanted.submitter):
        errors["submitter"] = ["Give one line of at most 254 characters."]
    if wanted.mail_decision not in ("allow", "reject_only"):
        errors["mail_decision"] = ["Give allow or reject_only."]
    fault = callbacks.fault_of(wanted.callback_url) if wanted.callback_url else ""
    if fault:
        errors["callback_url"] = [fault]
    for name in ("title", "details", "link", "submitter"):
        if find_references(getattr(wanted, name)):
            errors[name] = ["Leave out what looks like a reference of flexmail (FM-...)."]
    if errors:
        raise InvalidInput(errors)


def _is_json(context: Mapping[str, Any]) -> bool:
    """Tell whether programs can be told it: no NaN, no half a character (RFC 8259, section 8)."""
    try:
        json.dumps(dict(context), ensure_ascii=False).encode()
        return len(json.dumps(dict(context), allow_nan=False)) <= MAX_CONTEXT_CHARACTERS
    except ValueError:
        return False


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and len(link) <= MAX_URL
        and is_safe_header(link)
        and " " not in link
    )
