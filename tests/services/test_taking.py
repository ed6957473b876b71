"""Taking mail from a real folder: nothing lost, nothing double, whatever breaks in between."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import OwnershipLost, Refused, Unreachable
from flexmail.mail.desk import Told
from flexmail.mail.sizes import MAX_BYTES
from flexmail.models import Callback, Reply
from flexmail.services import (
    accounts,
    apart,
    approvals,
    channels,
    delivery,
    inbox,
    keys,
    leases,
    notifications,
    receiving,
    settings,
    status,
    taking,
    tries,
    understanding,
)
from flexmail.services.apart import Apart
from flexmail.services.approval_shape import approval_shape
from flexmail.services.inbox import Report, process_replies
from flexmail.services.kept_mail import raw_of
from flexmail.services.reply_run import Patience, Run
from flexmail.transport.imap import Fetched, Folder, open_folder
from tests.conftest import NOW
from tests.fixtures_servers import need
from tests.servers import PASSWORD, Dovecot
from tests.services import hostile_desk
from tests.services.stage import (
    ADA,
    APPROVALS,
    BOB,
    CHARLIE,
    Asked,
    ask,
    connect,
    locked_database,
    queued,
    reply,
    set_up,
    together,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
JUNK = "Hello there"
TOLD = "flexmail.services.understanding.told_of"


class Killed(BaseException):
    """The process ends here: nothing catches it, nothing is cleaned up."""


@pytest.fixture
def ready(people: Flask, server: MailServer) -> Flask:
    connect(server)
    return people


def inbox_of(server: MailServer) -> list[bytes]:
    return [raw for _, raw in server.mailbox(APPROVALS)]


def rows() -> list[Reply]:
    db.session.rollback()
    return list(db.session.scalars(select(Reply).order_by(Reply.id)))


def outcomes() -> list[str | None]:
    return [row.outcome for row in rows()]


def run(*, after: timedelta = timedelta(), **given: Any) -> Report:
    return process_replies(now=NOW + after, **given)


def decisions(request: Asked) -> int:
    db.session.rollback()
    return len(approvals.get(request.approval_id).decisions)


class Meddled:
    """The real folder, but for what a test has happen at some command."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._folder, name)


def take_from(
    meddled: type[Meddled] = Meddled, *, fence: int | None = None, after: timedelta = timedelta()
) -> Report:
    """Run `take` over the folder of the settings, with `meddled` around it."""
    now = NOW + after
    row = settings.load()
    account, in_force = settings.imap_account(row), settings.in_force(row)
    db.session.rollback()
    if fence is None:
        fence = leases.acquire("replies", "test:1:x", now=now, seconds=10)
    assert fence is not None
    report = Report(at=now)
    name = f"{account.user}@{account.endpoint.host}:{account.endpoint.port}"
    try:
        with open_folder(account, in_force.email_reply_folder) as folder:
            taking.take(
                cast(Folder, meddled(folder)),
                Run(name, in_force, now, fence, report, lambda: True),
            )
    finally:
        leases.release("replies", "test:1:x", now=now)
    return report


def test_a_run_settles_every_mail_and_its_sum_is_what_was_seen(
    ready: Flask, server: MailServer
) -> None:
    first, second = ask(), ask()
    mails = [
        reply(first, "Approve"),
        reply(second, "Reject"),
        reply(second, "Approve"),
        reply(first, sender=CHARLIE),
        reply(None),
        first.raw,
        b"Subject: from nobody\r\n\r\nApprove\r\n",
    ]
    for raw in mails:
        server.deliver(APPROVALS, raw)
    report = run()
    assert report.error == ""
    assert report.by_outcome == {
        "approved": 1,
        "rejected": 1,
        "already_decided": 1,
        "wrong_sender": 1,
        "unknown_reference": 1,
        "own_mail": 1,
        "malformed": 1,
    }
    assert report.looked_at == sum(report.by_outcome.values()) == len(mails)
    assert report.reply_ids == [row.id for row in rows()]
    assert inbox_of(server) == []
    assert [raw_of(row) for row in rows()] == mails
    assert (report.left, status.overview(now=NOW)["reply_processing"]["waiting"]) == (0, 0)


def test_a_program_is_told_of_a_reply_what_the_api_says_after_the_run(
    ready: Flask, server: MailServer
) -> None:
    request = ask(callback_url="https://ci.example.test/hook")
    server.deliver(APPROVALS, reply(request))
    assert run().by_outcome == {"approved": 1}
    told = json.loads(db.session.scalars(select(Callback.body)).one())["data"]
    assert told["deliveries"] == approval_shape(approvals.get(request.approval_id))["deliveries"]
    assert [delivery["state"] for delivery in told["deliveries"]] == ["cancelled"]


