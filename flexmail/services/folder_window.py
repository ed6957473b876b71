"""Look at the oldest mails of the folder: which are open, which were settled by an earlier run."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import select

from flexmail.db import db
from flexmail.errors import MailServerError
from flexmail.models import Reply
from flexmail.services.reply_run import Run
from flexmail.transport.imap import Fetched, Folder, Listed

_MAX_WINDOW = 5000
_NOTHING = hashlib.sha256().hexdigest()
_BATCH, _BATCH_BYTES = 30, 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Window:
    """Mails in the folder, oldest first.

    `open` want an outcome; `tried` are the UIDs among them whose earlier try did not end: they come
    last, for they may take their time again, but one of them is within reach of every run.
    `withheld` are UIDs that the server did not hand over then.
    `leftovers` have an outcome and were not deleted yet, with the digests they had. `left_alone`
    will never be taken: the server keeps what we deleted, or another client marked it deleted.
    """

    open: list[Listed]
    tried: frozenset[int]
    withheld: frozenset[int]
    leftovers: dict[int, frozenset[str]]
    left_alone: frozenset[int]


def look(folder: Folder, run: Run) -> Window:
    """List the oldest mails, and more of them until as many as may be taken are open.

    What another client marked deleted is left alone; what the server keeps although it was told to
    delete it counts as gone.
    """
    limit = run.settings.email_reply_process_count
    while True:
        listed = folder.oldest(limit)
        window = _sort(listed, _known(folder, run, listed), run)
        enough = len(window.open) >= run.settings.email_reply_process_count
        if enough or len(listed) < limit or limit >= _MAX_WINDOW:
            return window
        limit *= 4


def _known(folder: Folder, run: Run, listed: list[Listed]) -> dict[int, list[Reply]]:
    rows = select(Reply).where(run.rows(folder, [mail.uid for mail in listed]))
    known: dict[int, list[Reply]] = defaultdict(list)
    for row in db.session.scalars(rows):
        known[row.uid].append(row)
        db.session.expunge(row)
    db.session.rollback()  # no transaction is open while the network is used
    return known


def _sort(listed: list[Listed], known: dict[int, list[Reply]], run: Run) -> Window:
    settled = {uid for uid, rows in known.items() if any(row.outcome for row in rows)}
    kept = {uid for uid in settled if any(row.kept_by_server for row in known[uid])}
    others = {mail.uid for mail in listed if "\\Deleted" in mail.flags} - settled
    tried = frozenset(uid for uid in known if uid not in settled)
    wanted = [mail for mail in listed if mail.uid not in settled | others]
    again = [mail for mail in wanted if mail.uid in tried]
    fresh = [mail for mail in wanted if mail.uid not in tried]
    at = run.settings.email_reply_process_count - 1
    return Window(
        open=[*fresh[:at], *again[:1], *fresh[at:], *again[1:]],
        tried=tried,
        withheld=frozenset(uid for uid in tried if known[uid][0].sha256 == _NOTHING),
        leftovers={
            mail.uid: frozenset(row.sha256 for row in known[mail.uid] if row.outcome)
            for mail in listed
            if mail.uid in settled - kept
        },
        left_alone=frozenset(kept | others),
    )


def batches(
    mails: Iterator[Fetched], tried: frozenset[int], *, seconds: float
) -> Iterator[list[Fetched]]:
    """Group mails for one commit; one that was tried before goes alone, to endanger no other.

    What took `seconds` to read waits for no more: on a slow line all would come to nothing.
    """
    batch: list[Fetched] = []
    began = monotonic()
    lost: MailServerError | None = None
    while True:
        try:
            mail = next(mails)
        except StopIteration:
            break
        except MailServerError as error:
            lost = error
            break
        if mail.uid in tried:
            yield [mail]
            continue
        batch.append(mail)
        full = len(batch) >= _BATCH or sum(len(mail.raw) for mail in batch) >= _BATCH_BYTES
        if full or monotonic() - began > seconds:
            yield batch
            batch, began = [], monotonic()
    if batch:
        yield batch  # what came before a connection was lost is not lost with it
    if lost:
        raise lost
