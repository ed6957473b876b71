"""Write the mails that flexmail sends.

The same values give the same bytes, so that a retry sends what was stored. Nothing is cleaned:
a header value that could break out of its line is refused. RFC 2047, 3834, 5322, 6068, 6532.
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_qp, b2a_qp
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote

from flexmail.mail.address import Mailbox, is_safe_header, parse_mailbox

MARKER_ABOVE = "******* You may add a comment after the word on the line above. *******"
MARKER_BELOW = "******* Please do not change anything below this line. *******"

_LINE = 76
_MAX_PLAIN_WORD = 60
_MAX_WORD = 900
_SHORT = _MAX_WORD // 4
"""No text of so many letters has more bytes than a word may have."""
_OWN_BOUNDARY = re.compile(rb'boundary="(=_fm_[0-9a-f]{32})"')
_OWN_PART = re.compile(rb"Content-Type: text/(plain|html)")


@dataclass(frozen=True, slots=True)
class OutgoingContent:
    """What a mail says: one subject line, the text, and the same as HTML."""

    subject: str
    text: str
    html: str


def compose(
    *,
    sender: Mailbox,
    recipient: str,
    content: OutgoingContent,
    message_id: str,
    date: datetime,
    reply_to: str | None,
    in_reply_to: str | None,
    kind: str,
    unsubscribe: str = "",
) -> bytes:
    """Return the mail as it goes out: CRLF lines of at most 998 bytes, text and HTML.

    Args:
        date: aware; written with its own offset.
        in_reply_to: set for an answer to a mail, which RFC 3834 calls auto-replied.
        kind: our own mark (`X-Flexmail`), by which we know our mail again.
        unsubscribe: where such mail is stopped by a POST (RFC 8058), if anywhere.

    Raises:
        ValueError: a header with a line break or control character, no one address, no zone.
    """
    if date.tzinfo is None:
        raise ValueError("The date of a mail needs a time zone.")
    _safe("From", sender.display_name + sender.addr_spec)
    boundary = _boundary(message_id, content)
    headers = {
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
        "MIME-Version": "1.0",
        "From": str(sender),
        "To": _one_address(recipient),
        "Reply-To": reply_to and _one_address(reply_to),
        "Subject": _subject(content.subject),
        "Date": format_datetime(date),
        "Message-ID": message_id,
        "In-Reply-To": in_reply_to,
        "References": in_reply_to,
        "Auto-Submitted": "auto-replied" if in_reply_to else "auto-generated",
        "X-Auto-Response-Suppress": "All",
        **_stopped_at(unsubscribe),
        "X-Flexmail": kind,
    }
    written = {name: value or "" for name, value in headers.items() if value or name == "Subject"}
    return header_lines(written.items()) + b"\r\n" + _body(boundary, content)


def texts_of(mail: bytes) -> dict[str, str]:
    """Return the texts of a mail that `compose` made, `plain` and `html`; of no other mail."""
    texts: dict[str, str] = {}
    mark = _OWN_BOUNDARY.search(mail)
    for part in mail.split(b"--" + mark[1])[1:] if mark else ():
        head, _, content = part.partition(b"\r\n\r\n")
        if kind := _OWN_PART.search(head):
            text = a2b_qp(content.removesuffix(b"\r\n")).decode("utf-8")
            texts[kind[1].decode("ascii")] = text.replace("\r\n", "\n")
    return texts


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return header fields as they stand in a mail; others may stand below them.

    Raises:
        ValueError: for a value with a line break or control character.
    """
    return "".join(_field(name, value) for name, value in headers).encode()


def mailto(address: str, subject: str, body: str) -> str:
    """Return a link that opens a filled-in mail (RFC 6068); line breaks become %0D%0A."""
    lines = "\r\n".join(body.splitlines())
    return (
        f"mailto:{quote(parse_mailbox(address).addr_spec, safe='@')}"
        f"?subject={quote(_safe('subject', subject), safe='')}&body={quote(lines, safe='')}"
    )


def reply_body(word: str, reference: str) -> str:
    """Return the answer that a link fills in: the word, room for a comment, the reference."""
    return f"{word}\n\n{reference_block(reference)}"


def reference_block(reference: str) -> str:
    """Return the lines that our mail ends with and that a reply carries back."""
    return f"{MARKER_ABOVE}\n{MARKER_BELOW}\nReference: {reference}\n"


def _field(name: str, value: str) -> str:
    """Return a header as it stands in a mail; most are short and plain."""
    if value.isascii() and value.isprintable() and len(name) + len(value) <= _LINE - 2:
        return f"{name}: {value}\r\n"
    return _folded(name, _safe(name, value))


def _folded(name: str, value: str) -> str:
    """Return a header wrapped at spaces; an address may need UTF-8 (RFC 6532)."""
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1].encode()) + len(word.encode()) < _LINE or lines[-1] == f"{name}:":
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "".join(f"{line}\r\n" for line in lines)


def _safe(name: str, value: str) -> str:
    """Return the value as it stands in a header, or raise ValueError."""
    if not is_safe_header(value):
        raise ValueError(f"{name} must not hold line breaks or control characters.")
    if len(value) > _SHORT and any(len(w.encode()) > _MAX_WORD for w in value.split(" ")):
        raise ValueError(f"{name} holds a word that is too long for a line of mail.")
    return value


@lru_cache(maxsize=512)
def _one_address(text: str) -> str:
    return str(parse_mailbox(text))


def _subject(text: str) -> str:
    """Return the subject in ASCII, encoded where it would not survive wrapping as it is."""
    words = text.split(" ")
    plain = text.isascii() and "=?" not in text and all(0 < len(w) < _MAX_PLAIN_WORD for w in words)
    if plain or not text:
        return text
    if not is_safe_header(text):
        raise ValueError("Subject must not hold line breaks or control characters.")
    return " ".join(Header(text, "utf-8", maxlinelen=75, header_name="Subject").encode().split())


def _stopped_at(link: str) -> dict[str, str]:
    """Return the headers that name where such mail is stopped (RFC 2369, 8058), if anywhere."""
    if not link:
        return {}
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _body(boundary: str, content: OutgoingContent) -> bytes:
    mark = b"--" + boundary.encode()
    parts = (mark, _part("plain", content.text), mark, _part("html", content.html))
    return b"\r\n".join([*parts, mark + b"--\r\n"])


def _part(subtype: str, text: str) -> bytes:
    lines = "\n".join(text.replace("\r\n", "\n").split("\r")).encode()
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\n"
    head += "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")


def _boundary(message_id: str, content: OutgoingContent) -> str:
    parts = "\0".join((message_id, content.subject, content.text, content.html))
    return f"=_fm_{hashlib.sha256(parts.encode()).hexdigest()[:32]}"
