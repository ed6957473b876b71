"""Who runs the jobs and when, with threads that are real and a database that is."""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select, event, select

from flexmail import jobs
from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.forms import values_from
from flexmail.models import Channel, Event, HourlyCount, Lease, OutboxMail
from flexmail.services import (
    approvals,
    callbacks,
    channels,
    event_log,
    event_types,
    events,
    inbox,
    leases,
    limits,
    settings,
    sign_in,
    status,
    wishes,
)
from flexmail.services.events import NewEvent
from flexmail.services.reply_run import LEASE
from tests.conftest import Cast
from tests.fixtures_servers import EMBEDDED_USERS
from tests.hook import TAKEN, Hook
from tests.rogue import Peer
from tests.servers import PASSWORD
from tests.services import stage
from tests.story.waiting import wait_for

TICK = jobs.TICK_SECONDS
ELSEWHERE = "elsewhere:1:0"


@pytest.fixture
def new_owner(app: Flask) -> Iterator[Callable[[], jobs.JobOwner]]:
    """Start job owners, as so many workers would have, and stop them all at the end."""
    owners: list[jobs.JobOwner] = []

    def start() -> jobs.JobOwner:
        owners.append(jobs.JobOwner(app))
        owners[-1].start()
        return owners[-1]

    yield start
    for owner in owners:
        owner.stop()


@pytest.fixture
def approval_on(cast: Cast, app: Flask, embedded: MailServer) -> MailServer:
    """Settings with email approval on, a run every five minutes, and a server behind them."""
    with app.app_context():
        save(
            smtp_host_name=embedded.host,
            smtp_host_port=embedded.smtp_port,
            smtp_user=EMBEDDED_USERS[0],
            smtp_password=PASSWORD,
            smtp_from_address=EMBEDDED_USERS[0],
            enable_email_approval=True,
            imap_host_name=embedded.host,
            imap_host_port=embedded.imap_port,
            tls_ca_certificates=embedded.ca_pem,
        )
    return embedded


def save(**given: object) -> None:
    settings.save(values_from(settings.stored_values(settings.load()), given))


def last_started() -> datetime | None:
    db.session.rollback()
    return channels.get(inbox.CHANNEL).started_at


def let_it_have_run(ago: timedelta) -> datetime:
    """Write down that the last run began so long ago; return when that was."""
    then = datetime.now(UTC) - ago
    with transaction():
        db.session.merge(Channel(name=inbox.CHANNEL, started_at=then, error=""))
    return then


def holder() -> str:
    db.session.rollback()
    return leases.holder(status.JOBS_LEASE, now=datetime.now(UTC))


def give_the_lease_to(owner: str) -> None:
    with transaction():
        lease = db.session.get_one(Lease, status.JOBS_LEASE)
        lease.owner, lease.fence = owner, lease.fence + 1
        lease.expires_at = datetime.now(UTC) + timedelta(seconds=1.5 * jobs.LEASE_SECONDS)


def wait_for_a_run(after: datetime, seconds: float) -> datetime:
    """Return when the first run later than `after` began."""

    def begun() -> datetime | None:
        started = last_started()
        return started if started and started > after else None

    found = wait_for(begun, seconds=seconds, what="a run of the reply job")
    assert found is not None
    return found


def test_two_owners_never_own_together_and_one_follows_the_other_at_once(
    context: Flask, cast: Cast, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    first = new_owner()
    wait_for(first.owns, seconds=5, what="the first owner owns")
    second = new_owner()
    both: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.001):
            if first.owns() and second.owns():
                both.append("both")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        second.wake()
        first.stop()
        wait_for(second.owns, seconds=5 * TICK, what="the second owner follows")
    finally:
        done.set()
        watcher.join()
    assert both == []
    assert not first.owns()


def test_a_stopped_owner_gives_the_lease_up(
    context: Flask, cast: Cast, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")
    assert holder() == f"{socket.gethostname()}:{os.getpid()}"

    owner.stop()

    assert holder() == ""


def test_a_dead_owner_is_replaced_when_its_lease_runs_out_and_not_before(
    context: Flask, cast: Cast, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=2)
    leases.acquire(status.JOBS_LEASE, ELSEWHERE, now=datetime.now(UTC), seconds=2)

    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="the dead owner is replaced")

    assert expires <= datetime.now(UTC) < expires + timedelta(seconds=2 * TICK)


