"""What lay in the folder before flexmail stays there until an admin says that it may go."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, text

from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import Conflict
from flexmail.models import Reply, ReplyFolder
from flexmail.services import (
    approvals,
    folder_scan,
    folder_window,
    reply_folders,
    settings,
    status,
)
from flexmail.services.folder_memory import Memory
from flexmail.services.folder_window import Window
from flexmail.services.inbox import Report, process_replies
from flexmail.services.reply_folders import Held
from flexmail.services.reply_run import Run
from flexmail.transport.imap import Folder
from tests.conftest import NOW
from tests.servers import PASSWORD, Dovecot
from tests.services.stage import APPROVALS, ask, connect, reply, set_up

MINUTE = timedelta(minutes=1)


@pytest.fixture
def fresh(people: Flask, server: MailServer) -> Flask:
    """Approval is on, and flexmail has never read the folder."""
    connect(server)
    forget_the_folder()
    return people


def forget_the_folder() -> None:
    with transaction():
        db.session.execute(delete(ReplyFolder))


def old(number: int, *, sender: str = "boss@corp.test", day: int = 5) -> bytes:
    head = f"From: The Boss <{sender}>\r\nDate: Mon, {day:02} Oct 2026 23:05:00 -0700\r\n"
    return f"{head}Subject: Important {number}\r\n\r\nKeep this {number}.\r\n".encode()


def run(*, after: timedelta = timedelta()) -> Report:
    report = process_replies(now=NOW + after)
    assert report.error == ""
    return report


def held() -> Held | None:
    db.session.rollback()
    return reply_folders.held(settings.load())


def confirm(**given: str) -> int:
    return reply_folders.confirm(settings.load(), now=NOW, **given)


def inbox_of(server: MailServer) -> list[bytes]:
    return [raw for _, raw in server.mailbox(APPROVALS)]


def test_old_mail_stays_untouched_and_new_mail_is_processed(
    fresh: Flask, server: MailServer
) -> None:
    before = [old(number) for number in range(3)]
    for raw in before:
        server.deliver(APPROVALS, raw)
    for number in range(3):
        report = run(after=number * MINUTE)
        assert (report.looked_at, report.held, report.left) == (0, 3, 0)
    server.deliver(APPROVALS, old(7))
    report = run(after=3 * MINUTE)
    assert report.by_outcome == {"unknown_reference": 1}
    assert (report.held, report.left) == (3, 0)
    assert inbox_of(server) == before
    assert len(db.session.scalars(select(Reply)).all()) == 1


def test_replies_to_requests_among_old_mail_are_processed(fresh: Flask, server: MailServer) -> None:
    threaded, by_link, closed = ask(), ask(), ask()
    approvals.cancel(closed.approval_id, now=NOW)
    tag = f"[FM #{by_link.approval_id}]".encode()
    answers = [
        reply(threaded),
        reply(by_link, "Reject", threaded=False).replace(b"Subject: Re:", b"Subject: " + tag),
        reply(closed),
    ]
    for raw in (old(1), answers[0], old(2), answers[1], answers[2], old(3)):
        server.deliver(APPROVALS, raw)
    report = run()
    assert report.by_outcome == {"approved": 1, "rejected": 1, "cancelled": 1}
    assert (report.held, report.left) == (3, 0)
    assert inbox_of(server) == [old(1), old(2), old(3)]


def test_a_tag_that_names_no_request_of_ours_takes_no_old_mail(
    fresh: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, old(1).replace(b"Important", b"[FM #4711]"))
    assert run().held == 1


def test_whoever_confirms_is_told_how_many_from_when_and_from_whom(
    fresh: Flask, server: MailServer
) -> None:
    for number in range(4):
        server.deliver(APPROVALS, old(number, day=9 - number))
    server.deliver(APPROVALS, old(5, sender="<script>@corp.test"))
    server.deliver(APPROVALS, b"Subject: no sender\r\nDate: Thu, 1 Jan 2037 00:00:00 +0000\r\n\r\n")
    run()
    found = held()
    assert found is not None
    assert (found.folder, found.count, found.oldest, found.surveyed) == (
        "INBOX",
        6,
        "2026-10-06",
        6,
    )
    assert found.senders[0] == ("boss@corp.test", 4)
    assert dict(found.senders)["unknown sender"] >= 1
    overview = status.overview(now=NOW)
    assert overview["reply_processing"]["held"] == 6
    assert overview["reply_processing"]["waiting"] == 0
    assert any("boss@corp.test (4)" in warning for warning in overview["warnings"])


def test_once_confirmed_old_mail_is_processed_like_any_other(
    fresh: Flask, server: MailServer
) -> None:
    for number in range(3):
        server.deliver(APPROVALS, old(number))
    run()
    assert confirm() == 3
    assert held() is None
    assert run(after=MINUTE).by_outcome == {"unknown_reference": 3}
    assert inbox_of(server) == []
    assert confirm() == 0


def test_what_is_confirmed_while_a_run_goes_on_is_not_held_again(
    fresh: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        server.deliver(APPROVALS, old(number))
    run()
    server.deliver(APPROVALS, reply(ask()))
    looked = folder_window.look

    def confirmed_behind(folder: Folder, run: Run, memory: Memory) -> Window:
        window = looked(folder, run, memory)
        assert confirm() == 2
        return window

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(folder_window, "look", confirmed_behind)
        assert run(after=MINUTE).by_outcome == {"approved": 1}
    assert held() is None
    assert run(after=2 * MINUTE).by_outcome == {"unknown_reference": 2}


def test_what_is_confirmed_is_what_was_shown(fresh: Flask, server: MailServer) -> None:
    server.deliver(APPROVALS, old(1))
    run()
    shown = held()
    assert shown is not None
    with transaction():
        db.session.scalars(select(ReplyFolder)).one().uidvalidity += 1
    with pytest.raises(Conflict, match="look at it again"):
        confirm(mark=shown.mark)
    run(after=MINUTE)
    again = held()
    assert again is not None
    assert confirm(mark=again.mark) == 1


def test_where_uids_mean_other_mails_everything_is_held_again_until_confirmed(
    fresh: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, old(1))
    run()
    server.deliver(APPROVALS, old(2))

    def change_uidvalidity() -> None:
        with transaction():
            db.session.scalars(select(ReplyFolder)).one().uidvalidity += 1

    change_uidvalidity()
    assert run(after=MINUTE).held == 2
    assert len(inbox_of(server)) == 2
    assert confirm() == 2
    change_uidvalidity()
    assert run(after=2 * MINUTE).by_outcome == {"unknown_reference": 2}


def test_where_a_server_gives_its_numbers_anew_a_reply_is_not_taken_for_old_mail(
    fresh: Flask, server: MailServer
) -> None:
    server.deliver(APPROVALS, old(1))
    run()
    server.deliver(APPROVALS, old(2))
    request = ask()
    server.deliver(APPROVALS, reply(request))
    with transaction():  # as it was before the server was put back from a copy
        row = db.session.scalars(select(ReplyFolder)).one()
        row.scanned_uid, row.scanned_position, row.held_below_uid = 1000, 1000, 1001
        row.promising = {"threaded": [[2, request.approval_id]]}
    report = run(after=MINUTE)
    assert (report.by_outcome, report.held) == ({"approved": 1}, 2)
    assert len(inbox_of(server)) == 2


def test_a_server_that_tells_an_old_uidnext_has_no_later_mail_held_back(
    fresh: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(APPROVALS, old(1))
    run()
    server.deliver(APPROVALS, old(2))
    assert run(after=MINUTE).by_outcome == {"unknown_reference": 1}
    scanned_uid = db.session.scalars(select(ReplyFolder.scanned_uid)).one()
    as_it_was = property(lambda _: scanned_uid, lambda *_: None)
    assert scanned_uid > 0
    monkeypatch.setattr(Folder, "uidnext", as_it_was, raising=False)
    server.deliver(APPROVALS, old(3))
    report = run(after=2 * MINUTE)
    assert (report.by_outcome, report.held) == ({"unknown_reference": 1}, 1)


def test_an_empty_folder_is_flexmails_from_the_first_run_on(
    fresh: Flask, server: MailServer
) -> None:
    assert run().held == 0
    server.deliver(APPROVALS, old(1))
    with transaction():
        db.session.scalars(select(ReplyFolder)).one().uidvalidity += 1
    assert run(after=MINUTE).by_outcome == {"unknown_reference": 1}


def test_where_nothing_is_held_the_database_says_null(fresh: Flask, server: MailServer) -> None:
    def stored() -> tuple[object, object]:
        db.session.rollback()
        wanted = text("SELECT held, held_below_uid FROM reply_folders")
        return tuple(db.session.execute(wanted).one())

    run()
    assert stored() == (None, None)
    forget_the_folder()
    server.deliver(APPROVALS, old(1))
    run(after=MINUTE)
    assert None not in stored()
    confirm()
    assert stored() == (None, None)


def test_a_folder_that_replies_were_taken_from_before_needs_no_confirmation(
    fresh: Flask, server: MailServer
) -> None:
    assert run().held == 0
    server.deliver(APPROVALS, old(1))
    run(after=MINUTE)
    forget_the_folder()
    server.deliver(APPROVALS, old(2))
    assert run(after=2 * MINUTE).by_outcome == {"unknown_reference": 1}


def test_another_folder_is_held_back_for_itself(fresh: Flask, server: MailServer) -> None:
    run()
    with transaction():
        db.session.scalars(select(ReplyFolder)).one().folder = "Elsewhere"
    server.deliver(APPROVALS, old(1))
    assert run(after=MINUTE).held == 1


@pytest.mark.dovecot
def test_once_others_took_the_old_mail_away_nothing_is_held(
    people: Flask, dovecot: Dovecot, new_address: Callable[[], str]
) -> None:
    user = use(dovecot, new_address)
    dovecot.deliver(user, old(1), old(2))
    assert run().held == 2
    with dovecot.client(user) as other:
        other.select_folder("INBOX")
        other.delete_messages([1, 2])
        other.expunge()
    assert run(after=2 * MINUTE).held == 0
    assert held() is None


def use(dovecot: Dovecot, new_address: Callable[[], str]) -> str:
    user = new_address()
    set_up(
        imap_host_name=dovecot.host,
        imap_host_port=dovecot.imap_port,
        imap_user=user,
        imap_password=PASSWORD,
        tls_ca_certificates=dovecot.ca_pem,
    )
    forget_the_folder()
    return user


@pytest.mark.dovecot
def test_old_mail_beyond_a_runs_window_is_counted_and_searched_for_answers_bit_by_bit(
    people: Flask,
    dovecot: Dovecot,
    new_address: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folder_scan, "WINDOW", 40)
    user = use(dovecot, new_address)
    first, last = ask(), ask()
    dovecot.fill(
        user,
        itertools.chain(
            map(old, range(20)), [reply(first)], map(old, range(20, 70)), [reply(last), old(70)]
        ),
    )
    report = run()
    assert (report.by_outcome, report.held) == ({"approved": 1}, 72)
    found = held()
    assert found is not None
    assert found.surveyed == 39
    dovecot.deliver(user, reply(last, "Reject"))
    report = run(after=MINUTE)
    assert (report.by_outcome, report.held) == ({"approved": 1, "already_decided": 1}, 71)
    assert (run(after=2 * MINUTE).looked_at, len(seen(dovecot, user))) == (0, 71)


def seen(dovecot: Dovecot, user: str) -> list[int]:
    with dovecot.client(user) as other:
        other.select_folder("INBOX", readonly=True)
        return list(other.search("ALL"))


@pytest.mark.dovecot
def test_answers_that_others_took_away_are_not_taken_for_held_mail(
    people: Flask, dovecot: Dovecot, new_address: Callable[[], str]
) -> None:
    set_up(email_reply_process_count=1)
    user = use(dovecot, new_address)
    request = ask()
    answers = [reply(request) for _ in range(60)]
    dovecot.fill(user, [*answers, old(1), old(2)])
    assert run().held == 2
    with dovecot.client(user) as other:
        other.select_folder("INBOX")
        other.delete_messages(other.search("ALL")[:-2])
        other.expunge()
    for number in range(1, 5):
        run(after=number * MINUTE)
    found = held()
    assert found is not None
    assert (found.count, len(seen(dovecot, user))) == (2, 2)


@pytest.mark.dovecot
def test_the_mark_is_kept_where_the_run_breaks_off_at_once(
    people: Flask, dovecot: Dovecot, new_address: Callable[[], str]
) -> None:
    user = use(dovecot, new_address)
    dovecot.deliver(user, old(1))
    set_up(reply_trust="authenticated_sender", trusted_authserv_id="mx.corp.test")
    forget_the_folder()
    assert process_replies(now=NOW).held == 1
    dovecot.deliver(user, old(2))
    set_trust_aside()
    report = process_replies(now=NOW + MINUTE, at_once=True)
    assert (report.by_outcome, report.held) == ({"unknown_reference": 1}, 1)


def set_trust_aside() -> None:
    settings.save(
        settings.stored_values(settings.load())
        | {"reply_trust": "reference_and_sender"}
        | dict.fromkeys(("smtp_password", "imap_password"), "")
        | dict.fromkeys(("smtp_password_remove", "imap_password_remove"), False)
    )
