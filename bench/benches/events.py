"""Tell of 10,000 events with 5 recipients each, and send their mails over STARTTLS with a login.

2,000 recipients hear of 25 events each, below the 60 an hour that one recipient may get; the events
are told by the command's way, without a token. Each event is one commit with its five mails, so one
wait for the disk. Beside telling: the same number of commits of one row, which is what a disk and
SQLite take for it by themselves.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import current_app
from sqlalchemy import func, select

from bench.measuring import Fact, Row, Size, seconds
from bench.offices import office
from bench.smtp_sink import Sink, smtp_sink
from flexmail.db import db, transaction
from flexmail.forms import values_from
from flexmail.models import HourlyCount, OutboxContent
from flexmail.services import delivery, events, limits, settings
from flexmail.services.events import NewEvent

PEOPLE, EACH = 2000, 5
_MIB = 1 << 20


def measure(size: Size) -> list[Row | Fact]:
    number = size.of(quick=20, full=10_000)
    with office() as app, smtp_sink() as sink:
        _set_up(sink)
        app.config["BASE_URL"] = "https://flexmail.corp.test"
        told = [_event(count) for count in range(number)]
        _tell(told[:1])
        idle, before = _peak_bytes(), _database_bytes()
        telling = _timed(lambda: _tell(told))
        queued_bytes = _database_bytes() - before
        peak = _peak_bytes()
        content = db.session.scalar(select(func.avg(func.length(OutboxContent.sealed_content))))
        db.session.rollback()
        sample = max(1, number // 20)
        commits = seconds(lambda: _commit(sample)) * number / sample
        sending = _timed(lambda: _send(number * EACH + EACH))
    mails = number * EACH
    return [
        Row(
            f"tell of {number} events, {EACH} mails each",
            f"{number / telling.wall:.0f} events/s, {mails / telling.wall:.0f} mails/s",
            f"{number / commits:.0f} commits/s",
            commits / telling.wall,
        ),
        Row(
            f"send the {mails} mails",
            f"{mails / sending.wall:.0f} mails/s",
            "",
        ),
        Fact(
            "processor",
            f"{telling.cpu / number * 1e3:.2f} ms an event, {sending.cpu / mails * 1e3:.2f} ms a"
            " mail sent",
        ),
        Fact(
            "peak memory of the process",
            f"{peak / _MIB:.0f} MiB while telling, {_peak_bytes() / _MIB:.0f} MiB after sending;"
            f" {idle / _MIB:.0f} MiB before both",
        ),
        Fact(
            "database",
            f"{queued_bytes / _MIB:.0f} MiB, {queued_bytes / mails:.0f} bytes a mail with its share"
            f" of the event; {content:.0f} of them the sealed content",
        ),
    ]


class _timed:
    """How long a call takes, by the wall clock and on the processor, in seconds."""

    def __init__(self, call: Callable[[], object]) -> None:
        began = time.process_time()
        self.wall = seconds(call)
        self.cpu = time.process_time() - began


def _set_up(sink: Sink) -> None:
    given = {
        "smtp_host_name": sink.host,
        "smtp_host_port": sink.port,
        "smtp_user": "deploy",
        "smtp_password": "s3cret",
        "smtp_from_address": "Deployments <deployments@corp.test>",
        "tls_ca_certificates": sink.ca_pem,
    }
    settings.save(values_from(settings.stored_values(settings.load()), given))


def _event(number: int) -> NewEvent:
    people = tuple(f"person{(number * EACH + one) % PEOPLE}@corp.test" for one in range(EACH))
    data = {
        "title": f"Release 4.{number} to production",
        "submitter": people[0],
        "details": "Contains the new invoice format and the tax rates of next year.",
        "error": "The database did not start within 60 s.",
        "link": f"https://builds.corp.test/{number}",
        "version": f"4.{number}.0",
    }
    return NewEvent("failed", "billing/prod", "", data, people)


def _tell(told: list[NewEvent]) -> None:
    for event in told:
        assert events.send(event, now=datetime.now(UTC)).queued == EACH


def _commit(times: int) -> None:
    hour = limits.hour_of(datetime.now(UTC))
    for count in range(times):
        with transaction():
            db.session.add(HourlyCount(key=f"bench:{count}", hour=hour))


def _send(number: int) -> None:
    sent, now = 0, datetime.now(UTC) + timedelta(seconds=1)
    while sent < number:
        report = delivery.deliver_due(now=now)
        assert report.sent, report
        assert not report.error, report
        sent += report.sent
    assert sent == number, sent


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _database_bytes() -> int:
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(current_app.instance_path, "flexmail.db").stat().st_size
