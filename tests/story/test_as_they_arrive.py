"""Replies that are processed as they arrive: jobs that watch the folder, with a long interval."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from flexmail import jobs
from flexmail.db import db
from flexmail.demo.mailserver import MailServer
from flexmail.forms import values_from
from flexmail.models import Lease
from flexmail.services import (
    accounts,
    approval_requests,
    approvals,
    delivery,
    leases,
    settings,
    status,
    watching,
)
from flexmail.services.approval_requests import NewApproval
from flexmail.services.reply_run import LEASE
from tests.fixtures_servers import EMBEDDED_USERS
from tests.rogue import RogueServer, imap_script
from tests.servers import PASSWORD
from tests.story import post
from tests.story.waiting import wait_for

APPROVALS, BOB, _ = EMBEDDED_USERS


@pytest.fixture
def watched(context: Flask, embedded: MailServer) -> MailServer:
    """Settings that watch the folder and otherwise look into it once a day."""
    accounts.add(BOB, role="approver", name="Bob", now=datetime.now(UTC))
    save(
        smtp_host_name=embedded.host,
        smtp_host_port=embedded.smtp_port,
        smtp_user=APPROVALS,
        smtp_password=PASSWORD,
        smtp_from_address=APPROVALS,
        enable_email_approval=True,
        imap_host_name=embedded.host,
        imap_host_port=embedded.imap_port,
        tls_ca_certificates=embedded.ca_pem,
        process_as_they_arrive=True,
        email_reply_process_interval=1440,
    )
    return embedded


@pytest.fixture
def start_owner(context: Flask) -> Iterator[Callable[[], jobs.JobOwner]]:
    owners: list[jobs.JobOwner] = []

    def start() -> jobs.JobOwner:
        owners.append(jobs.JobOwner(context))
        owners[-1].start()
        wait_for(owners[-1].owns, seconds=20, what="it owns")
        return owners[-1]

    yield start
    for owner in owners:
        owner.stop()


def save(**given: object) -> None:
    settings.save(values_from(settings.stored_values(settings.load()), given))


def ask(server: MailServer) -> tuple[int, bytes]:
    """Ask Bob, and return the approval's id and his mail."""
    now = datetime.now(UTC)
    seen = len(server.mailbox(BOB))
    approval = approval_requests.request(NewApproval(title="Deploy", approvers=(BOB,)), now=now)
    approval_id = approval.id
    delivery.deliver_due(now=now)
    wait_for(lambda: len(server.mailbox(BOB)) > seen, seconds=20, what="Bob is asked")
    return approval_id, server.mailbox(BOB)[-1][1]


def wait_for_status(approval_id: int, wanted: str, seconds: float) -> None:
    def is_so() -> bool:
        db.session.rollback()
        return approvals.get(approval_id).status == wanted

    wait_for(is_so, seconds=seconds, what=f"approval {approval_id} is {wanted}")


def test_a_reply_decides_seconds_after_it_came(
    watched: MailServer, start_owner: Callable[[], jobs.JobOwner]
) -> None:
    start_owner()
    wait_for(lambda: status_of_replies()["last_run"], seconds=20, what="the first run")
    for words, wanted in (("Approve", "approved"), ("Reject", "rejected")):
        approval_id, question = ask(watched)
        watched.deliver(APPROVALS, post.top_posted(question, BOB, words))
        wait_for_status(approval_id, wanted, 20)
    wait_for(lambda: watched.mailbox(APPROVALS) == [], seconds=20, what="an empty folder")


def test_the_watch_begins_and_ends_with_the_setting(
    watched: MailServer, start_owner: Callable[[], jobs.JobOwner]
) -> None:
    save(process_as_they_arrive=False)
    start_owner()
    wait_for(lambda: status_of_replies()["last_run"], seconds=20, what="the first run")
    approval_id, question = ask(watched)
    watched.deliver(APPROVALS, post.top_posted(question, BOB, "Approve"))
    with pytest.raises(AssertionError, match="is approved"):
        wait_for_status(approval_id, "approved", 2)

    save(process_as_they_arrive=True)

    wait_for_status(approval_id, "approved", 20)


def test_a_stop_ends_the_watch(
    watched: MailServer, start_owner: Callable[[], jobs.JobOwner]
) -> None:
    owner = start_owner()
    wait_for(lambda: status_of_replies()["last_run"], seconds=20, what="the first run")
    approval_id, question = ask(watched)
    watched.deliver(APPROVALS, post.top_posted(question, BOB, "Approve"))
    wait_for_status(approval_id, "approved", 20)
    began = datetime.now(UTC)

    owner.stop()

    assert datetime.now(UTC) - began < timedelta(seconds=25)
    assert status_of_replies()["owner"] is None


def test_a_reply_that_comes_while_another_run_reads_decides_when_that_has_ended(
    watched: MailServer, start_owner: Callable[[], jobs.JobOwner]
) -> None:
    start_owner()
    wait_for(lambda: status_of_replies()["last_run"], seconds=20, what="the first run")
    approval_id, question = ask(watched)
    leases.acquire(LEASE, "elsewhere:1:0", now=datetime.now(UTC), seconds=2)
    watched.deliver(APPROVALS, post.top_posted(question, BOB, "Approve"))

    wait_for_status(approval_id, "approved", 8)


def test_a_refused_login_is_tried_again_ten_times_an_hour_at_most(watched: MailServer) -> None:
    heard: list[bytes] = []
    script = imap_script({"LOGIN": b"TAG NO [AUTHENTICATIONFAILED] no\r\n"}, heard=heard)
    with RogueServer(script) as server:
        save(imap_host_name=server.host, imap_host_port=server.port, imap_password="wrong")

        for _ in range(3):
            watching.watch(lambda _now: True, lambda: True)

    assert len([line for line in heard if b"LOGIN" in line]) == 1


def test_the_watch_goes_on_after_the_database_was_locked(
    watched: MailServer,
    start_owner: Callable[[], jobs.JobOwner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 4.0)
    owner = start_owner()
    wait_for(lambda: status_of_replies()["last_run"], seconds=20, what="the first run")
    approval_id, question = ask(watched)
    watched.deliver(APPROVALS, post.top_posted(question, BOB, "Approve"))
    wait_for_status(approval_id, "approved", 20)
    approval_id, question = ask(watched)
    renewed = lease_expiry()
    wait_for(lambda: lease_expiry() > renewed, seconds=20, what="the lease was just renewed")

    path = Path(owner.app.instance_path, "flexmail.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        wait_for(lambda: not owner.owns(), seconds=20, what="the lease is late")
        wait_for_the_watch_to_see_it()
        other.execute("ROLLBACK")
    wait_for(owner.owns, seconds=20, what="it owns again")
    watched.deliver(APPROVALS, post.top_posted(question, BOB, "Approve"))

    wait_for_status(approval_id, "approved", 8)


def wait_for_the_watch_to_see_it() -> None:
    end = datetime.now(UTC) + timedelta(seconds=1.5)
    wait_for(lambda: datetime.now(UTC) > end, seconds=3, what="a second and a half")


def lease_expiry() -> datetime:
    db.session.rollback()
    return db.session.get_one(Lease, status.JOBS_LEASE).expires_at


def status_of_replies() -> dict[str, object]:
    db.session.rollback()
    return dict(status.overview(now=datetime.now(UTC))["reply_processing"])
