"""What a mail client makes of a mail: its text with links to press, and answers filled in.

The same that Bob's own client would do, so that what is sent is an ordinary mail: a `mailto:` link
opens a new one (RFC 6068), a reply quotes the history and names the mail it answers (RFC 5322).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parsedate_to_datetime
from urllib.parse import unquote

from flexmail.mail.parse import Parsed, parse

REPLY = "reply"
_LINK = re.compile(r"(?:mailto:|https?://)[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before it is sent; `label` is what to press for it."""

    label: str
    recipient: str
    subject: str
    body: str = field(repr=False)
    in_reply_to: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a mail's text; a link to a page, or one that opens the draft of this key."""

    text: str
    link: str = ""
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail as its reader sees it; `drafts` by key, the reply among them."""

    uid: int
    sender: str
    subject: str
    date: datetime | None
    pieces: tuple[Piece, ...] = field(repr=False)
    drafts: dict[str, Draft] = field(repr=False)


def show(uid: int, raw: bytes) -> Shown:
    """Read a mail."""
    parsed, headers = parse(raw), message_from_bytes(raw)
    text = (parsed.plain or "").strip()
    drafts: dict[str, Draft] = {}
    pieces, end = [], 0
    for found in _LINK.finditer(text):
        pieces.append(Piece(text[end : found.start()]))
        end = found.end()
        if found[0].startswith("mailto:"):
            key = str(len(drafts) + 1)
            drafts[key] = _filled_in(found[0])
            pieces.append(Piece(drafts[key].label, draft=key))
        else:
            pieces.append(Piece(found[0], link=found[0]))
    date = _date(headers)
    if parsed.author:
        recipient = str(headers["Reply-To"] or parsed.author.addr_spec)
        drafts[REPLY] = _reply(parsed, recipient, date, text)
    sender = " ".join(parsed.from_values)
    pieces.append(Piece(text[end:]))
    return Shown(uid, sender, parsed.subject, date, tuple(pieces), drafts)


def written(draft: Draft, *, sender: str, subject: str, body: str, now: datetime) -> EmailMessage:
    """Return the mail that a client sends once the draft has been edited.

    Raises:
        ValueError: the subject has more than one line.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, draft.recipient, subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(domain="demo.test")
    if draft.in_reply_to:
        mail["In-Reply-To"] = mail["References"] = draft.in_reply_to
    mail.set_content("\n".join(body.splitlines()) + "\n", cte="quoted-printable")
    return mail


def _filled_in(link: str) -> Draft:
    recipient, _, query = link.removeprefix("mailto:").partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    fields = {name.lower(): unquote(value) for name, _, value in pairs}
    body = fields.get("body", "").replace("\r\n", "\n")
    label = body.partition("\n")[0].strip()[:40] or "Answer"
    return Draft(label, unquote(recipient), fields.get("subject", ""), body)


def _reply(parsed: Parsed, recipient: str, date: datetime | None, text: str) -> Draft:
    again = parsed.subject[:3].lower() == "re:"
    on = f"On {date:%a, %d %b %Y at %H:%M}, " if date else ""
    quoted = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
    return Draft(
        label="Reply with history",
        recipient=recipient,
        subject=parsed.subject if again else f"Re: {parsed.subject}",
        body=f"\n\n{on}{' '.join(parsed.from_values)} wrote:\n\n{quoted}\n",
        in_reply_to=parsed.message_id,
    )


def _date(headers: Message) -> datetime | None:
    try:
        return parsedate_to_datetime(str(headers["Date"]))
    except ValueError:
        return None
