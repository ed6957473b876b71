"""What a delivery report says of a mail that was sent: to whom, what became of it, and why.

Reads RFC 3464, also as broken as servers send it, and the bounces that are plain text (Exim,
qmail). Each value is a claim of whoever wrote the report. Never raises. RFC 3462, 3463, 3464, 6533.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from flexmail.mail.address import MAX_ADDRESS, decode_text
from flexmail.mail.bounded import Part
from flexmail.mail.reference import find_own_message_ids, mask

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

MAX_REPORTS = 20
MAX_TEXT = 64 << 10
MAX_DIAGNOSTIC = 200

STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED_KINDS = frozenset(
    {"text/rfc822", "text/rfc822-headers", "message/rfc822", "message/rfc822-headers"}
    | {"message/global", "message/global-headers"}
)
_ACTIONS = frozenset(get_args(Action))
_BY_CLASS: dict[str, Action] = {"2": "delivered", "4": "delayed", "5": "failed"}
_FIELD = re.compile(r"^([A-Za-z-]{1,40})[ \t]*:[ \t]*(.*)$", re.MULTILINE)
_ONCE = frozenset({"action", "status", "final-recipient"})
_KNOWN = _ONCE | {"original-recipient", "diagnostic-code"}

# The subject of a code ends at 7: a version or an address is none.
_CODE = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?![\d.]*\d)")
_REPLY_CODE = re.compile(r"(?<![\d.])([45]\d\d)[ -]")
_DELAY = re.compile(
    r"delayed|not yet (?:been )?delivered|(?:still|continue) (?:to )?try|will retry"
)
_RETURNED = re.compile(
    r"[>\s]*(?:return-path|received|message-id|from|to|subject|date|mime-version)\s{0,9}:"
    r"|-{3,9}.*(?:copy of|original message|headers)",
    re.IGNORECASE,
)
_SEEN_LINES, _SEEN_CHARACTERS = 200, 1000
_MEANINGS = {
    "1.1": "there is no such mailbox",
    "1.2": "there is no such mail domain",
    "1.10": "there is no such mailbox",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "4.1": "the mail server does not answer",
    "4.7": "the mail could not be delivered in time",
    "7.1": "the mail server does not allow it",
}


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a mail for one recipient; `message_ids` are ours, as far as returned."""

    recipient: str
    action: Action
    status_code: str
    diagnostic: str
    message_ids: tuple[str, ...] = field(default=(), repr=False)


def read_reports(leaves: list[Part], rest: str = "") -> tuple[DeliveryReport, ...]:
    """Return what a mail of a mail system reports, one value a recipient, 20 at the most.

    Args:
        leaves: the parts of the mail that hold content.
        rest: the source of a body that was too much to parse.
    """
    text = "\n".join([*(_source(leaf) for leaf in leaves if _is_text(leaf)), rest[:MAX_TEXT]])
    returned = "\n".join(_head(leaf) for leaf in leaves if _kind(leaf) in _RETURNED_KINDS)
    message_ids = find_own_message_ids(returned) or find_own_message_ids(text)
    status = "\n".join(_source(leaf) for leaf in leaves if _kind(leaf) in STATUS_KINDS)
    groups = _groups(status) or _groups(text)
    reports = tuple(report for group in groups if (report := _report(group, message_ids)))
    if reports or not message_ids:
        return reports
    return (_in_plain_words(text, message_ids),)


def status_code_in(answer: str) -> str:
    """Return the enhanced code after the code of a server's answer, or nothing (RFC 2034)."""
    reply_code = _REPLY_CODE.search(answer)
    code = _CODE.match(answer, reply_code.end()) if reply_code else None
    return code[1] if code else ""


def _code_in(text: str) -> str:
    code = _CODE.search(text)
    return code[1] if code else ""


def _kind(leaf: Part) -> str:
    return leaf.get_content_type()


def _is_text(leaf: Part) -> bool:
    # A multipart among the leaves is one whose boundary never comes.
    return _kind(leaf).startswith(("text/", "multipart/")) and _kind(leaf) not in _RETURNED_KINDS


