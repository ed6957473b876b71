"""A database belongs to one flexmail: another one on a copy of it reads and sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.errors import OwnershipLost
from flexmail.models import Installation
from flexmail.services import (
    approvals,
    claims,
    delivery,
    inbox,
    installation,
    leases,
    reply_run,
    settings,
    status,
    watching,
)
from flexmail.services.reply_run import LEASE, Report, Run
from tests.conftest import NOW
from tests.services.stage import APPROVALS, ask, connect, queued, reply, set_up
from tests.services.test_audit import entries


def claim_elsewhere() -> None:
    """Let another flexmail claim the database, as `flexmail restore --claim` does there."""
    with transaction():
        db.session.get_one(Installation, 1).mark = "the-mark-of-another"


def test_a_new_database_takes_the_mark_beside_the_keys(context: Flask) -> None:
    mark = Path(context.instance_path, "installation.mark").read_text().strip()
    assert db.session.get_one(Installation, 1).mark == mark
    assert installation.objection() == ""


def test_hosts_with_one_mark_share_a_database(
    context: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEXMAIL_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path}/shared.db")
    monkeypatch.setenv("FLEXMAIL_INSTALLATION_MARK", "shared-by-all")
    for host, mark, objects in [
        ("one", "", False),
        ("two", "", False),
        ("three", "other-one", True),
    ]:
        monkeypatch.setenv("FLEXMAIL_INSTANCE_PATH", str(tmp_path / host))
        if mark:
            monkeypatch.setenv("FLEXMAIL_INSTALLATION_MARK", mark)
        with create_app({"TESTING": True}).app_context():
            assert bool(installation.objection()) is objects


def test_a_copy_of_the_database_reads_nothing_and_sends_nothing(
    people: Flask, server: MailServer
) -> None:
    connect(server)
    request = ask()
    server.deliver(APPROVALS, reply(request))
    claim_elsewhere()
    report = inbox.process_replies(now=NOW, at_once=True)
    assert "belongs to another flexmail" in report.error
    assert report.looked_at == 0
    sent = delivery.deliver_due(now=NOW, at_once=True)
    assert "belongs to another flexmail" in sent.error
    assert (sent.sent, queued()[0].state) == (0, "queued")
    assert approvals.get(request.approval_id).status == "pending"
    assert len(server.mailbox(APPROVALS)) == 1


def test_once_claimed_it_works_and_says_so(people: Flask, server: MailServer) -> None:
    connect(server)
    request = ask()
    server.deliver(APPROVALS, reply(request))
    claim_elsewhere()
    assert installation.claim(now=NOW)
    assert entries()[-1].action == "installation_claimed"
    assert inbox.process_replies(now=NOW, at_once=True).by_outcome == {"approved": 1}
    assert delivery.deliver_due(now=NOW, at_once=True).sent == 1
    assert not installation.claim(now=NOW)


def test_a_run_that_lost_the_database_commits_nothing_more(people: Flask) -> None:
    set_up()
    fence = leases.acquire(LEASE, "one:1:a", now=NOW, seconds=60)
    assert fence is not None
    in_force = settings.in_force(settings.load())
    run = Run("a@b:1", in_force, NOW, fence, Report(NOW), lambda: True)
    with transaction():
        reply_run.stand_firm(run)
    claim_elsewhere()
    with pytest.raises(OwnershipLost, match="another flexmail"), transaction():
        reply_run.stand_firm(run)


def test_a_run_under_way_stops_when_the_database_is_claimed_elsewhere(
    people: Flask, server: MailServer
) -> None:
    connect(server)
    request = ask()
    server.deliver(APPROVALS, reply(request))
    asked: list[bool] = []

    def claimed_meanwhile() -> bool:
        if not asked:
            claim_elsewhere()
        asked.append(True)
        return True

    report = inbox.process_replies(now=NOW, at_once=True, keep_going=claimed_meanwhile)
    assert asked
    assert "belongs to another flexmail" in report.error
    assert report.looked_at == 0
    assert approvals.get(request.approval_id).status == "pending"
    assert len(server.mailbox(APPROVALS)) == 1


def test_no_mail_is_claimed_for_sending_once_the_database_is_lost(people: Flask) -> None:
    set_up()
    ask()
    claim_elsewhere()
    assert claims.claim(NOW, NOW, at_once=True) == []
    assert [mail.state for mail in queued()] == ["queued"]


def test_a_claim_ends_every_hold_on_the_jobs(people: Flask) -> None:
    fences = [leases.acquire(name, "one:1:a", now=NOW, seconds=60) for name in ("jobs", LEASE)]
    claim_elsewhere()
    installation.claim(now=NOW)
    for name, fence in zip(("jobs", LEASE), fences, strict=True):
        assert leases.holder(name, now=NOW) == ""
        fresh = leases.acquire(name, "two:2:b", now=NOW, seconds=60)
        assert fresh is not None
        assert fence is not None
        assert fresh > fence


def test_after_a_claim_no_id_means_two_requests(people: Flask) -> None:
    set_up()
    assert ask().approval_id == 1
    claim_elsewhere()
    installation.claim(now=NOW)
    assert [ask().approval_id for _ in range(2)] == [1001, 1002]


def test_a_folder_is_not_watched_either(people: Flask, server: MailServer) -> None:
    connect(server, process_as_they_arrive=True)
    claim_elsewhere()
    calls: list[object] = []

    def note(result: bool) -> Callable[..., bool]:
        def call(*args: object) -> bool:
            calls.append(args)
            return result

        return call

    watching.watch(note(True), note(False))
    assert calls == []


def test_the_status_says_whose_the_database_is(context: Flask) -> None:
    assert status.overview(now=NOW)["installation"] == {"ours": True, "reason": ""}
    claim_elsewhere()
    shown = status.overview(now=NOW)["installation"]
    assert shown["ours"] is False
    assert "flexmail restore --claim" in shown["reason"]
