"""The status: what runs when, what waits, and what goes wrong since when."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import LoginRefused, Unreachable
from flexmail.models import MAIL_STATES
from flexmail.services import channels, delivery, inbox, leases, settings, status
from tests.conftest import NOW
from tests.services.stage import SECRET, ask, queued, set_up

MINUTE = timedelta(minutes=1)
NOTHING: dict[str, int] = dict.fromkeys(MAIL_STATES, 0)


def ran(*, minutes_ago: float, left: int = 0) -> None:
    with transaction():
        channels.started(inbox.CHANNEL, now=NOW - minutes_ago * MINUTE)
        channels.finished(inbox.CHANNEL, {"looked_at": 2, "left": left, "by_outcome": {}})


def next_run() -> float | None:
    row, channel = settings.load(), channels.get(inbox.CHANNEL)
    due = status.next_run_at(row, channel, now=NOW)
    return None if due is None else (due - NOW) / MINUTE


def test_before_anything_is_set_up_the_status_says_so(context: Flask) -> None:
    shown = status.overview(now=NOW)
    assert shown["reply_processing"]["enabled"] is False
    assert shown["reply_processing"]["next_run_at"] is None
    assert shown["reply_processing"]["last_run"] is None
    assert shown["reply_processing"]["owner"] is None
    assert shown["approvals"] == {"pending": 0}
    assert len(shown["warnings"]) == 1


def test_the_status_is_plain_json(people: Flask) -> None:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    request = ask()
    ran(minutes_ago=1)
    channels.failed(delivery.CHANNEL, Unreachable("Gone."), revision=1, now=NOW)
    shown = json.dumps(status.overview(now=NOW))
    for secret in (SECRET, request.reference, request.message_id):
        assert secret not in shown


@pytest.mark.parametrize(("minutes_ago", "due"), [(0, 5), (1, 4), (5, 0), (60, 0)])
def test_the_next_run_is_the_start_of_the_last_plus_the_interval(
    minutes_ago: float, due: float, context: Flask
) -> None:
    set_up()
    ran(minutes_ago=minutes_ago)
    assert next_run() == due


def test_the_first_run_is_due_at_once(context: Flask) -> None:
    set_up()
    assert next_run() == 0


def test_with_approval_off_there_is_no_next_run(context: Flask) -> None:
    set_up(enable_email_approval=False)
    ran(minutes_ago=1)
    assert next_run() is None


def test_another_interval_counts_from_the_same_start(context: Flask) -> None:
    set_up()
    ran(minutes_ago=1)
    set_up(email_reply_process_interval=60)
    assert next_run() == 59


def test_a_pause_delays_the_next_run_until_settings_change(context: Flask) -> None:
    set_up(email_reply_process_interval=1)
    revision = settings.load().revision
    ran(minutes_ago=1)
    channels.failed(inbox.CHANNEL, LoginRefused("No."), revision=revision, now=NOW)
    assert next_run() == 6
    set_up(email_reply_process_interval=1)
    assert next_run() == 0


def test_what_waits_and_what_happened_last_is_shown(people: Flask) -> None:
    set_up()
    ask()
    ran(minutes_ago=1, left=17)
    shown = status.overview(now=NOW)
    assert shown["reply_processing"]["waiting"] == 17
    assert shown["reply_processing"]["last_run"]["looked_at"] == 2
    assert shown["reply_processing"]["interval_minutes"] == 5
    assert shown["outbox"] == NOTHING | {"queued": 1, "failing_since": None, "error": ""}
    assert shown["approvals"] == {"pending": 1}
    assert shown["warnings"] == []


def test_trouble_is_shown_with_its_cause_and_since_when(context: Flask) -> None:
    set_up()
    channels.failed(inbox.CHANNEL, Unreachable("Gone.", hint="Look."), revision=1, now=NOW)
    channels.failed(inbox.CHANNEL, Unreachable("Still gone."), revision=1, now=NOW + MINUTE)
    shown = status.overview(now=NOW + MINUTE)["reply_processing"]
    assert shown["error"] == "Still gone."
    assert str(shown["failing_since"]).startswith("2026-11-02T09:00:00")


def test_the_owner_is_host_and_process(context: Flask) -> None:
    leases.acquire(status.JOBS_LEASE, "host.test:4711:abcd", now=NOW, seconds=9)
    assert status.overview(now=NOW)["reply_processing"]["owner"] == "host.test:4711"
    assert status.overview(now=NOW + MINUTE)["reply_processing"]["owner"] is None


def test_approval_mail_that_left_in_clear_is_a_warning(people: Flask) -> None:
    set_up()
    ask()
    with transaction():
        mail = queued()[0]
        mail.state, mail.encrypted = "sent", False
    db.session.rollback()
    (warning,) = status.overview(now=NOW)["warnings"]
    assert "unencrypted" in warning