def _source(part: Part) -> str:
    """Return the content as text, also of what the parser took for headers."""
    if part.children:
        text = "\n\n".join(f"{_headers(child)}\n\n{_source(child)}" for child in part.children[:50])
        if part.first("Content-Transfer-Encoding").lower() == "base64":  # which it must not be
            text = _base64(text) or text
        return text[:MAX_TEXT]
    raw = part.get_payload(decode=True)
    text = decode_text(raw[:MAX_TEXT], part.parameter("charset")) if isinstance(raw, bytes) else ""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _base64(text: str) -> str:
    try:
        return binascii.a2b_base64(text.encode("ascii", "replace")).decode("utf-8", "replace")
    except binascii.Error:
        return ""


def _headers(part: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in part.items())


def _head(leaf: Part) -> str:
    """Return the Message-ID lines of a returned mail; nothing that its text quotes."""
    source = _headers(leaf.children[0]) if leaf.children else ""
    source = source or re.split(r"\n[ \t]*\n", _source(leaf).strip(), maxsplit=1)[0]
    return "\n".join(value for name, value in _fields(source) if name == "message-id")


def _fields(text: str) -> list[tuple[str, str]]:
    unfolded = re.sub(r"\n[ \t]+(?=\S)", " ", text)
    return [(match[1].lower(), match[2]) for match in _FIELD.finditer(unfolded)]


def _groups(text: str) -> list[dict[str, str]]:
    """Return the fields about each recipient; blank lines between them mean nothing here.

    Servers leave them out, double them, and put the fields in any order.
    """
    groups: list[dict[str, str]] = [{}]
    for name, value in _fields(text):
        if name in _ONCE and name in groups[-1]:
            if len(groups) == MAX_REPORTS:
                break
            groups.append({})
        if name in _KNOWN:
            groups[-1].setdefault(name, value)
    return [group for group in groups if "action" in group or "status" in group]


def _report(group: dict[str, str], message_ids: tuple[str, ...]) -> DeliveryReport | None:
    diagnostic = group.get("diagnostic-code", "")
    code = _code_in(group.get("status", "")) or _code_in(diagnostic)
    word = "".join(re.findall(r"^\W*([a-z]+)", group.get("action", "").lower()))
    action = cast(Action, word) if word in _ACTIONS else _BY_CLASS.get(code[:1])
    if action is None:
        return None
    recipient = group.get("final-recipient") or group.get("original-recipient", "")
    shown = mask(_one_line(recipient.rpartition(";")[2])).strip('<> "')[:MAX_ADDRESS]
    return DeliveryReport(shown, action, code, _in_words(diagnostic, code), message_ids)


def _in_plain_words(text: str, message_ids: tuple[str, ...]) -> DeliveryReport:
    """Read a bounce for people: the first line above the returned mail that holds a code."""
    lines = [line[:_SEEN_CHARACTERS] for line in text.split("\n")[:_SEEN_LINES]]
    end = next((at for at, line in enumerate(lines) if _RETURNED.match(line)), len(lines))
    told = lines[:end]
    because = next((line for line in told if _CODE.search(line)), "") or next(
        (line for line in told if _REPLY_CODE.search(line)), ""
    )
    code = _code_in(because)
    said = " ".join(told).lower()
    delayed = _DELAY.search(said) and "permanent" not in said
    action: Action = "delayed" if delayed else "failed"
    return DeliveryReport("", action, code, _in_words(because, code), message_ids)


def _in_words(diagnostic: str, code: str) -> str:
    """Return what a server said, without the codes that it repeats on every line."""
    text = _one_line(re.sub(r"^\s*[A-Za-z0-9-]{1,20}\s*;", "", diagnostic))
    if reply_code := _REPLY_CODE.match(text):
        text = re.sub(rf"(?<!\S){reply_code[1]}[ -]", " ", text)
    if code:
        text = re.sub(rf"[(\[]?#?(?<![\d.]){re.escape(code)}(?!\.?\d)[)\]:]?", " ", text)
    text = mask(" ".join(text.split()).strip(" -:;"))[:MAX_DIAGNOSTIC]
    return text or _MEANINGS.get(code[2:], "")


def _one_line(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text[:2000])
    return " ".join(printable.split())