def test_an_owner_that_lost_the_lease_steps_down_and_runs_nothing(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    long_ago = let_it_have_run(timedelta(minutes=1))
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")
    give_the_lease_to(ELSEWHERE)

    wait_for(lambda: not owner.owns(), seconds=jobs.LEASE_SECONDS, what="it notices")
    let_it_have_run(timedelta(days=1))
    save(email_reply_process_interval=1)
    owner.wake()

    with pytest.raises(AssertionError, match="a run of the reply job"):
        wait_for_a_run(long_ago, 2 * TICK)
    assert ELSEWHERE.startswith(holder())


def test_a_save_wakes_the_owner_and_a_run_that_is_due_begins_at_once(
    context: Flask,
    approval_on: MailServer,
    new_owner: Callable[[], jobs.JobOwner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "TICK_SECONDS", 3600.0)
    before = let_it_have_run(timedelta(seconds=90))
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")

    save(email_reply_process_interval=1)
    owner.wake()

    wait_for_a_run(before, 5)


def test_a_save_in_another_process_is_noticed_within_two_seconds(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    before = let_it_have_run(timedelta(seconds=90))
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")

    saved_at = datetime.now(UTC)
    save(email_reply_process_interval=1)

    assert wait_for_a_run(before, 10) <= saved_at + timedelta(seconds=2)


def test_saves_with_the_same_interval_do_not_restart_the_clock(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    before = let_it_have_run(timedelta(minutes=5) - timedelta(seconds=4))
    due = before + timedelta(minutes=5)
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")

    for count in (10, 20, 30, 40, 50):
        save(email_reply_process_count=count)
        owner.wake()

    assert due <= wait_for_a_run(before, 8) < due + timedelta(seconds=1)


def test_a_take_over_neither_skips_nor_repeats_a_run(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    before = let_it_have_run(timedelta(minutes=5) - timedelta(seconds=4))
    due = before + timedelta(minutes=5)
    first = new_owner()
    wait_for(first.owns, seconds=5, what="the first owner owns")
    second = new_owner()
    first.stop()
    wait_for(second.owns, seconds=5, what="the second owner follows")
    assert last_started() == before

    began = wait_for_a_run(before, 8)

    assert due <= began < due + timedelta(seconds=1)
    with pytest.raises(AssertionError, match="a run of the reply job"):
        wait_for_a_run(began, 2 * TICK)


def test_nothing_runs_while_approval_is_off_and_what_is_due_runs_when_it_is_on_again(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    save(enable_email_approval=False)
    before = let_it_have_run(timedelta(days=1))
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")
    with pytest.raises(AssertionError, match="a run of the reply job"):
        wait_for_a_run(before, 2 * TICK)

    save(enable_email_approval=True)
    owner.wake()
    began = wait_for_a_run(before, 5)
    save(enable_email_approval=False)
    owner.wake()
    let_it_have_run(timedelta(days=1))

    with pytest.raises(AssertionError, match="a run of the reply job"):
        wait_for_a_run(began, 2 * TICK)


def test_a_run_that_found_the_folder_taken_is_made_up_for_when_it_is_free(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    before = let_it_have_run(timedelta(days=1))
    leases.acquire(LEASE, ELSEWHERE, now=datetime.now(UTC), seconds=3)

    new_owner()

    wait_for_a_run(before, 6)


def test_a_clock_that_is_set_back_stops_no_job(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")
    wait_for(lambda: owner._scheduler and owner._scheduler.running, seconds=5, what="it began")
    scheduler = owner._scheduler
    assert scheduler is not None
    wait_for(last_started, seconds=5, what="the first run")
    let_it_have_run(timedelta(hours=-3))
    before = datetime.now(UTC)
    for job in scheduler.get_jobs():
        scheduler.modify_job(job.id, next_run_time=job.next_run_time + timedelta(hours=3))
    owner.wake()

    def ahead() -> list[Any]:
        soon = datetime.now(UTC) + timedelta(hours=2)
        return [job for job in scheduler.get_jobs() if job.next_run_time > soon]

    wait_for(lambda: not ahead(), seconds=5, what="all of them run again")
    wait_for(
        lambda: before <= (last_started() or before) <= datetime.now(UTC),
        seconds=5,
        what="a run that began by the clock as it is",
    )


def test_what_a_clock_leapt_over_is_made_up_for_once(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    owner = new_owner()
    wait_for(owner.owns, seconds=5, what="it owns")
    wait_for(lambda: owner._scheduler and owner._scheduler.running, seconds=5, what="it began")
    assert owner._scheduler is not None
    wait_for(last_started, seconds=5, what="the first run")
    now = datetime.now(UTC)
    second = timedelta(seconds=1)
    for job in owner._scheduler.get_jobs():  # a machine that began in 1970 is told the time
        following = job.trigger.get_next_fire_time(datetime(1970, 1, 1, tzinfo=UTC), now)
        assert abs(following - now) < second
        assert abs(job.trigger.get_next_fire_time(now, now) - now - job.trigger.interval) < second


def test_a_locked_database_is_waited_out(
    context: Flask,
    cast: Cast,
    new_owner: Callable[[], jobs.JobOwner],
    caplog: pytest.LogCaptureFixture,
) -> None:
    event.listen(db.engine, "connect", _give_up_soon)
    db.session.remove()
    db.engine.dispose()
    path = Path(context.instance_path, "flexmail.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        owner = new_owner()
        wait_for(
            lambda: caplog.text.count("the database did not answer") >= 2,
            seconds=10,
            what="the owner finds the database locked, twice",
        )
        assert not owner.owns()
        other.execute("ROLLBACK")

    wait_for(owner.owns, seconds=5, what="it owns once the database is free")


def _give_up_soon(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout=100")


def test_the_set_up_link_is_logged_once_while_there_is_no_account(
    context: Flask, new_owner: Callable[[], jobs.JobOwner], caplog: pytest.LogCaptureFixture
) -> None:
    owner = new_owner()
    wait_for(lambda: "/setup/" in caplog.text, seconds=5, what="the link is logged")
    before = holder_expiry()
    owner.wake()
    wait_for(lambda: holder_expiry() > before, seconds=8, what="the lease is renewed")

    (token,) = re.findall(r"/setup/(\S+)", caplog.text)
    sign_in.check_setup_token(token)


def holder_expiry() -> datetime:
    db.session.rollback()
    lease = db.session.get_one(Lease, status.JOBS_LEASE)
    return lease.expires_at


def test_no_set_up_link_is_logged_when_there_is_an_account(
    context: Flask,
    cast: Cast,
    new_owner: Callable[[], jobs.JobOwner],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    owner = new_owner()
    wait_for(lambda: "owned here now" in caplog.text, seconds=5, what="it owns")
    owner.stop()
    assert "/setup/" not in caplog.text


def callbacks_that_are(state: str) -> int:
    db.session.rollback()
    return callbacks.counts()[state]


def test_the_owner_tells_programs_of_decisions_within_seconds(
    approval_on: MailServer, app: Flask, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    with Hook() as hook, app.app_context():
        app.config["CALLBACK_ALLOWED_HOSTS"] = frozenset({(hook.host, hook.port)})
        request = stage.ask(stage.BOB, now=datetime.now(UTC), callback_url=hook.url)
        new_owner()
        approvals.cancel(request.approval_id, now=datetime.now(UTC))
        wait_for(lambda: hook.heard, seconds=20, what="the callback")
        wait_for(lambda: callbacks_that_are("sent"), seconds=5, what="its note")


def test_stopping_waits_for_no_more_than_the_call_under_way(
    approval_on: MailServer, app: Flask, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    with Hook() as hook, app.app_context():
        app.config["CALLBACK_ALLOWED_HOSTS"] = frozenset({(hook.host, hook.port)})
        owner = new_owner()
        wait_for(owner.owns, seconds=5, what="it owns")

        def stop_meanwhile(peer: Peer) -> None:
            threading.Thread(target=owner.stop, daemon=True).start()
            wait_for(lambda: not owner.owns(), seconds=5, what="it stops")
            peer.send(TAKEN)

        hook.answer = stop_meanwhile
        for _ in range(3):
            request = stage.ask(stage.BOB, now=datetime.now(UTC), callback_url=hook.url)
            approvals.cancel(request.approval_id, now=datetime.now(UTC))
        wait_for(lambda: callbacks_that_are("sent"), seconds=20, what="the call is noted")
        wait_for(lambda: not callbacks_that_are("sending"), seconds=5, what="the rest is free")
        assert len(hook.heard) == callbacks_that_are("sent")


def test_summaries_go_out_and_what_is_old_is_forgotten(
    context: Flask, approval_on: MailServer, new_owner: Callable[[], jobs.JobOwner]
) -> None:
    then = datetime.now(UTC) - event_log.KEPT - timedelta(hours=1)
    wishes.save("bob@corp.test", "hourly", list(event_types.BUILT_IN), now=then)
    events.send(NewEvent("completed", recipients=("bob@corp.test",)), now=then)
    unheard = events.send(NewEvent("failed"), now=then).event_id
    with transaction():
        limits.count(["token:1"], now=then)

    new_owner()

    def found(wanted: Select[Any]) -> list[Any]:
        db.session.rollback()
        return list(db.session.scalars(wanted))

    summaries = select(OutboxMail.recipient).where(OutboxMail.kind == "digest")
    wait_for(lambda: found(summaries) == ["bob@corp.test"], seconds=5, what="the summary is queued")
    wait_for(
        lambda: not found(select(Event.id).where(Event.id == unheard)),
        seconds=5,
        what="the old event is gone",
    )
    wait_for(lambda: not found(select(HourlyCount.key)), seconds=5, what="old counts are gone")
