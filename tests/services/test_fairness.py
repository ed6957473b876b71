"""Who comes first, and that nobody waits for ever: order, window and what it costs on the wire."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.models import Reply, ReplyFolder
from flexmail.services import approvals, folder_scan
from flexmail.services.folder_window import arrange
from flexmail.services.inbox import Report, process_replies
from flexmail.transport.imap import Listed
from tests.conftest import NOW
from tests.relay import CountingLine
from tests.rogue import RogueServer
from tests.servers import PASSWORD, Dovecot
from tests.services.stage import APPROVALS, ask, reply, set_up

MINUTE = timedelta(minutes=1)
COUNT = 30
_junk_numbers = itertools.count()


def listed(*uids: int) -> list[Listed]:
    return [Listed(uid, 100, frozenset()) for uid in uids]


@pytest.mark.parametrize(
    ("promising", "rest", "count", "turn", "first"),
    [
        ([], [1, 2, 3, 4], 3, 0, [1, 2, 3]),
        ([8, 9], [1, 2, 3, 4], 4, 0, [8, 9, 1, 2]),
        ([7, 8, 9], [1, 2], 4, 0, [7, 8, 9, 1]),
        ([6, 7, 8, 9], [1, 2], 4, 0, [6, 7, 8, 1]),
        (range(20, 60), [1, 2, 3, 4], 12, 0, [*range(20, 29), 1, 2, 3]),
        (range(20, 60), [1], 12, 0, [*range(20, 31), 1]),
        (range(20, 60), [], 5, 0, [20, 21, 22, 23, 24]),
        ([8, 9], [1, 2], 2, 0, [8, 1]),
        ([8, 9], [1, 2], 1, 0, [8]),
        ([8, 9], [1, 2], 1, 1, [1]),
        ([8, 9], [], 1, 1, [8]),
        ([], [1, 2], 1, 0, [1]),
    ],
)
def test_promising_mail_goes_first_and_a_quarter_is_kept_for_the_rest(
    promising: list[int], rest: list[int], count: int, turn: int, first: list[int]
) -> None:
    arranged = arrange(listed(*promising), listed(*rest), count=count, turn=turn)
    assert [mail.uid for mail in arranged[:count]] == first
    assert sorted(mail.uid for mail in arranged) == sorted([*promising, *rest])


def junk(subject: str = "Offer") -> bytes:
    number = next(_junk_numbers)
    head = f"From: shop{number % 50}@elsewhere.test\r\nTo: {APPROVALS}\r\nSubject: {subject}\r\n"
    return (
        f"{head}Date: Mon, 05 Oct 2026 09:05:00 +0000\r\nMessage-ID: <j{number}@elsewhere.test>"
        f"\r\n\r\nBuy now {number}\r\n"
    ).encode()


@pytest.fixture
def line(dovecot: Dovecot) -> Iterator[tuple[CountingLine, RogueServer]]:
    counting = CountingLine(dovecot)
    with RogueServer(counting) as server:
        yield counting, server


@pytest.fixture
def user(
    people: Flask,
    dovecot: Dovecot,
    new_address: Callable[[], str],
    line: tuple[CountingLine, RogueServer],
) -> str:
    """The mailbox of the replies, read in clear over the counting line on loopback."""
    address = new_address()
    set_up(
        imap_host_name=line[1].host,
        imap_host_port=line[1].port,
        imap_enable_starttls=False,
        imap_user=address,
        imap_password=PASSWORD,
        email_reply_process_count=COUNT,
    )
    return address


def run(after: timedelta = timedelta()) -> Report:
    report = process_replies(now=NOW + after, at_once=True)
    assert report.error == ""
    assert report.looked_at <= COUNT
    return report


def status_of(approval_id: int) -> str:
    db.session.rollback()
    return approvals.get(approval_id).status


def folder() -> ReplyFolder:
    db.session.rollback()
    return db.session.scalars(select(ReplyFolder)).one()


def subjects() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Reply.subject).order_by(Reply.id)))


@pytest.mark.dovecot
def test_a_reply_behind_ten_thousand_junk_mails_is_decided_within_three_runs(
    user: str, dovecot: Dovecot
) -> None:
    request, by_link = ask(), ask()
    tagged = reply(by_link, threaded=False).replace(
        b"Deploy billing 4.2\r\n", f"Deploy billing 4.2 [FM #{by_link.approval_id}]\r\n".encode(), 1
    )
    before = (junk() for _ in range(10_000))
    dovecot.fill(user, itertools.chain(before, [reply(request), tagged]))
    settled = 0
    for number in range(3):
        report = run(number * MINUTE)
        assert report.left == 10_002 - settled - report.looked_at
        settled += report.looked_at
    assert settled == 3 * COUNT
    assert [status_of(one.approval_id) for one in (request, by_link)] == ["approved", "approved"]


@pytest.mark.dovecot
def test_a_run_costs_the_same_whatever_the_folder_holds(
    user: str, dovecot: Dovecot, line: tuple[CountingLine, RogueServer]
) -> None:
    counting, costs = line[0], []
    for number, (more, runs) in enumerate([(100, 2), (10_000, 4)]):
        dovecot.fill(user, (junk() for _ in range(more)))
        for again in range(runs):
            counting.start_again()
            assert run(timedelta(hours=number, minutes=again)).looked_at == COUNT
        costs.append((counting.commands, counting.received))
    (few, few_bytes), (many, many_bytes) = costs
    pieces = few.pop("UID FETCH"), many.pop("UID FETCH")  # they grow with the speed of the line
    assert max(pieces) <= COUNT
    assert few == many
    assert few["FETCH"] == 1
    assert abs(many_bytes - few_bytes) < 2000


@pytest.mark.dovecot
def test_a_flood_of_forged_tags_starves_neither_a_threaded_reply_nor_old_mail(
    user: str, dovecot: Dovecot
) -> None:
    request = ask()
    old = [junk(f"old {number}") for number in range(20)]
    forged = (junk(f"Re: hello [FM #{request.approval_id}]") for _ in range(300))
    dovecot.fill(user, itertools.chain(old, forged, [reply(request)]))
    run()
    assert status_of(request.approval_id) == "approved"
    assert [one for one in subjects() if one.startswith("old")] == [f"old {n}" for n in range(7)]

    other = ask()
    dovecot.fill(user, (junk(f"Re: [FM #{other.approval_id}]") for _ in range(100)))
    for number in (1, 2):
        run(number * MINUTE)
    assert [one for one in subjects() if one.startswith("old")] == [f"old {n}" for n in range(20)]


@pytest.mark.dovecot
def test_with_a_count_of_one_promising_and_old_mail_take_turns(user: str, dovecot: Dovecot) -> None:
    set_up(email_reply_process_count=1)
    requests = [ask(), ask()]
    old = (junk(f"old {number}") for number in range(5))
    dovecot.fill(user, itertools.chain(old, map(reply, requests)))
    outcomes = [run(number * MINUTE).by_outcome for number in range(5)]
    decided, other = {"approved": 1}, {"unknown_reference": 1}
    assert outcomes == [decided, other, decided, other, other]


@pytest.mark.dovecot
def test_headers_are_looked_at_once_and_go_on_where_others_expunged(
    user: str, dovecot: Dovecot, line: tuple[CountingLine, RogueServer]
) -> None:
    counting = line[0]
    dovecot.fill(user, (junk() for _ in range(1000)))
    run()
    place = folder()
    assert (place.scanned_uid, place.scanned_position) == (1000, 1000 - COUNT)
    counting.start_again()
    run(MINUTE)
    assert counting.commands["FETCH"] == 1  # nothing came: no header is asked for

    with dovecot.client(user) as other:
        other.select_folder("INBOX")
        gone = other.search("ALL")[40:540:2]
        other.delete_messages([*gone, 1000])
        other.uid_expunge([*gone, 1000])
    request = ask()
    dovecot.deliver(user, junk("new"), reply(request))
    counting.start_again()
    assert run(2 * MINUTE).by_outcome["approved"] == 1
    assert counting.commands["FETCH"] <= 8
    assert counting.received < 60_000
    assert folder().scanned_uid == 1002


@pytest.mark.dovecot
def test_a_promising_mail_that_vanished_or_was_settled_is_forgotten(
    user: str, dovecot: Dovecot
) -> None:
    requests = [ask() for _ in range(COUNT + 3)]
    dovecot.fill(user, itertools.chain((junk() for _ in range(40)), map(reply, requests)))
    run()
    assert len(folder().promising["threaded"]) == COUNT + 3
    with dovecot.client(user) as other:
        other.select_folder("INBOX")
        other.delete_messages([40 + COUNT + 3])
        other.expunge()
    assert run(MINUTE).by_outcome["approved"] == COUNT + 3 - 23 - 1
    run(2 * MINUTE)
    assert folder().promising["threaded"] == []


@pytest.mark.dovecot
def test_a_promising_mail_whose_request_was_closed_meanwhile_waits_its_turn(
    user: str, dovecot: Dovecot
) -> None:
    open_one, closed = ask(), ask()
    loop = (reply(closed) for _ in range(60))
    dovecot.fill(user, itertools.chain((junk() for _ in range(40)), loop, [reply(open_one)]))
    approvals.cancel(closed.approval_id, now=NOW)
    assert run().by_outcome == {"approved": 1, "unknown_reference": COUNT - 1}


@pytest.mark.dovecot
def test_where_uids_mean_other_mails_headers_are_looked_at_anew(
    user: str, dovecot: Dovecot
) -> None:
    request = ask()
    dovecot.fill(user, itertools.chain((junk() for _ in range(60)), [reply(request)]))
    with transaction():
        row = db.session.scalars(select(ReplyFolder)).one()
        row.uidvalidity, row.scanned_uid, row.promising = 1, 5000, {"threaded": [[7, 1]]}
    assert run().by_outcome["approved"] == 1
    assert folder().scanned_uid == 61
    assert folder().promising["threaded"] == [[61, request.approval_id]]


def test_ten_thousand_mails_are_looked_at_in_three_runs() -> None:
    assert 3 * folder_scan.WINDOW >= 10_000