def test_a_second_run_changes_nothing(ready: Flask, server: MailServer) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    run()
    before = (len(rows()), len(queued()), decisions(request))
    report = run(after=MINUTE)
    assert (report.looked_at, report.by_outcome, report.error) == (0, {}, "")
    assert (len(rows()), len(queued()), decisions(request)) == before


@pytest.mark.parametrize("count", [1, 3, 30])
def test_never_more_than_the_count_is_taken_the_oldest_first(
    count: int, ready: Flask, server: MailServer
) -> None:
    set_up(email_reply_process_count=count)
    mails = [reply(None, f"{JUNK} {number}") for number in range(7)]
    for raw in mails:
        server.deliver(APPROVALS, raw)
    seen = 0
    for number in range(8):
        report = run(after=number * MINUTE)
        assert report.looked_at <= count
        seen += report.looked_at
        assert inbox_of(server) == mails[seen:]
        assert report.left == len(mails) - seen
    assert [raw_of(row) for row in rows()] == mails
    assert seen == len(mails)


def test_mail_that_another_client_marked_deleted_stays(ready: Flask, server: MailServer) -> None:
    request = ask()
    marked = reply(request, "Reject")
    server.deliver(APPROVALS, marked, flags=[r"\Deleted"])
    server.deliver(APPROVALS, reply(request, "Approve"))
    assert run().by_outcome == {"approved": 1}
    assert run(after=MINUTE).by_outcome == {}
    assert inbox_of(server) == [marked]


def test_mail_marked_deleted_does_not_use_up_the_count(ready: Flask, server: MailServer) -> None:
    set_up(email_reply_process_count=1)
    for number in range(9):
        server.deliver(APPROVALS, reply(None, f"{JUNK} {number}"), flags=[r"\Deleted"])
    request = ask()
    server.deliver(APPROVALS, reply(request))
    assert run().by_outcome == {"approved": 1}


def test_mail_that_nobody_will_take_does_not_count_as_waiting(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(None), flags=[r"\Deleted"])
    assert run().left == 0


def test_no_other_mailbox_is_touched(ready: Flask, server: MailServer) -> None:
    raw = reply(ask())
    for user in (ADA, BOB, APPROVALS):
        server.deliver(user, raw)
    run()
    assert [len(server.mailbox(user)) for user in (ADA, BOB, APPROVALS)] == [1, 1, 0]


def test_the_same_mail_twice_in_one_run_is_a_duplicate(ready: Flask, server: MailServer) -> None:
    request = ask()
    raw = reply(request)
    server.deliver(APPROVALS, raw)
    server.deliver(APPROVALS, raw)
    assert run().by_outcome == {"approved": 1, "duplicate": 1}
    server.deliver(APPROVALS, raw)
    assert run(after=MINUTE).by_outcome == {"duplicate": 1}
    assert decisions(request) == 1
    assert len(queued("reply_confirmation")) == 1


def test_a_mail_over_a_mebibyte_is_read_as_far_as_its_text(
    ready: Flask, server: MailServer
) -> None:
    request, other = ask(), ask()
    server.deliver(APPROVALS, reply(request) + b"> filler\r\n" * 150_000)
    body = (
        "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + "QUJD" * 18
        + ("\r\n" + "QUJD" * 18) * 15_000
        + "\r\n--b\r\nContent-Type: text/plain\r\n\r\nApprove\r\n--b--"
    )
    kind = "Content-Type: multipart/mixed; boundary=b"
    server.deliver(APPROVALS, reply(other, headers=(kind,), body=body))
    assert run().by_outcome == {"approved": 1, "too_large": 1}
    assert [row.raw_partial for row in rows()] == [True, True]
    assert all(len(raw_of(row)) <= MAX_BYTES < row.size_bytes for row in rows())
    assert inbox_of(server) == []


class CutBeforeDelete(Meddled):
    def delete(self, uids: Collection[int]) -> frozenset[int]:
        raise Unreachable("The connection was cut.")


class KilledBeforeDelete(Meddled):
    def delete(self, uids: Collection[int]) -> frozenset[int]:
        raise Killed


class KilledAfterDelete(Meddled):
    def delete(self, uids: Collection[int]) -> frozenset[int]:
        self._folder.delete(uids)
        raise Killed


