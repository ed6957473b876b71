"""What became of each mail, for people: lists, one mail, and its text without open references."""

from __future__ import annotations

import quopri
import re
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from flexmail.db import db, transaction
from flexmail.errors import NotFound
from flexmail.mail.reference import mask, mask_bytes
from flexmail.models import Reply
from flexmail.services import kept_mail, settings
from flexmail.services.paging import Page, page_of

_CODING = re.compile(rb"^(?:MIME-Version|Content-[^:\s]*)(?=[ \t]*:)", re.IGNORECASE | re.MULTILINE)
_TEXT = (
    b"MIME-Version: 1.0",
    b"Content-Type: text/plain; charset=utf-8",
    b"Content-Transfer-Encoding: quoted-printable",
)


def listing(
    *, outcome: str | None = None, cursor: str | None = None, limit: int = 50
) -> Page[Reply]:
    """Return one page of mails that have an outcome, the newest first."""
    wanted = select(Reply).where(Reply.outcome.is_not(None))
    if outcome:
        wanted = wanted.where(Reply.outcome == outcome)
    return page_of(wanted, Reply.id, cursor=cursor, limit=limit)


def get(reply_id: int) -> Reply:
    """Return one mail, its raw copy loaded.

    Raises:
        NotFound
    """
    wanted = select(Reply).where(Reply.id == reply_id).options(undefer(Reply.sealed_raw))
    reply = db.session.scalar(wanted)
    if reply is None or reply.outcome is None:
        raise NotFound(f"There is no processed mail {reply_id}.")
    return reply


def by_ids(reply_ids: list[int]) -> list[Reply]:
    """Return the mails of a run, in its order."""
    rows = db.session.scalars(select(Reply).where(Reply.id.in_(reply_ids)))
    return sorted(rows, key=lambda row: reply_ids.index(row.id))


def shown_text(reply: Reply) -> str:
    """Return the mail as text for people, "" when no copy is kept; references are masked.

    This is the source as it came, unless a reference could hide from the mask in it: then it is the
    header block and the decoded text. What cannot be masked is left out, and the text says so. What
    broke its reader is not decoded again.

    Raises:
        SecretUnreadable: no key opens the copy.
    """
    raw = kept_mail.raw_of(reply)
    header, rest, decoded = _opened(reply, raw)
    text = header + (rest if decoded is None else b"\n\n" + decoded.encode("utf-8", "replace"))
    return mask(text.decode("utf-8", "replace").replace("\r\n", "\n"))


def saved_copy(reply: Reply) -> bytes:
    """Return the mail as a file, b"" when no copy is kept; references are masked.

    It holds what `shown_text` shows. Where that is the source, nothing in it moves; where it is the
    decoded text, the headers that said how the body was coded are kept under another name.

    Raises:
        SecretUnreadable: no key opens the copy.
    """
    raw = kept_mail.raw_of(reply)
    header, rest, decoded = _opened(reply, raw)
    if decoded is None:
        return mask_bytes(header + rest)
    header = _CODING.sub(rb"X-Original-\g<0>", mask_bytes(header))
    text = quopri.encodestring(decoded.encode("utf-8", "replace"))
    return b"\r\n".join([header, *_TEXT, b"", text.replace(b"\n", b"\r\n")])


def missing(reply: Reply) -> str:
    """Say which part of a mail is kept, "" where that is all of it or nothing."""
    raw = kept_mail.raw_of(reply)
    if not raw or not reply.raw_partial:
        return ""
    return f"the first {_size(len(raw))} of {_size(reply.size_bytes)}: attachments are cut off"


def _size(octets: int) -> str:
    if octets < 1 << 20:
        return f"{max(1, octets >> 10)} KB"
    return f"{octets / (1 << 20):.1f}".removesuffix(".0") + " MB"


def _opened(reply: Reply, raw: bytes) -> tuple[bytes, bytes, str | None]:
    """Return the header block and what follows it in the source, none of them masked yet, and the
    text that stands for the latter where a reference could hide, else nothing.
    """
    from flexmail.mail.html import visible_text  # these take a while, and lists show no text
    from flexmail.mail.masking import LEFT_OUT, hides, open_header
    from flexmail.mail.parse import parse

    header, rest = open_header(raw)
    encoded = b"base64" in raw.lower() or hides(mask_bytes(rest))
    if reply.outcome == "failed":
        unread = "(The text is not shown: reading this mail failed.)"
        return header, rest, unread if encoded else None
    parsed = parse(mask_bytes(raw), partial=reply.raw_partial)
    page = visible_text(parsed.html) if parsed.html else ""
    said = (parsed.plain or "", page, parsed.more_text, *map(visible_text, parsed.beside))
    if not encoded and all(mask(text) == text for text in said):
        return header, rest, None
    text = mask(parsed.plain or page)
    return header, rest, LEFT_OUT if hides(text) else text


def remove_old_copies(*, now: datetime) -> int:
    """Remove raw copies older than `keep_processed_days`, commit, and return how many.

    The row with outcome and reason stays.
    """
    before = now - timedelta(days=settings.load().keep_processed_days)
    with transaction():
        removed = db.session.scalars(
            update(Reply)
            .where(Reply.processed_at < before, Reply.sealed_raw.is_not(None))
            .values(sealed_raw=None)
            .returning(Reply.id)
        )
        return len(removed.all())
