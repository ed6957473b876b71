"""Choose what a run takes: replies to open requests first, and always a share of the oldest mail.

Also tells which mails were settled by an earlier run, and which are not flexmail's to take.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from flexmail.db import db, execute
from flexmail.models import Approval, Reply
from flexmail.services import withheld
from flexmail.services.folder_memory import Memory
from flexmail.services.reply_run import THESE, Run
from flexmail.transport.imap import Folder, Listed

_PENDING = select(Approval.id).where(Approval.status == "pending")
# A server that numbers without memory gives a mail that was put back its old UID.
_KNOWN = select(Reply.uid, Reply.sha256, Reply.outcome, Reply.kept_by_server, Reply.retry_at).where(
    THESE, Reply.restored_at.is_(None)
)
_MAX_WINDOW = 5000
"""Mails that want nothing and are passed over in one run, or a few more; the next goes on there."""
_MORE = 30
"""Replies to open requests that are listed beyond the count, for some may be gone."""


@dataclass(frozen=True, slots=True)
class Window:
    """Mails in the folder, in the order in which they are taken.

    `open` want an outcome; `tried` are the UIDs among them whose earlier try did not end: they come
    last, for they may take their time again, but one of them is within reach of every run.
    `withheld` are UIDs among those that the server did not hand over when they were asked for.
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
    skip = max(below, folder.position_of(*memory.passed_over) if memory.passed_over[0] else 0)
    if folder.exists - below > count or memory.scanned_uid < memory.mark - 1:
        from flexmail.services import folder_scan  # takes a while to load, and few runs need it

        folder_scan.scan(folder, run, memory)
    due, waiting = withheld.known(folder, run)
    again = due[: max(1, count // 4)]  # what the server may refuse once more is the least of it
    waiting.update(due[len(again) :])
    promising = _promising(memory, waiting)
    others = sorted(memory.answers() - promising.keys() - waiting)
    first = [*again, *[uid for uid in (*promising, *others) if uid not in again][: count + _MORE]]
    asked = set(first)
    complete = memory.answers() <= asked
    answers: list[Listed] | None = None
    while True:
        oldest = folder.oldest(limit, skip=skip)
        answers = _still_there(folder, first, oldest, memory) if answers is None else answers
        listed = [*answers, *(m for m in oldest if m.uid not in asked and m.uid not in waiting)]
        window = _sort(listed, _known(folder, run, listed), run, memory, promising)
        sure = [mail.uid for mail in window.open if mail.uid not in window.withheld]
        rest = sum(uid not in promising for uid in sure)
        unlisted = max(0, folder.exists - below - len(memory.answers()))
        enough = len(sure) >= count and rest >= min(_share(count, memory.turn), unlisted)
        if enough or len(oldest) < limit or limit >= _MAX_WINDOW:
            break
        limit *= 4
    if not enough:
        at_end = not oldest or skip + limit >= folder.exists
        memory.pass_over(*((0, 0) if at_end else (oldest[-1].uid, skip + limit)))
    withheld.forget(folder, run, set(again) - {mail.uid for mail in window.open})
    memory.forget({uid for uid in window.left_alone if uid >= memory.mark})
    memory.take_turns(between=count == 1 and 0 < rest < len(sure))
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


def _promising(memory: Memory, waiting: set[int]) -> dict[int, int]:
    """Return the places of the mails that answer an open request: threads before tags, by age.

    Mails whose request was closed meanwhile are mails like any others.
    """
    asked = memory.answers()
    is_open = set(execute(_PENDING).scalars()) if asked else set()
    db.session.rollback()  # no transaction is open while the network is used
    kinds = (memory.threaded, memory.tagged)
    uids = [uid for kind in kinds for uid in sorted(kind) if kind[uid] in is_open]
    memory.forget({uid for uid in asked.difference(uids) if uid >= memory.mark})
    return {uid: place for place, uid in enumerate(uids) if uid not in waiting}


def _still_there(
    folder: Folder, wanted: list[int], oldest: list[Listed], memory: Memory
) -> list[Listed]:
    """List the wanted mails in their order, and forget those that are gone."""
    listed = {mail.uid: mail for mail in oldest}
    listed |= {mail.uid: mail for mail in folder.some([u for u in wanted if u not in listed])}
    memory.forget([uid for uid in wanted if uid not in listed])
    return [listed[uid] for uid in wanted if uid in listed]


def _known(folder: Folder, run: Run, listed: list[Listed]) -> dict[int, list[Row[Any]]]:
    known: dict[int, list[Row[Any]]] = defaultdict(list)
    uids = [mail.uid for mail in listed]
    for row in execute(_KNOWN, **run.identity(folder), uids=uids) if uids else ():
        known[row.uid].append(row)
    db.session.rollback()  # no transaction is open while the network is used
    return known


def _sort(
    listed: list[Listed],
    known: dict[int, list[Row[Any]]],
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
    refused = frozenset(uid for uid in tried if any(map(withheld.is_about, known[uid])))
    again = sorted((m for m in wanted if m.uid in tried), key=lambda m: m.uid in refused)
    fresh = [mail for mail in wanted if mail.uid not in tried]
    count = run.settings.email_reply_process_count
    fresh = arrange(
        sorted((m for m in fresh if m.uid in promising), key=lambda m: promising[m.uid]),
        sorted((m for m in fresh if m.uid not in promising), key=lambda m: m.uid),
        count=count,
        turn=memory.turn,
    )
    at = count - 1
    if not at and again and again[0].uid in refused:
        at = len(fresh)  # the only place there is goes to a mail that can be read
    return Window(
        open=[*fresh[:at], *again[:1], *fresh[at:], *again[1:]],
        tried=tried,
        withheld=refused,
        leftovers={
            mail.uid: frozenset(row.sha256 for row in known[mail.uid] if row.outcome)
            for mail in listed
            if mail.uid in settled - kept
        },
        left_alone=frozenset(kept | others),
    )
