"""Settling batch after batch: the next is read meanwhile, and nobody pays for what broke."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import OperationalError

from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import Unreachable
from flexmail.models import AuditEntry, Callback, Decision, Lease, Reply
from flexmail.services import (
    apart,
    audit_check,
    concluding,
    grouping,
    settling,
    storing,
    understanding,
)
from flexmail.services import tries as counting
from flexmail.services.apart import Apart
from flexmail.services.inbox import Report, process_replies
from flexmail.services.settling import Line
from flexmail.services.understanding import Reading
from tests.conftest import NOW
from tests.services import hostile_desk
from tests.services.stage import APPROVALS, ask, connect, queued, reply
from tests.services.test_apart import state_of
from tests.story.waiting import wait_for

MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """The process ends here: nothing catches it, nothing is cleaned up."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    """The desk of these tests, where mails that ask for it break their reader."""
    with Apart(hostile_desk.__name__, seconds=5) as started:
        monkeypatch.setattr(apart, "_desk", started)
        yield started


@pytest.fixture
def ready(people: Flask, server: MailServer, desk: Apart, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """A folder whose mails are taken two by two."""
    connect(server)
    monkeypatch.setattr(grouping, "_MAILS", 2)
    return people


def run(*, after: timedelta = timedelta(), **given: Any) -> Report:
    return process_replies(now=NOW + after, **given)


def rows() -> list[Reply]:
    db.session.rollback()
    return list(db.session.scalars(select(Reply).order_by(Reply.uid)))


def tries() -> list[int]:
    return [row.tries for row in rows()]


def outcomes() -> list[str | None]:
    return [row.outcome for row in rows()]


def decisions() -> int:
    db.session.rollback()
    return len(db.session.scalars(select(Decision.id)).all())


def deliver(server: MailServer, *mails: bytes) -> list[bytes]:
    for raw in mails:
        server.deliver(APPROVALS, raw)
    return list(mails)


def good(count: int) -> list[bytes]:
    return [reply(ask()) for _ in range(count)]


def left(server: MailServer) -> list[bytes]:
    return [raw for _, raw in server.mailbox(APPROVALS)]


def before_concluding(
    patch: pytest.MonkeyPatch, act: Callable[[], None], *, at: int = 1
) -> list[int]:
    """Have something happen when a batch is to be concluded; return the sizes of all."""
    real, sizes = concluding.conclude, list[int]()

    def conclude(batch: Any, *rest: Any) -> Any:
        sizes.append(len(batch))
        if len(sizes) == at:
            act()
        return real(batch, *rest)

    patch.setattr("flexmail.services.settling.conclude", conclude)
    return sizes


def refuse() -> None:
    raise OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))


def test_a_batch_is_being_read_while_the_one_before_it_is_concluded(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(server, *good(5))
    events: list[str] = []
    begin, finish, settle = Reading.begin, Reading.finish, settling.Batch.settle

    def noted(name: str, real: Callable[[Any], None]) -> Callable[[Any], None]:
        def act(self: Any) -> None:
            events.append(name)
            real(self)

        return act

    monkeypatch.setattr(Reading, "begin", noted("ask", begin))
    monkeypatch.setattr(Reading, "finish", noted("hear", finish))
    monkeypatch.setattr(settling.Batch, "settle", noted("settle", settle))
    assert run().by_outcome == {"approved": 5}
    ahead = ["ask", "settle", "hear"]
    assert events == ["ask", "hear", *ahead, *ahead, "settle"]
    assert (left(server), decisions()) == ([], 5)


def test_a_mail_that_somebody_else_settled_meanwhile_is_not_settled_again(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(2))

    def settle() -> None:
        others = update(Reply.__table__).values(outcome="failed")  # type: ignore[arg-type]
        db.session.connection().execute(others)

    before_concluding(monkeypatch, settle)
    assert "Somebody else gave a mail of this batch its outcome." in run().error
    assert (decisions(), outcomes(), left(server)) == (0, [None, None], mails)
    assert run(after=MINUTE).by_outcome == {"approved": 2}


def test_a_mail_that_ends_its_reader_while_it_reads_ahead_counts_one_try_a_run(
    ready: Flask, server: MailServer, desk: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = reply(None, "DO THIS: kill")
    deliver(server, *good(2), poison, *good(1))

    def wait() -> None:
        pid = desk.pid
        assert pid
        wait_for(lambda: state_of(pid) in "Z", seconds=30, what="the child is killed")

    with monkeypatch.context() as patch:
        before_concluding(patch, wait)
        report = run()
    assert (report.by_outcome, report.error) == ({"approved": 3}, "")
    assert (tries(), outcomes()) == ([1, 1, 1, 1], ["approved", "approved", None, "approved"])
    assert left(server) == [poison]
    assert run(after=MINUTE).by_outcome == {}
    assert run(after=2 * MINUTE).by_outcome == {"failed": 1}
    assert (tries()[2], decisions(), left(server)) == (3, 3, [])


def test_a_lease_that_is_lost_while_it_reads_ahead_commits_nothing_and_costs_no_try(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(5))
    real, begun = Reading.begin, list[Reading]()

    def begin(reading: Reading) -> None:
        real(reading)
        begun.append(reading)
        if len(begun) == 2:
            with transaction():
                db.session.execute(update(Lease).values(fence=Lease.fence + 1))

    with monkeypatch.context() as patch:
        patch.setattr(Reading, "begin", begin)
        report = run()
    assert "has gone to another process" in report.error
    assert (len(begun), report.by_outcome) == (2, {})
    assert (tries(), outcomes(), decisions()) == ([0] * 4, [None] * 4, 0)
    assert left(server) == mails
    assert run(after=MINUTE).by_outcome == {"approved": 5}


@pytest.mark.parametrize("why", ["it is stopped", "it is late"])
def test_a_run_that_ends_while_it_reads_ahead_gives_those_tries_back(
    why: str, ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(5))
    ended: list[bool] = []
    with monkeypatch.context() as patch:
        before_concluding(patch, lambda: ended.append(True))
        if why == "it is late":
            patch.setattr("flexmail.services.reply_run.Run.is_late", lambda _: bool(ended))
        report = run(keep_going=lambda: why == "it is late" or not ended)
    assert (report.by_outcome, report.error) == ({"approved": 2}, "")
    assert (tries(), outcomes()) == ([1, 1, 0, 0], ["approved", "approved", None, None])
    assert left(server) == mails[2:]
    assert run(after=MINUTE).by_outcome == {"approved": 3}
    assert decisions() == 5


def test_a_database_that_fails_while_it_reads_ahead_costs_no_mail_a_try(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(5))
    with monkeypatch.context() as patch:
        before_concluding(patch, refuse)
        with pytest.raises(OperationalError):
            run()
    assert (tries(), outcomes(), decisions()) == ([0] * 4, [None] * 4, 0)
    assert left(server) == mails
    assert run(after=MINUTE).by_outcome == {"approved": 5}


def test_a_batch_that_cannot_be_registered_takes_none_along_that_was_read(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(5))
    real, registered = counting.register, list[int]()

    def register(*given: Any) -> Any:
        registered.append(1)
        if len(registered) == 2:
            refuse()
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(counting, "register", register)
        with pytest.raises(OperationalError):
            run()
    assert (tries(), outcomes(), decisions()) == ([1, 1], ["approved"] * 2, 2)
    assert left(server) == mails[2:]
    assert run(after=MINUTE).by_outcome == {"approved": 3}


def test_a_folder_that_is_lost_while_a_batch_waits_takes_no_decision_along(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(server, *good(4))
    real = grouping.batches

    def batches(*given: Any, **more: Any) -> Iterator[Any]:
        yield next(real(*given, **more))
        raise Unreachable("The connection was cut.")

    with monkeypatch.context() as patch:
        patch.setattr("flexmail.services.taking.batches", batches)
        report = run()
    assert "The connection was cut" in report.error
    assert (tries(), outcomes()) == ([1, 1], ["approved"] * 2)
    assert run(after=MINUTE).by_outcome == {"approved": 2}
    assert (left(server), decisions()) == ([], 4)


def test_a_process_that_dies_while_it_reads_ahead_loses_no_mail_and_decides_none_twice(
    ready: Flask, server: MailServer, desk: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(5))

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patch:
        before_concluding(patch, die)
        with pytest.raises(Killed):
            run()
    assert desk.pid is None  # no answer to what it was asked reaches the next run
    assert (tries(), outcomes(), decisions()) == ([1] * 4, [None] * 4, 0)
    assert left(server) == mails
    sizes = before_concluding(monkeypatch, lambda: None)
    assert run(after=MINUTE).by_outcome == {"approved": 5}
    assert sizes == [1] * 5  # the fresh one, and each that was tried before by itself
    assert (left(server), decisions()) == ([], 5)


def test_a_mail_that_was_tried_before_is_read_with_no_other_under_way(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(server, reply(None, "DO THIS: kill"))
    run()
    deliver(server, *good(4))
    under_way, most = set[settling.Batch](), list[tuple[int, int]]()
    real, settle = Line.take, settling.Batch.settle

    def take(line: Line, mails: Any, *, alone: bool) -> None:
        real(line, mails, alone=alone)
        most.append((len(mails), int(alone)))
        assert not (alone and line._read)

    def note(batch: settling.Batch) -> None:
        under_way.add(batch)
        settle(batch)

    monkeypatch.setattr(Line, "take", take)
    monkeypatch.setattr(settling.Batch, "settle", note)
    assert run(after=MINUTE).by_outcome == {"approved": 4}
    assert sorted(most) == [(1, 1), (2, 0), (2, 0)]
    assert tries() == [2, 1, 1, 1, 1]


def test_a_mail_that_got_an_outcome_elsewhere_stops_the_commit(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = deliver(server, *good(2))

    def meanwhile() -> None:
        row = db.session.scalars(select(Reply).order_by(Reply.uid)).first()
        assert row
        row.outcome = "unclear"

    before_concluding(monkeypatch, meanwhile)
    report = run()
    assert "Somebody else gave a mail" in report.error
    assert (decisions(), left(server)) == (0, mails)


def test_explanations_of_one_batch_are_counted_like_all_others(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "_MAILS", 30)
    request = ask()
    deliver(server, *(reply(request, f"Perhaps {number}") for number in range(7)))
    assert run().by_outcome == {"unclear": 7}
    assert len(queued("reply_explanation")) == 5


def test_the_end_of_the_audit_log_is_locked_last(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changes a mail locks it first and the log last: so nobody waits in a circle."""
    monkeypatch.setattr(grouping, "_MAILS", 30)
    deliver(server, reply(ask(callback_url="https://ci.test/hook")), reply(ask()))
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert run().by_outcome == {"approved": 2}
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    log = max(at for at, one in enumerate(said) if "SELECT installation.sealed_audit_end" in one)
    mails = [at for at, one in enumerate(said) if one.startswith("UPDATE outbox")]
    assert len(mails) == 2
    assert max(mails) < log


