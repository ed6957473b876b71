"""Look at the headers of mails that nobody looked at yet, a few thousand a run and each one once.

What is found only says which mails come first, and which of an old folder are answers at all.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import TypeVar

from sqlalchemy import select

from flexmail.db import db
from flexmail.errors import Refused
from flexmail.mail.glance import FIELDS, SENDER_FIELDS, Glance, date_of, glance, sender_of
from flexmail.mail.reference import digest
from flexmail.models import Approval, ApprovalReference
from flexmail.services.folder_memory import Memory
from flexmail.services.reply_run import Run
from flexmail.transport.imap import Folder

log = logging.getLogger(__name__)

Key = TypeVar("Key", int, str)

WINDOW = 4000
"""Mails a run: behind 10,000 others a reply is found in the third."""

_SHARE_OF_RUN, _SHARE_OF_STEP = 0.25, 0.2
_FIRST_STEP, _MAX_STEP = 20, 500
_AT_ONCE = 500
_MAX_SENDERS = 20


@dataclass(slots=True)
class Survey:
    """Who the held mails are from, and since when: what an admin is shown."""

    now: datetime
    senders: Counter[str] = field(default_factory=Counter)
    oldest: datetime | None = None

    def add(self, heads: Iterable[bytes]) -> None:
        """Take in some more; a date that lies ahead is none."""
        for head in heads:
            self.senders[sender_of(head) or "unknown sender"] += 1
            date = date_of(head) or self.now
            if date < (self.oldest or self.now):
                self.oldest = date

    def summary(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "oldest": self.oldest.date().isoformat() if self.oldest else None,
            "senders": [list(pair) for pair in self.senders.most_common(_MAX_SENDERS)],
            "surveyed": self.senders.total(),
        }


def scan(folder: Folder, run: Run, memory: Memory) -> None:
    """Go on from where the last run stopped; a server that refuses stops no mail from being read.

    A slow line gets small steps, and no more than a part of the run's time.
    """
    try:
        _scan(folder, run, memory)
    except Refused as error:
        log.warning("replies: headers were not looked at: %s", error)


def _scan(folder: Folder, run: Run, memory: Memory) -> None:
    if memory.scanned_uid >= folder.uidnext - 1 > 0:
        return  # nothing came since
    surveys = bool(memory.mark) and not memory.scanned_uid
    fields = (*FIELDS, *SENDER_FIELDS) if surveys else FIELDS
    survey = Survey(run.now)
    at = position(folder, memory)
    end = min(folder.exists, at + WINDOW)
    step, began = _FIRST_STEP, monotonic()
    at_most = run.patience.run_seconds * _SHARE_OF_RUN
    while at < end and monotonic() - began < at_most and run.keep_going():
        started, last = monotonic(), min(at + step, end)
        heads = folder.headers(at + 1, last, fields)
        _remember(heads, memory)
        if surveys:
            survey.add(head for uid, head in heads.items() if memory.holds(uid))
        memory.passed(max(heads, default=memory.scanned_uid), last)
        speed = (last - at) / max(monotonic() - started, 0.001)
        step = max(1, min(_MAX_STEP, int(speed * run.patience.step_seconds * _SHARE_OF_STEP)))
        at = last
    if surveys:
        memory.held, memory.unsaved = memory.held | survey.summary(), True


def position(folder: Folder, memory: Memory) -> int:
    """Return how many mails of the folder were looked at already."""
    if not memory.scanned_uid:
        return 0
    return folder.position_of(memory.scanned_uid, memory.scanned_position)


def _remember(heads: dict[int, bytes], memory: Memory) -> None:
    """Keep the mails that answer an open request, and of those held the ones that answer any."""
    glances = {uid: glance(head) for uid, head in heads.items()}
    telling = {uid: found for uid, found in glances.items() if found.message_ids or found.tags}
    threads = dict(_threads(telling.values()))
    is_open = dict(_approvals(telling.values()))
    db.session.rollback()  # no transaction is open while the network is used
    for uid, found in telling.items():
        answered = [threads[key] for key in map(digest, found.message_ids) if key in threads]
        named = [(tag, is_open[tag]) for tag in found.tags if tag in is_open]
        choice = [*((*one, True) for one in answered), *((*one, False) for one in named)]
        choice.sort(key=lambda one: not one[1])  # what is open comes first, threads before tags
        if choice and (choice[0][1] or uid < memory.mark):
            approval_id, _, threaded = choice[0]
            memory.remember(uid, approval_id, threaded=threaded)


def _threads(glances: Iterable[Glance]) -> Iterator[tuple[str, tuple[int, bool]]]:
    """Yield the digests that are ours, each with its approval and whether that is open."""
    digests = {digest(message_id) for found in glances for message_id in found.message_ids}
    for some in _in_portions(digests):
        rows = (
            select(ApprovalReference.message_id_digest, Approval.id, Approval.status)
            .join(Approval, Approval.id == ApprovalReference.approval_id)
            .where(ApprovalReference.message_id_digest.in_(some))
        )
        for key, approval_id, status in db.session.execute(rows):
            yield key, (approval_id, status == "pending")


def _approvals(glances: Iterable[Glance]) -> Iterator[tuple[int, bool]]:
    """Yield the approvals that tags name, each with whether it is open."""
    tags = {tag for found in glances for tag in found.tags}
    for some in _in_portions(tags):
        rows = select(Approval.id, Approval.status).where(Approval.id.in_(some))
        for approval_id, status in db.session.execute(rows):
            yield approval_id, status == "pending"


def _in_portions(keys: Collection[Key]) -> Iterator[list[Key]]:
    """Yield a few hundred at a time: a statement takes only so many."""
    rest = list(keys)
    for start in range(0, len(rest), _AT_ONCE):
        yield rest[start : start + _AT_ONCE]
