"""Which service runs when, and which process runs it.

Every process that serves pages has one `JobOwner` thread. A lease row says which of them acts: that
one runs an APScheduler with its jobs in memory. Rows are the truth, the scheduler is their shadow:
`apply` makes it agree with the settings, at start, after a save and on every tick alike, so a save
in any worker or host is picked up within two seconds. A job is rescheduled only when its interval
differs, for rescheduling restarts the clock.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db
from flexmail.services import (
    accounts,
    announcing,
    apart,
    approvals,
    audit,
    channels,
    delivery,
    digests,
    event_log,
    inbox,
    installation,
    leases,
    limits,
    reply_log,
    settings,
    sign_in,
    status,
    troubles,
    watching,
)

log = logging.getLogger(__name__)

LEASE_SECONDS = 9.0
TICK_SECONDS = 1.0
OUTBOX_SECONDS = 2
CALLBACK_SECONDS = 2
EXPIRY_SECONDS = 15
HOUSEKEEPING_SECONDS = 3600
WATCH_SECONDS = 2
SUMMARY_SECONDS = 60
TROUBLE_SECONDS = 5
_REPLIES = "replies"
_SAME_TIME = timedelta(seconds=1)

_owner: JobOwner | None = None


def start(app: Flask) -> None:
    """Start this process's job owner, once; a forked child starts one of its own.

    A server that loads the app before it forks (gunicorn --preload) would otherwise be left with a
    thread in the parent only: the parent's is stopped before the first fork.
    """
    global _owner  # noqa: PLW0603 (one owner a process is the point)
    if _owner is not None:
        return
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it tells of every single run
    _owner = JobOwner(app)
    _owner.start()
    atexit.register(stop)
    os.register_at_fork(before=stop, after_in_child=lambda: _restart(app))


def stop() -> None:
    """Stop this process's job owner and give the lease up, so that another takes over at once."""
    if _owner is not None:
        _owner.stop()


def apply() -> None:
    """Make the scheduler agree with the settings now; nothing to do where this is not the owner."""
    if _owner is not None:
        _owner.wake()


def _restart(app: Flask) -> None:
    global _owner  # noqa: PLW0603
    with app.app_context():
        db.engine.dispose(close=False)  # the connections belong to the parent
    _owner = JobOwner(app)
    _owner.start()


class Every(IntervalTrigger):  # type: ignore[misc]
    """A fixed interval; all that a clock leapt over counts as one run."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return the moment after a run, or after now where that is long past."""
        long_past = previous is not None and previous < now - self.interval
        following: datetime | None = super().get_next_fire_time(
            now - self.interval if long_past else previous, now
        )
        return following


def _heed(scheduler: BackgroundScheduler, now: datetime) -> None:
    """Run at once what waits for a moment that a clock meant which was set back since."""
    for job in scheduler.get_jobs():
        if job.id != _REPLIES and job.next_run_time > now + job.trigger.interval + _SAME_TIME:
            job.modify(next_run_time=now)