def test_what_a_batch_wrote_before_it_failed_is_written_once(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "_MAILS", 30)
    requests = [ask(callback_url="https://ci.test/hook"), ask(), ask()]
    deliver(server, *map(reply, requests), *(reply(requests[0], f"Hm {n}") for n in range(7)))
    real, failed = storing._store, list[int]()

    def store(mails: list[Any]) -> None:
        real(mails)
        if len(mails) > 1:
            failed.append(len(mails))
            raise RuntimeError("after all statements of the batch")

    with monkeypatch.context() as patch:
        patch.setattr(storing, "_store", store)
        report = run()
    assert failed
    assert report.by_outcome == {"approved": 3, "already_decided": 7}
    assert (decisions(), tries(), left(server)) == (3, [1] * 10, [])
    assert db.session.scalar(select(func.count(Callback.id))) == 1
    sent = [mail.kind for mail in queued()]
    assert (sent.count("reply_confirmation"), sent.count("reply_explanation")) == (3, 5)
    told = select(AuditEntry.id).where(AuditEntry.action == "approval_approved")
    assert len(db.session.scalars(told).all()) == 3
    assert audit_check.verify().fault == ""


BASE64 = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64")


def test_a_mail_is_read_beside_what_it_answers_whatever_the_others_answer(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "_MAILS", 30)
    request = ask()
    below = base64.encodebytes(f"{request.text}\n\nReject".encode()).decode()
    hidden = reply(request, threaded=False, headers=BASE64, body=below)
    deliver(server, reply(request, "Perhaps"), hidden)
    assert run().by_outcome == {"unclear": 1, "rejected": 1}


def test_a_mail_that_waits_for_the_desk_is_read_beside_what_it_answers(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "_MAILS", 30)
    monkeypatch.setattr(understanding, "_ASKED_BYTES", 1)
    request = ask()
    below = reply(request, threaded=False, body=f"{request.text}\n\nReject")
    deliver(server, *good(1), below, reply(request, "Perhaps", history=False))
    assert run().by_outcome == {"approved": 1, "rejected": 1, "already_decided": 1}


def test_the_answers_of_many_mails_wait_for_nobody(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "_MAILS", 30)
    monkeypatch.setattr(understanding, "_ASKED_BYTES", 1)  # one at the desk, the others behind it
    deliver(server, *good(9))
    assert run().by_outcome == {"approved": 9}
    assert (left(server), decisions()) == ([], 9)
