"""Choose what a run takes: replies to open requests first, and always a share of the oldest mail.

Also tells which mails were settled by an earlier run, and which are not flexmail's to take.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import select

from flexmail.db import db
from flexmail.errors import MailServerError
from flexmail.models import Approval, Reply
from flexmail.services import folder_scan
from flexmail.services.folder_memory import Memory
from flexmail.services.reply_run import Run
from flexmail.transport.imap import Fetched, Folder, Listed

_MAX_WINDOW = 5000
_NOTHING = hashlib.sha256().hexdigest()
_BATCH, _BATCH_BYTES = 30, 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Window:
    """Mails in the folder, in the order in which they are taken.

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


def look(folder: Folder, run: Run, memory: Memory) -> Window:
    """List replies to open requests and the oldest mails, until as many as may be taken are open.

    Headers are looked at where there are more mails than a run takes. What another client marked
    deleted is left alone; what the server keeps although it was told to delete it counts as gone.
    """
    count = limit = run.settings.email_reply_process_count
    below = folder.position_of(memory.mark - 1, memory.held["below"]) if memory.mark else 0
    if folder.exists - below > count or memory.scanned_uid < memory.mark - 1:
        folder_scan.scan(folder, run, memory)
    promising = _promising(memory)
    first = [*promising, *sorted(memory.answers() - promising.keys())][: count + _BATCH]
    asked = set(first)
    complete = memory.answers() <= asked
    answers: list[Listed] | None = None
    while True:
        oldest = folder.oldest(limit, skip=below)
        answers = _still_there(folder, first, oldest, memory) if answers is None else answers
        listed = [*answers, *(mail for mail in oldest if mail.uid not in asked)]
        window = _sort(listed, _known(folder, run, listed), run, memory, promising)
        rest = sum(mail.uid not in promising for mail in window.open)
        others = max(0, folder.exists - below - len(memory.answers()))
        enough = len(window.open) >= count and rest >= min(_share(count, memory.turn), others)
        if enough or len(oldest) < limit or limit >= _MAX_WINDOW:
            break
        limit *= 4
    memory.forget({uid for uid in window.left_alone if uid >= memory.mark})
    memory.take_turns(between=count == 1 and 0 < rest < len(window.open))
    memory.count_held(below, sure=complete)
    return window


def arrange(
    promising: list[Listed], rest: list[Listed], *, count: int, turn: int = 0
) -> list[Listed]:
    """Put promising mails first, but keep a share of the first `count` places for the rest.

    So neither starves: not a reply behind ten thousand others, and no old mail behind a flood of
    forged tags. Where there is but one place they take turns.
    """
    places = max(count - _share(count, turn), count - len(rest))
    return [*promising[:places], *rest, *promising[places:]]


def _share(count: int, turn: int) -> int:
    return max(1, count // 4) if count > 1 else turn


def _promising(memory: Memory) -> dict[int, int]:
    """Return the places of the mails that answer an open request: threads before tags, by age.

    Mails whose request was closed meanwhile are mails like any others.
    """
    asked = memory.answers()
    pending = select(Approval.id).where(Approval.status == "pending")
    is_open = set(db.session.scalars(pending)) if asked else set()
    db.session.rollback()  # no transaction is open while the network is used
    kinds = (memory.threaded, memory.tagged)
    uids = [uid for kind in kinds for uid in sorted(kind) if kind[uid] in is_open]
    memory.forget({uid for uid in asked.difference(uids) if uid >= memory.mark})
    return {uid: place for place, uid in enumerate(uids)}


def _still_there(
    folder: Folder, wanted: list[int], oldest: list[Listed], memory: Memory
) -> list[Listed]:
    """List the wanted mails in their order, and forget those that are gone."""
    listed = {mail.uid: mail for mail in oldest}
    listed |= {mail.uid: mail for mail in folder.some([u for u in wanted if u not in listed])}
    memory.forget([uid for uid in wanted if uid not in listed])
    return [listed[uid] for uid in wanted if uid in listed]


def _known(folder: Folder, run: Run, listed: list[Listed]) -> dict[int, list[Reply]]:
    # A server that numbers without memory gives a mail that was put back its old UID.
    rows = select(Reply).where(
        run.rows(folder, [mail.uid for mail in listed]), Reply.restored_at.is_(None)
    )
    known: dict[int, list[Reply]] = defaultdict(list)
    for row in db.session.scalars(rows):
        known[row.uid].append(row)
        db.session.expunge(row)
    db.session.rollback()  # no transaction is open while the network is used
    return known


def _sort(
    listed: list[Listed],
    known: dict[int, list[Reply]],
    run: Run,
    memory: Memory,
    promising: dict[int, int],
) -> Window:
    settled = {uid for uid, rows in known.items() if any(row.outcome for row in rows)}
    kept = {uid for uid in settled if any(row.kept_by_server for row in known[uid])}
    others = {mail.uid for mail in listed if "\\Deleted" in mail.flags} - settled
    tried = frozenset(uid for uid in known if uid not in settled)
    wanted = [
        mail for mail in listed if mail.uid not in settled | others and not memory.holds(mail.uid)
    ]
    again = [mail for mail in wanted if mail.uid in tried]
    fresh = [mail for mail in wanted if mail.uid not in tried]
    count = run.settings.email_reply_process_count
    fresh = arrange(
        sorted((m for m in fresh if m.uid in promising), key=lambda m: promising[m.uid]),
        sorted((m for m in fresh if m.uid not in promising), key=lambda m: m.uid),
        count=count,
        turn=memory.turn,
    )
    at = count - 1
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
