"""Draining replies of 6 KB: every decision authorised and committed, every answer queued.

Against raw imaplib, which only moves the bytes, against the same that also seals and stores what
flexmail did, and against programs that fetch and delete mail but decide nothing and store nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import func, select

from bench import peers, raw
from bench.floor import Floor
from bench.measuring import Fact, Row, Size, interleave, median, seconds
from bench.offices import Office, point_to, requests, warm_up
from bench.servers import Dovecot, Mailboxes, exists
from flexmail.db import db
from flexmail.models import Decision, OutboxMail
from flexmail.services import inbox

Taken = TypeVar("Taken")

OURS, RAW = "flexmail, one connection", "raw imaplib, one connection"
OURS_ANEW, RAW_ANEW = "flexmail, a connection each 30", "raw imaplib, a connection each 30"
FLOOR = "raw imaplib, and the same bytes sealed and rows written"
GOAL, GOAL_ANEW = 0.33, 0.55
WARM_UP = 4
MARKS = ("imap_tools fetch(bulk=True), delete", "IMAPClient all at once")
"""They hold the whole folder in memory, and parse nothing: marks to pass one day."""
SLOW = ("django-mailbox",)
"""They get a tenth of the mails, and ten times their seconds are told."""


def measure(size: Size) -> Iterator[Row | Fact]:
    for storage in ("mdbox", "maildir"):
        yield from of_storage(storage, size)


def of_storage(
    storage: Literal["mdbox", "maildir"], size: Size, *, with_peers: bool = True
) -> Iterator[Row | Fact]:
    """Measure with the one kind of mailbox or the other."""
    count = size.of(quick=35, full=1000)
    with Office() as office, Dovecot(storage=storage) as dovecot:
        with office.origin():
            mails = requests(count + WARM_UP)
            boxes = Mailboxes(dovecot, mails[WARM_UP:])
            warm = Mailboxes(dovecot, mails[:WARM_UP], "warm")
            few = Mailboxes(dovecot, mails[-(count // 10) :], "few")
        floor = _on_a_copy(boxes, lambda user: _floor(office, warm, user, count))
        candidates: dict[str, Callable[[str], float]] = {
            RAW: lambda user: seconds(lambda: raw.drain(dovecot, user, count)),
            FLOOR: lambda user: seconds(lambda: floor.drain(dovecot, user)),
            OURS: lambda user: _ours(office, warm, user, count, at_once=count),
            RAW_ANEW: lambda user: seconds(lambda: raw.drain_anew(dovecot, user, count)),
            OURS_ANEW: lambda user: _ours(office, warm, user, count, at_once=raw.BATCH),
        }
        there, missing = peers.available() if with_peers else ({}, [])
        candidates |= {name: partial(_peer, peer, dovecot) for name, peer in there.items()}
        figures = interleave(
            {
                name: partial(_on_a_copy, few if name in SLOW else boxes, candidate)
                for name, candidate in candidates.items()
            },
            rounds=size.rounds,
        )
        figures |= {name: [10 * each for each in figures[name]] for name in SLOW if name in there}
    times = {name: median(each) for name, each in figures.items()}
    yield _row(storage, count, times, OURS, RAW, GOAL)
    yield _row(storage, count, times, OURS, FLOOR, None)
    yield _row(storage, count, times, FLOOR, RAW, None)
    yield _row(storage, count, times, OURS_ANEW, RAW_ANEW, GOAL_ANEW)
    for name in there:
        goal = None if name in MARKS else 1.0
        yield _row(storage, count, times, OURS, name, goal)
    yield from (Row(f"{count} replies, {storage}", "", f"{name}: missing") for name in missing)


def _row(
    storage: str, count: int, times: dict[str, float], ours: str, other: str, goal: float | None
) -> Row:
    return Row(
        f"{count} replies, {storage}",
        f"{ours} {times[ours]:.2f} s",
        f"{other} {times[other]:.2f} s",
        times[other] / times[ours],
        goal,
    )


def _on_a_copy(boxes: Mailboxes, candidate: Callable[[str], Taken]) -> Taken:
    user = boxes.copy()
    try:
        taken = candidate(user)
        assert exists(boxes.dovecot, user) == 0
    finally:
        boxes.remove(user)
    return taken


def _peer(peer: peers.Peer, dovecot: Dovecot, user: str) -> float:
    return peer(dovecot, user)


def _ours(office: Office, warm: Mailboxes, user: str, count: int, *, at_once: int) -> float:
    with office.open():
        return _drain(warm, user, count, at_once=at_once)


def _floor(office: Office, warm: Mailboxes, user: str, count: int) -> Floor:
    """Return what is to be written, as flexmail writes it."""
    with office.open() as app:
        _drain(warm, user, count, at_once=count)
        db.session.rollback()
        return Floor(office.instance, Path(app.instance_path), count)


def _drain(warm: Mailboxes, user: str, count: int, *, at_once: int) -> float:
    warm_up(warm)
    point_to(warm.dovecot, user, email_reply_process_count=at_once)
    began = time.perf_counter()
    for _ in range(0, count, at_once):
        report = inbox.process_replies(now=datetime.now(UTC))
        assert not report.error, report.error
    taken = time.perf_counter() - began
    answers = select(func.count(OutboxMail.id)).where(OutboxMail.kind == "reply_confirmation")
    assert db.session.scalar(select(func.count(Decision.id))) == count + WARM_UP
    assert db.session.scalar(answers) == count + WARM_UP
    return taken