@pytest.mark.parametrize("how", [CutBeforeDelete, KilledBeforeDelete])
def test_what_was_committed_and_not_deleted_is_deleted_without_a_second_decision(
    how: type[Meddled], ready: Flask, server: MailServer
) -> None:
    request = ask()
    raw = reply(request)
    server.deliver(APPROVALS, raw)
    with pytest.raises((Unreachable, Killed)):
        take_from(how)
    assert inbox_of(server) == [raw]
    assert outcomes() == ["approved"]
    before = len(queued())
    fresh = reply(ask(), "Reject")
    server.deliver(APPROVALS, fresh)
    report = run(after=MINUTE)
    assert report.by_outcome == {"rejected": 1}
    assert inbox_of(server) == []
    assert outcomes() == ["approved", "rejected"]
    assert decisions(request) == 1
    assert len(queued()) == before + 2  # the new request and its confirmation


def test_leftovers_do_not_use_up_the_count(ready: Flask, server: MailServer) -> None:
    set_up(email_reply_process_count=1)
    server.deliver(APPROVALS, reply(None))
    with suppress(Killed):
        take_from(KilledBeforeDelete)
    server.deliver(APPROVALS, reply(ask()))
    assert run(after=MINUTE).by_outcome == {"approved": 1}
    assert inbox_of(server) == []


def test_killed_after_the_delete_leaves_nothing_to_do(ready: Flask, server: MailServer) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    with pytest.raises(Killed):
        take_from(KilledAfterDelete)
    assert run(after=MINUTE).looked_at == 0
    assert (outcomes(), decisions(request)) == (["approved"], 1)


def test_killed_before_the_commit_the_mail_is_taken_as_new(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TOLD, kill)
        with pytest.raises(Killed):
            take_from()
    assert (outcomes(), decisions(request)) == ([None], 0)
    assert len(inbox_of(server)) == 1
    assert run(after=MINUTE).by_outcome == {"approved": 1}
    assert decisions(request) == 1
    assert len(rows()) == 1


