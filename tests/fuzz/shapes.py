"""Replies to flexmail's own mail in the shapes that clients give them, from their three parts.

All text is our own. Every shape approves when its parts are right, which the tests make sure of.
"""

from __future__ import annotations

import base64
import html
import quopri
from collections.abc import Callable
from dataclasses import dataclass, replace

from flexmail.mail.compose import reply_body
from tests.fuzz.asked import notification, page
from tests.fuzz.judgement import BOB, MESSAGE_ID, REFERENCE

COMMENT = "Thanks, that looks good to me."


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a reply is right or altered. `senders` are whole header lines."""

    senders: tuple[str, ...] = (f"From: Bob <{BOB}>",)
    reference: str = REFERENCE
    message_id: str = ""
    decision: str = "Approve"


@dataclass(frozen=True, slots=True)
class Carriage:
    """How the text travels."""

    encoding: str = "8bit"
    charset: str = "utf-8"
    line_end: str = "\r\n"


Body = tuple[str, str]
"""The kind of a text, and the text."""
Shape = Callable[[Parts], list[Body]]


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def plain_above_a_quote(parts: Parts) -> list[Body]:
    history = _quoted(notification(parts.reference))
    text = f"{parts.decision}\n{COMMENT}\n\nOn Mon, 2 Nov 2026 at 09:00, FM wrote:\n{history}\n"
    return [("plain", text)]


def plain_above_unmarked_history(parts: Parts) -> list[Body]:
    head = "-----Original Message-----\nFrom: Approvals\nSent: Monday\nTo: Bob\nSubject: Deploy\n"
    return [("plain", f"{parts.decision}\n\n{head}\n{notification(parts.reference)}")]


def plain_below_a_quote(parts: Parts) -> list[Body]:
    return [("plain", f"{_quoted(notification(parts.reference))}\n\n{parts.decision}\n")]


def plain_below_a_greeting(parts: Parts) -> list[Body]:
    history = _quoted(notification(parts.reference))
    return [("plain", f"Hello Ada,\n\n{parts.decision}\n\n{COMMENT}\n\n{history}\n")]


def a_link_filled_in(parts: Parts) -> list[Body]:
    return [("plain", reply_body(parts.decision, parts.reference))]


def no_history(parts: Parts) -> list[Body]:
    return [("plain", f"{parts.decision}\n\n-- \nBob\n")]


def html_above_a_quote(parts: Parts) -> list[Body]:
    history = page(parts.reference)
    return [
        (
            "html",
            f"<div>{_lines(parts.decision)}</div><div>{COMMENT}</div><br><div class="
            f'"gmail_quote">On Mon, FM wrote:<blockquote>{history}</blockquote></div>',
        )
    ]


def html_above_a_heading(parts: Parts) -> list[Body]:
    head = "<b>From:</b> Approvals<br><b>Sent:</b> Monday<br><b>To:</b> Bob<br><b>Subject:</b> x"
    own = f"<p>{_lines(parts.decision)}</p><p>{COMMENT}</p>"
    return [("html", f"<html><body>{own}<hr><p>{head}</p>{page(parts.reference)}</body></html>")]


def html_in_a_blockquote(parts: Parts) -> list[Body]:
    own = f"<p>{_lines(parts.decision)}</p>"
    return [("html", f'{own}<blockquote type="cite">{page(parts.reference)}</blockquote>')]


def both(parts: Parts) -> list[Body]:
    return plain_above_a_quote(parts) + html_above_a_quote(parts)


SHAPES: tuple[Shape, ...] = (
    plain_above_a_quote,
    plain_above_unmarked_history,
    plain_below_a_quote,
    plain_below_a_greeting,
    a_link_filled_in,
    html_above_a_quote,
    html_above_a_heading,
    html_in_a_blockquote,
    both,
    no_history,
)
CARRIAGES = tuple(
    Carriage(encoding, charset, line_end)
    for encoding in ("8bit", "quoted-printable", "base64")
    for charset in ("utf-8", "utf-16")
    for line_end in ("\r\n", "\n")
    if charset == "utf-8" or encoding == "base64"
)


def right(shape: Shape) -> Parts:
    """Return parts that approve in this shape: without history a header names what is answered."""
    return replace(Parts(), message_id=MESSAGE_ID) if shape is no_history else Parts()


def mail(shape: Shape, parts: Parts, carriage: Carriage) -> bytes:
    """Return the bytes of a reply."""
    headers = [
        *parts.senders,
        "To: approvals@corp.test",
        "Subject: Re: Approval requested: Deploy billing 4.2 [FM #1]",
        "Date: Mon, 02 Nov 2026 09:05:00 +0000",
        "Message-ID: <answer@client.test>",
        "MIME-Version: 1.0",
    ]
    if parts.message_id:
        headers.append(f"In-Reply-To: {parts.message_id}")
    end = carriage.line_end.encode()
    bodies = [_leaf(kind, text, carriage) for kind, text in shape(parts)]
    if len(bodies) == 1:
        rest = bodies[0]
    else:
        pieces = [b"--b" + end + body + end for body in bodies]
        rest = (
            b"Content-Type: multipart/alternative; boundary=b"
            + end * 2
            + b"".join(pieces)
            + b"--b--"
            + end
        )
    head = carriage.line_end.join(headers).encode("utf-8", "surrogatepass")
    return head + end + rest


def _leaf(kind: str, text: str, carriage: Carriage) -> bytes:
    end = carriage.line_end
    raw = text.replace("\n", end).encode(carriage.charset, "replace")
    if carriage.encoding == "base64":
        raw = base64.encodebytes(raw).replace(b"\n", end.encode())
    elif carriage.encoding == "quoted-printable":
        raw = quopri.encodestring(text.encode(carriage.charset, "replace"))
        raw = raw.replace(b"\n", end.encode())
    head = (
        f"Content-Type: text/{kind}; charset={carriage.charset}{end}"
        f"Content-Transfer-Encoding: {carriage.encoding}{end}{end}"
    )
    return head.encode() + raw
