"""What a glance at a few header fields tells of a mail, before anybody reads it.

It decides which mails are read first and whom an old folder belongs to, and proves nothing: a
subject is anybody's to write. Reads 8 KiB at the most, by patterns that never go back; no parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from flexmail.mail.address import decode_words
from flexmail.mail.reference import find_own_message_ids

FIELDS = ("SUBJECT", "IN-REPLY-TO", "REFERENCES")
SENDER_FIELDS = ("FROM", "DATE")
"""What `sender_of` and `date_of` need besides."""

_MAX = 8 << 10
_MAX_SUBJECT = 2000
_MAX_TAGS = 10
_MAX_IDS = 20
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_TAG = re.compile(r"\[FM\s{1,3}#([1-9][0-9]{0,9})\]")
_ADDRESS = re.compile(rb"[!#-'*+./0-9=?A-Z^_`a-z{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Glance:
    """The Message-IDs of ours that a mail answers, and the approvals that its subject names."""

    message_ids: tuple[str, ...] = field(default=(), repr=False)
    tags: tuple[int, ...] = ()


def glance(head: bytes) -> Glance:
    """Look at header fields; most mail answers nothing of ours and is through in no time."""
    head = _FOLD.sub(b"", head[:_MAX])
    threads = b" ".join(_values(head, b"in-reply-to", b"references")) if b"<fm-" in head else b""
    return Glance(find_own_message_ids(threads.decode("latin-1"))[:_MAX_IDS], _tags(head))


def sender_of(head: bytes) -> str:
    """Return the address in From as somebody may be shown it, or nothing."""
    for value in _values(_FOLD.sub(b"", head[:_MAX]), b"from"):
        found = _ADDRESS.findall(value)
        if found:
            return str(found[-1].decode("ascii").lower())
    return ""


def date_of(head: bytes) -> datetime | None:
    """Return the moment in Date, aware, or None."""
    for value in _values(_FOLD.sub(b"", head[:_MAX]), b"date"):
        try:
            date = parsedate_to_datetime(value[:100].decode("latin-1").strip())
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _tags(head: bytes) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for value in _values(head, b"subject"):
        text = value[:_MAX_SUBJECT].decode("latin-1")
        for match in _TAG.finditer(decode_words(text) if "=?" in text else text):
            found[int(match[1])] = None
    return tuple(found)[:_MAX_TAGS]


def _values(head: bytes, *names: bytes) -> list[bytes]:
    lines = (line.partition(b":") for line in head.split(b"\n"))
    return [value for name, colon, value in lines if colon and name.strip().lower() in names]
