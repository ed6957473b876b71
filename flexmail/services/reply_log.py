"""What became of each mail, for people: lists, one mail, and its text without open references."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from flexmail.db import db, transaction
from flexmail.errors import NotFound
from flexmail.mail.html import visible_text
from flexmail.mail.parse import parse
from flexmail.mail.reference import mask
from flexmail.models import Reply
from flexmail.services import inbox, settings
from flexmail.services.paging import Page, page_of


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

    This is the source as it came, unless a part in base64 could hide a reference from the mask:
    then it is the header block and the decoded text. What broke its reader is not decoded again.

    Raises:
        SecretUnreadable: no key opens the copy.
    """
    raw = inbox.raw_of(reply)
    if b"base64" not in raw.lower():
        return mask(raw.decode("utf-8", "replace").replace("\r\n", "\n"))
    header = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    if reply.outcome == "failed":
        return mask(f"{header}\n\n(The text is not shown: reading this mail failed.)")
    parsed = parse(raw, partial=reply.raw_partial)
    body = parsed.plain or (visible_text(parsed.html) if parsed.html else "")
    return mask(f"{header}\n\n{body}")


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