class JobOwner:
    """A thread that takes or renews the lease and, while it holds it, runs the jobs."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._lease = leases.Holder(status.JOBS_LEASE, seconds=LEASE_SECONDS)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="job-owner", daemon=True)
        self._scheduler: BackgroundScheduler | None = None
        self._interval: timedelta | None = None

    def start(self) -> None:
        """Begin ticking."""
        self._thread.start()

    def stop(self) -> None:
        """End the jobs between two mails and give the lease up; returns within 20 seconds."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(20)

    def wake(self) -> None:
        """Tick now."""
        self._wake.set()

    def owns(self) -> bool:
        """Tell whether the jobs are this process's, by its own clock."""
        return self._lease.holds() and not self._stopping.is_set()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._guarded(self._tick)
            if not self.owns():
                self._step_down()
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
        self._step_down()
        self._guarded(lambda: self._lease.release(datetime.now(UTC)))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do something that the thread has to survive: it is tried again at the next tick."""
        try:
            with self.app.app_context():
                work()
        except SQLAlchemyError as error:
            log.warning("jobs: the database did not answer: %s", error)
        except Exception:
            log.exception("jobs: this should not have happened")

    def _tick(self) -> None:
        now = datetime.now(UTC)
        if self._lease.keep(now) is not None and self.owns():
            scheduler = self._scheduler or self._begin(now)
            _heed(scheduler, now)
            self._agree(scheduler, now)

    def _agree(self, scheduler: BackgroundScheduler, now: datetime) -> None:
        """Bring the scheduler into line with the rows; doing it twice changes nothing."""
        row = settings.load()
        wanted = inbox.interval(row) if row.enable_email_approval else None
        due = status.next_run_at(row, channels.get(inbox.CHANNEL), now=now)
        job = scheduler.get_job(_REPLIES)
        if due is None or wanted is None:
            if job is not None:
                job.remove()
                log.info("jobs: email approval is off, the reply job is paused")
        elif job is None:
            trigger = Every(seconds=int(wanted.total_seconds()), timezone=UTC)
            scheduler.add_job(
                self._run, trigger, args=[self._process], id=_REPLIES, next_run_time=due
            )
            log.info("jobs: replies every %s, next at %s", wanted, due)
        elif wanted != self._interval:
            trigger = Every(seconds=int(wanted.total_seconds()), timezone=UTC)
            job.modify(trigger=trigger, next_run_time=due)
            log.info("jobs: replies now every %s, next at %s", wanted, due)
        elif abs(job.next_run_time - due) > _SAME_TIME and not leases.holder(
            inbox.CHANNEL, now=now
        ):
            # a run by hand, a pause that began or ended, a run that found the folder taken
            job.modify(next_run_time=due)
        self._interval = wanted

    def _begin(self, now: datetime) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for service, seconds in (
            (self._deliver, OUTBOX_SECONDS),
            (self._announce, CALLBACK_SECONDS),
            (self._expire, EXPIRY_SECONDS),
            (self._summarise, SUMMARY_SECONDS),
            (self._keep_house, HOUSEKEEPING_SECONDS),
            (self._watch, WATCH_SECONDS),
            (self._look_for_trouble, TROUBLE_SECONDS),
        ):
            trigger = Every(seconds=seconds, timezone=UTC)
            scheduler.add_job(self._run, trigger, args=[service], next_run_time=now)
        scheduler.start()
        self._scheduler, self._interval = scheduler, None
        log.info("jobs: they are owned here now")
        if reason := installation.objection():
            log.warning("jobs: %s", reason)
        if accounts.none_yet():
            log.warning(
                "There is no account yet. Make the first admin, within a day, at %s/setup/%s",
                self.app.config["BASE_URL"] or "http://<this server>",
                sign_in.setup_token(),
            )
        return scheduler

    def _step_down(self) -> None:
        """Stop the jobs here; at a clean stop, wait until the one that runs has ended."""
        self._lease.drop()
        if self._scheduler is not None:
            log.info("jobs: they are not owned here any more")
            self._scheduler.shutdown(wait=self._stopping.is_set())
            apart.stop()
        self._scheduler = self._interval = None

    def _run(self, service: Callable[[datetime], object]) -> None:
        """Run a service in an application context of its own, if the jobs are still ours."""
        if self.owns():
            self._guarded(lambda: self._as_job(service))

    def _as_job(self, service: Callable[[datetime], object]) -> None:
        audit.act_as("flexmail", "job")
        service(datetime.now(UTC))

    def _process(self, now: datetime) -> bool:
        """Run the reply job; tell whether it had its turn. What it queued goes out in seconds."""
        return not inbox.process_replies(now=now, keep_going=self.owns).busy

    def _watch(self, _now: datetime) -> None:
        """Watch the folder where that is asked for; while it does, it is not started again."""
        watching.watch(self._process, self.owns)

    def _deliver(self, now: datetime) -> None:
        delivery.deliver_due(now=now, keep_going=self.owns)

    def _announce(self, now: datetime) -> None:
        announcing.announce_due(now=now, keep_going=self.owns)

    def _expire(self, now: datetime) -> None:
        approvals.expire_due(now=now)

    def _look_for_trouble(self, now: datetime) -> None:
        troubles.watch(now=now)

    def _summarise(self, now: datetime) -> None:
        digests.queue_due(now=now, keep_going=self.owns)

    def _keep_house(self, now: datetime) -> None:
        reply_log.remove_old_copies(now=now)
        limits.remove_old(now=now)
        event_log.remove_old(now=now, keep_going=self.owns)