def test_a_mail_that_kills_the_process_each_time_is_given_up_and_blocks_no_other(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, good = reply(None, "poison"), reply(ask())
    server.deliver(APPROVALS, poison)
    server.deliver(APPROVALS, good)
    real, killed = understanding.told_of, 0

    def kill(desk: Apart, mail: Fetched) -> Told:
        nonlocal killed
        if mail.raw == poison:
            killed += 1
            raise Killed
        return real(desk, mail)

    monkeypatch.setattr(TOLD, kill)
    for number in range(6):
        with suppress(Killed):
            take_from(after=number * HOUR)
    assert killed <= tries.MAX_TRIES
    assert Counter(outcomes()) == {"failed": 1, "approved": 1}
    assert raw_of(next(row for row in rows() if row.outcome == "failed")) == poison
    assert inbox_of(server) == []


def test_a_mail_that_cannot_be_read_is_failed_after_three_tries_and_kept(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = reply(None, "poison")
    server.deliver(APPROVALS, poison)
    request = ask()
    real, tries = understanding.told_of, []

    def refuse(desk: Apart, mail: Fetched) -> Told:
        if mail.raw == poison:
            tries.append(rows()[0].tries)
            raise RecursionError
        return real(desk, mail)

    monkeypatch.setattr(TOLD, refuse)
    assert run().by_outcome == {}
    assert run(after=MINUTE).by_outcome == {}
    server.deliver(APPROVALS, reply(request))
    assert run(after=2 * MINUTE).by_outcome == {"failed": 1, "approved": 1}
    assert tries == [1, 2, 3]  # each was counted before the mail was looked into
    row = rows()[0]
    assert (row.outcome, raw_of(row)) == ("failed", poison)
    assert "3" in row.reason
    assert inbox_of(server) == []


def test_a_mail_that_breaks_while_it_is_judged_takes_no_other_along(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, request = reply(None, "poison"), ask()
    server.deliver(APPROVALS, poison)
    server.deliver(APPROVALS, reply(request))
    real = receiving.receive

    def refuse(mail: Any, *rest: Any, **given: Any) -> Any:
        if mail.raw == poison:
            raise RuntimeError("while judging")
        return real(mail, *rest, **given)

    monkeypatch.setattr("flexmail.services.concluding.receive", refuse)
    assert run().by_outcome == {"approved": 1}
    assert inbox_of(server) == [poison]
    for number in (1, 2):
        run(after=number * MINUTE)
    assert Counter(outcomes()) == {"approved": 1, "failed": 1}


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    """Where mails are read apart, those that ask for it break their reader; see `hostile_desk`."""
    with Apart(hostile_desk.__name__, seconds=2) as desk:
        monkeypatch.setattr(apart, "_desk", desk)
        yield desk


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("burn", "Reading this mail took more than 2 s."),
        ("hoard", "Reading this mail needed too much memory."),
        ("recurse", "Reading this mail broke off (RecursionError)."),
        ("overflow", "Reading this mail ended the process that read it (SIGSEGV)."),
        ("kill", "Reading this mail ended the process that read it (SIGKILL)."),
        ("lie", "The process that read this mail answered nonsense."),
    ],
)
def test_a_mail_that_breaks_its_reader_is_failed_after_three_tries_and_takes_no_other_along(
    deed: str, reason: str, ready: Flask, server: MailServer, hostile: Apart
) -> None:
    poison = reply(None, f"DO THIS: {deed}")
    before, after = ask(), ask()
    for raw in (reply(before), poison, reply(after, "Reject")):
        server.deliver(APPROVALS, raw)
    report = run()
    assert (report.by_outcome, report.error) == ({"approved": 1, "rejected": 1}, "")
    assert inbox_of(server) == [poison]
    assert [(row.tries, row.outcome) for row in rows()][1] == (1, None)
    later = ask()
    server.deliver(APPROVALS, reply(later))
    assert run(after=MINUTE).by_outcome == {"approved": 1}
    assert run(after=2 * MINUTE).by_outcome == {"failed": 1}
    row = rows()[1]
    assert row.reason == f"Try 3 to process this mail broke off: {reason}"
    assert (row.tries, raw_of(row), inbox_of(server)) == (3, poison, [])
    assert [decisions(request) for request in (before, after, later)] == [1, 1, 1]


def test_a_mail_is_read_apart_with_no_transaction_open(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        server.deliver(APPROVALS, reply(ask()))
    real, desks = understanding.told_of, []

    def note(desk: Apart, mail: Fetched) -> Told:
        assert not db.session().in_transaction()
        desks.append(type(desk))
        return real(desk, mail)

    monkeypatch.setattr(TOLD, note)
    assert run().by_outcome == {"approved": 2}
    assert desks == [Apart, Apart]


def test_keys_that_change_while_a_mail_is_read_leave_its_copy_readable(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = reply(ask())
    server.deliver(APPROVALS, raw)
    real = understanding.told_of

    def meanwhile(desk: Apart, mail: Fetched) -> Told:
        keys.rotate()
        keys.drop_old()
        return real(desk, mail)

    monkeypatch.setattr(TOLD, meanwhile)
    assert run().by_outcome == {"approved": 1}
    assert raw_of(rows()[0]) == raw


def test_a_reader_that_cannot_start_costs_no_mail_a_try(
    ready: Flask, server: MailServer, hostile: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = reply(ask())
    server.deliver(APPROVALS, raw)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        reports = [run(after=number * HOUR) for number in range(5)]
    for report in reports:
        assert "The process that reads mails cannot start" in report.error
        assert report.by_outcome == {}
    assert inbox_of(server) == [raw]
    assert [(row.tries, row.outcome) for row in rows()] == [(0, None)]
    assert channels.get("replies").error == reports[-1].error
    assert run(after=6 * HOUR).by_outcome == {"approved": 1}


def test_a_reader_that_cannot_start_again_loses_nothing_that_was_read_before(
    ready: Flask, server: MailServer, hostile: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = [reply(ask()), reply(None, "DO THIS: kill"), reply(ask()), reply(ask())]
    for raw in mails:
        server.deliver(APPROVALS, raw)
    with hostile:
        hostile.look(mails[0], partial=False)
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        report = run()
    assert report.by_outcome == {"approved": 1}
    assert "cannot start" in report.error
    assert [(row.tries, row.outcome) for row in rows()] == [
        (1, "approved"),
        (1, None),  # this one was read
        (0, None),
        (0, None),
    ]
    assert inbox_of(server) == mails[1:]


@pytest.mark.parametrize("why", ["it is stopped", "it is late"])
def test_a_run_that_takes_long_reads_no_further_and_costs_the_others_no_try(
    why: str, ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = [reply(ask()) for _ in range(3)]
    for raw in mails:
        server.deliver(APPROVALS, raw)
    answers = iter([True])
    late = why == "it is late"
    with monkeypatch.context() as patch:
        patch.setattr(understanding, "_STRETCH_SECONDS", -1.0)  # as if every mail took that long
        report = run(
            keep_going=lambda: late or next(answers, False),
            patience=Patience(late_seconds=-1.0) if late else Patience(),
        )
    assert (report.by_outcome, report.error) == ({"approved": 1}, "")
    assert [row.tries for row in rows()] == [1, 0, 0]
    assert inbox_of(server) == mails[1:]
    assert run(after=MINUTE).left == 0
    assert outcomes() == ["approved"] * 3


def test_a_database_that_fails_while_a_mail_is_understood_costs_no_try(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = reply(ask())
    server.deliver(APPROVALS, raw)

    def refuse(*_: object) -> None:
        raise OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(notifications, "known_by", refuse)
        with pytest.raises(OperationalError):
            run()
    assert (inbox_of(server), rows()[0].tries) == ([raw], 0)
    assert run(after=MINUTE).by_outcome == {"approved": 1}


class Keeping(Meddled):
    """A server that says OK and keeps the mail."""

    def delete(self, uids: Collection[int]) -> frozenset[int]:
        return frozenset(uids)


def test_what_the_server_keeps_is_decided_once_and_counts_as_gone(
    ready: Flask, server: MailServer
) -> None:
    set_up(email_reply_process_count=1)
    request = ask()
    raw = reply(request)
    server.deliver(APPROVALS, raw)
    assert take_from(Keeping).by_outcome == {"approved": 1}
    assert inbox_of(server) == [raw]
    assert [row.kept_by_server for row in rows()] == [True]
    for number in (1, 2):
        report = take_from(Keeping, after=number * MINUTE)
        assert (report.by_outcome, report.left) == ({}, 0)
    server.deliver(APPROVALS, reply(ask(), "Reject"))
    assert take_from(Keeping, after=3 * MINUTE).by_outcome == {"rejected": 1}
    assert decisions(request) == 1


class RefusingDelete(Meddled):
    """A server that will not delete, as without UIDPLUS beside marks of others."""

    def delete(self, uids: Collection[int]) -> frozenset[int]:
        raise Refused("Mails of others are marked deleted.", temporary=True)


def test_a_server_that_will_not_delete_keeps_no_later_reply_from_being_decided(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(ask()))
    with suppress(Refused):
        take_from(RefusingDelete)
    request = ask()
    server.deliver(APPROVALS, reply(request))
    for number in (1, 2, 3):
        with suppress(Refused):
            take_from(RefusingDelete, after=number * MINUTE)
    assert decisions(request) == 1


def test_a_refused_delete_shows_on_the_status_page(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> frozenset[int]:
        raise Refused("Mails of others are marked deleted.", hint="Let them be expunged.")

    server.deliver(APPROVALS, reply(ask()))
    monkeypatch.setattr("flexmail.transport.folder.Folder.delete", refuse)
    report = run()
    assert report.by_outcome == {"approved": 1}
    shown = status.overview(now=NOW)["reply_processing"]
    assert "marked deleted" in shown["error"]
    assert "expunged" in shown["error"]
    assert shown["failing_since"]


class Withholding(Meddled):
    """A server that lists the first mail and never hands it over."""

    asked = 0

    def fetch(
        self, mails: Sequence[Any], max_bytes: int = 1 << 20, **_: object
    ) -> Iterator[Fetched]:
        uids = [getattr(mail, "uid", mail) for mail in mails]
        first = min(mail.uid for mail in self._folder.oldest(1))
        if first in uids:
            type(self).asked += 1
            self._folder.unreadable[first] = "NO [SERVERBUG] cannot read it"
        return self._folder.fetch([uid for uid in uids if uid != first], max_bytes=max_bytes)


def test_a_mail_that_the_server_withholds_waits_for_it_ever_longer_and_blocks_no_other(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Withholding, "asked", 0)
    withheld, request = reply(ask(), "Reject"), ask()
    server.deliver(APPROVALS, withheld)
    server.deliver(APPROVALS, reply(request))
    assert take_from(Withholding).by_outcome == {"approved": 1}
    for seconds in range(5, 600, 5):  # as mails arrive one after the other
        report = take_from(Withholding, after=timedelta(seconds=seconds))
        assert (report.by_outcome, report.left) == ({}, 1)
    assert Withholding.asked == 4  # at once and after 1, 3 and 7 minutes
    (warning,) = status.overview(now=NOW)["warnings"]
    for told in ("1 mail", "INBOX", "2026-11-02 09:00 UTC", "SERVERBUG"):
        assert told in warning
    for day in range(3):
        take_from(Withholding, after=day * 24 * HOUR)
    assert inbox_of(server) == [withheld]
    assert run(after=4 * 24 * HOUR).by_outcome == {"rejected": 1}
    assert (inbox_of(server), outcomes()) == ([], ["approved", "rejected"])
    assert status.overview(now=NOW)["warnings"] == []


def test_a_clock_that_was_ahead_keeps_no_withheld_mail_waiting(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(ask()))
    take_from(Withholding, after=400 * 24 * HOUR)
    assert run().by_outcome == {"approved": 1}


def test_a_withheld_mail_that_somebody_removes_is_told_of_no_more(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(None))
    take_from(Withholding)
    assert status.overview(now=NOW)["warnings"]
    with open_folder(settings.imap_account(settings.load()), "INBOX") as folder:
        folder.delete([mail.uid for mail in folder.oldest(1)])
    run(after=HOUR)
    assert (status.overview(now=NOW)["warnings"], rows()) == ([], [])


def test_the_only_place_of_a_run_goes_to_a_mail_that_can_be_read(
    ready: Flask, server: MailServer
) -> None:
    set_up(email_reply_process_count=1)
    server.deliver(APPROVALS, reply(None, f"{JUNK} 0"))
    take_from(Withholding)
    server.deliver(APPROVALS, reply(None, f"{JUNK} 1"))
    assert take_from(Withholding, after=HOUR).looked_at == 1


def test_a_mail_behind_many_that_stay_for_ever_has_its_turn(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexmail.services.folder_window._MAX_WINDOW", 6)
    set_up(email_reply_process_count=2)
    kept = [reply(None, f"{JUNK} {number}") for number in range(20)]
    for raw in kept:
        server.deliver(APPROVALS, raw)
    for number in range(20):
        take_from(Keeping, after=number * MINUTE)
    assert [row.kept_by_server for row in rows()] == [True] * 20
    for number in range(3):
        server.deliver(APPROVALS, reply(None, f"{JUNK} new {number}"))
    for number in range(6):
        take_from(after=HOUR + number * MINUTE)
    assert (inbox_of(server), len(rows())) == (kept, 23)


def test_a_settled_mail_that_the_server_withholds_gets_no_second_outcome(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(ask()))
    with suppress(Killed):
        take_from(KilledBeforeDelete)
    for number in range(1, 5):
        take_from(Withholding, after=number * MINUTE)
    assert outcomes() == ["approved"]


def pretend_settled(server: MailServer, *, sha256: str = "0" * 64) -> None:
    """Store rows as if all mails now in the folder had been settled under their UIDs before."""
    row = settings.load()
    account = settings.imap_account(row)
    with open_folder(account, "INBOX", readonly=True) as folder:
        uidvalidity = folder.uidvalidity
    db.session.rollback()
    with transaction():
        for uid, _ in server.mailbox(APPROVALS):
            db.session.add(
                Reply(
                    account=f"{account.user}@{account.endpoint}",
                    folder="INBOX",
                    uidvalidity=uidvalidity,
                    uid=uid,
                    sha256=sha256,
                    outcome="unclear",
                    first_seen_at=NOW,
                    processed_at=NOW,
                )
            )


def test_another_mail_under_a_known_number_is_taken_as_new(
    ready: Flask, server: MailServer
) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    pretend_settled(server)
    assert run().by_outcome == {"approved": 1}
    assert decisions(request) == 1
    assert inbox_of(server) == []


def test_other_mails_under_known_numbers_keep_to_the_count(
    ready: Flask, server: MailServer
) -> None:
    set_up(email_reply_process_count=1)
    for number in range(4):
        server.deliver(APPROVALS, reply(None, f"{JUNK} {number}"))
    pretend_settled(server)
    for number in range(4):
        server.deliver(APPROVALS, reply(None, f"{JUNK} new {number}"))
    assert run().looked_at == 1


class Vanishing(Meddled):
    """Another client empties the folder between list and fetch."""

    def fetch(
        self, mails: Sequence[Any], max_bytes: int = 1 << 20, **_: object
    ) -> Iterator[Fetched]:
        self._folder.delete([getattr(mail, "uid", mail) for mail in mails])
        return self._folder.fetch(mails, max_bytes=max_bytes)


def test_mail_that_vanishes_meanwhile_is_no_trouble(ready: Flask, server: MailServer) -> None:
    server.deliver(APPROVALS, reply(ask()))
    report = take_from(Vanishing)
    assert (report.looked_at, report.by_outcome, report.left) == (0, {}, 0)
    assert rows() == []


def test_an_owner_that_wakes_up_late_commits_and_deletes_nothing(
    ready: Flask, server: MailServer
) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    late = leases.acquire("replies", "late:1:x", now=NOW - MINUTE, seconds=10)
    leases.acquire("replies", "next:2:y", now=NOW, seconds=10)
    with pytest.raises(OwnershipLost):
        take_from(fence=late)
    assert (outcomes(), decisions(request), len(inbox_of(server))) == ([], 0, 1)


def test_an_owner_that_loses_the_lease_under_way_commits_no_decision(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    real = understanding.told_of

    def be_overtaken(desk: Apart, mail: Fetched) -> Told:
        db.session.rollback()
        leases.acquire("replies", "next:2:y", now=NOW + HOUR, seconds=10)
        return real(desk, mail)

    with monkeypatch.context() as patch:
        patch.setattr(TOLD, be_overtaken)
        with pytest.raises(OwnershipLost):
            take_from()
    assert (outcomes(), decisions(request), len(inbox_of(server))) == ([None], 0, 1)
    assert run(after=2 * HOUR).by_outcome == {"approved": 1}
    assert rows()[0].tries == 1  # being overtaken is not the mail's fault


def test_while_somebody_reads_the_folder_nobody_else_does(ready: Flask, server: MailServer) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    leases.acquire("replies", "other:1:x", now=NOW, seconds=10)
    report = run(at_once=True)
    assert "Another run" in report.error
    assert len(inbox_of(server)) == 1


def test_fifteen_seconds_after_its_owner_died_the_folder_is_read_again(
    ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(ask()))
    leases.acquire("replies", "dead:1:x", now=NOW, seconds=inbox.LEASE_SECONDS)
    assert run(after=timedelta(seconds=15), at_once=True).by_outcome == {"approved": 1}


def test_runs_at_the_same_moment_decide_once(ready: Flask, server: MailServer) -> None:
    requests = [ask() for _ in range(3)]
    for request in requests:
        server.deliver(APPROVALS, reply(request))
    together(ready, *[lambda: process_replies(now=NOW).looked_at] * 3)
    run(after=MINUTE)
    assert outcomes() == ["approved"] * 3
    assert [decisions(request) for request in requests] == [1, 1, 1]


def test_a_database_that_is_locked_deletes_nothing(ready: Flask, server: MailServer) -> None:
    raw = reply(ask())
    server.deliver(APPROVALS, raw)
    fence = leases.acquire("replies", "test:1:x", now=NOW, seconds=10)
    with locked_database(ready), pytest.raises(OperationalError):
        take_from(fence=fence)
    assert inbox_of(server) == [raw]
    assert rows() == []
    assert run(after=MINUTE).by_outcome == {"approved": 1}


def test_a_database_that_gets_locked_under_way_deletes_nothing(
    ready: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask()
    raw = reply(request)
    server.deliver(APPROVALS, raw)
    real = understanding.told_of
    with ExitStack() as lock, monkeypatch.context() as patch:

        def lock_then_understand(desk: Apart, mail: Fetched) -> Told:
            lock.enter_context(locked_database(ready))
            return real(desk, mail)

        patch.setattr(TOLD, lock_then_understand)
        with pytest.raises(OperationalError):
            take_from()
    assert (inbox_of(server), outcomes(), decisions(request)) == ([raw], [None], 0)
    assert run(after=MINUTE).by_outcome == {"approved": 1}


def test_with_approval_off_nothing_is_touched(ready: Flask, server: MailServer) -> None:
    raw = reply(ask())
    server.deliver(APPROVALS, raw)
    set_up(enable_email_approval=False)
    report = run(at_once=True)
    assert "off" in report.error
    assert inbox_of(server) == [raw]
    assert rows() == []


def test_a_run_that_is_stopped_keeps_what_it_committed(ready: Flask, server: MailServer) -> None:
    for number in range(35):
        server.deliver(APPROVALS, reply(None, f"{JUNK} {number}"))
    set_up(email_reply_process_count=100)
    answers = iter([True, False])
    report = run(keep_going=lambda: next(answers))
    assert 0 < report.looked_at < 35
    assert len(inbox_of(server)) == 35 - report.looked_at == report.left
    run(after=MINUTE)
    assert inbox_of(server) == []
    assert len(rows()) == 35


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"imap_password": "wrong"}, "IMAP Password"),
        ({"email_reply_folder": "Nowhere"}, "INBOX"),
        ({"tls_ca_certificates": ""}, "certificate"),
        ({"imap_host_port": 1, "imap_password": "s"}, "port"),
    ],
)
def test_trouble_with_the_server_is_told_and_loses_nothing(
    wrong: dict[str, object], said: str, ready: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, reply(ask()))
    set_up(
        **{
            "smtp_host_name": server.host,
            "smtp_password": "s3cret-of-the-mailbox",
            "imap_host_name": server.host,
            **wrong,
        }
    )
    report = run()
    assert said in report.error
    assert "s3cret" not in report.error
    assert len(inbox_of(server)) == 1
    shown = status.overview(now=NOW)["reply_processing"]
    assert (shown["error"], shown["failing_since"] is None) == (report.error, False)
    assert "Waiting" in run(after=timedelta(seconds=30)).error
    connect(server, imap_password="s3cret-of-the-mailbox", email_reply_folder="INBOX")
    assert run(after=timedelta(seconds=31)).by_outcome == {"approved": 1}
    assert channels.get(inbox.CHANNEL).error == ""


def test_a_changed_uidvalidity_decides_nothing_twice(ready: Flask, server: MailServer) -> None:
    request = ask()
    raw = reply(request)
    server.deliver(APPROVALS, raw)
    with suppress(Killed):
        take_from(KilledBeforeDelete)
    with transaction():
        for row in db.session.scalars(select(Reply)):
            row.uidvalidity += 1
    assert run(after=MINUTE).by_outcome == {"duplicate": 1}
    assert decisions(request) == 1
    assert inbox_of(server) == []


def test_who_was_disabled_decides_nothing_with_mail_that_waits(
    ready: Flask, server: MailServer
) -> None:
    request = ask()
    server.deliver(APPROVALS, reply(request))
    accounts.set_active(BOB, False)
    assert run().by_outcome == {"not_an_approver": 1}
    assert decisions(request) == 0


def test_the_whole_loop_asks_reads_decides_and_confirms(ready: Flask, server: MailServer) -> None:
    request = ask()
    assert delivery.deliver_due(now=NOW).sent == 1
    assert len(server.mailbox(BOB)) == 1
    server.deliver(APPROVALS, reply(request, "Approve, after lunch"))
    assert run().by_outcome == {"approved": 1}
    assert delivery.deliver_due(now=NOW + MINUTE).sent == 1
    assert len(server.mailbox(BOB)) == 2
    (decision,) = approvals.get(request.approval_id).decisions
    assert (decision.comment, decision.channel) == ("after lunch", "email")


def use_dovecot(dovecot: Dovecot, user: str) -> None:
    set_up(
        imap_host_name=dovecot.host,
        imap_host_port=dovecot.imap_port,
        imap_user=user,
        imap_password=PASSWORD,
        tls_ca_certificates=dovecot.ca_pem,
    )


@pytest.mark.dovecot
def test_dovecot_is_read_and_emptied_of_exactly_what_was_settled(
    people: Flask, dovecot: Dovecot, new_address: Callable[[], str]
) -> None:
    user = new_address()
    use_dovecot(dovecot, user)
    request = ask()
    dovecot.deliver(user, reply(request), reply(request, "Reject"), reply(None))
    with dovecot.client(user) as other:
        other.select_folder("INBOX")
        other.set_flags([3], [r"\Deleted"])
        report = run()
        assert report.by_outcome == {"approved": 1, "already_decided": 1}
        other.noop()
        assert other.search() == [3]
    assert (report.left, decisions(request)) == (0, 1)


@pytest.mark.dovecot
def test_without_uidplus_marks_of_others_stop_no_decision_and_lose_no_mail(
    people: Flask,
) -> None:
    need("dovecot", "dovecot-imapd")
    user = "person@example.test"
    with Dovecot(capability="IMAP4rev1 LITERAL+ STARTTLS AUTH=PLAIN") as server:
        use_dovecot(server, user)
        first, second = ask(), ask()
        server.deliver(user, reply(None), reply(first))
        with server.client(user) as other:
            other.select_folder("INBOX")
            other.set_flags([1], [r"\Deleted"])
            assert "marked deleted" in run().error
            server.deliver(user, reply(second, "Reject"))
            assert "marked deleted" in run(after=2 * MINUTE).error
            other.noop()
            assert other.search() == [1, 2, 3]
            other.remove_flags([1], [r"\Deleted"])
            assert run(after=4 * MINUTE).error == ""
            other.noop()
            assert other.search() == []
    assert outcomes() == ["approved", "rejected", "unknown_reference"]
    assert (decisions(first), decisions(second)) == (1, 1)
