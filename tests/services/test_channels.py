"""Channels: how a job fares, since when it fails, and how long it waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from flexmail.db import transaction
from flexmail.errors import FlexmailError, LoginRefused, SecretUnreadable, Unreachable
from flexmail.services import channels
from tests.conftest import NOW

MINUTE = timedelta(minutes=1)
GONE = Unreachable("No answer.", hint="Check the port.")


def fail(error: FlexmailError = GONE, *, after: float = 0, revision: int = 1) -> None:
    channels.failed("replies", error, revision=revision, now=NOW + after * MINUTE)


def finish(summary: dict[str, object] | None = None) -> None:
    with transaction():
        channels.finished("replies", summary or {})


def test_a_channel_that_never_ran_is_empty(context: Flask) -> None:
    row = channels.get("replies")
    assert (row.error, row.started_at, row.failing_since) == ("", None, None)
    assert not channels.is_paused("replies", revision=1, now=NOW)


def test_a_failure_keeps_cause_and_hint_and_since_when(context: Flask) -> None:
    fail()
    fail(Unreachable("Still none."), after=5)
    row = channels.get("replies")
    assert row.failing_since == NOW
    assert row.error == "Still none."
    fail()
    assert channels.get("replies").error == "No answer. Check the port."


def test_a_finished_run_ends_the_trouble(context: Flask) -> None:
    fail()
    finish({"looked_at": 3})
    row = channels.get("replies")
    assert (row.error, row.failing_since, row.paused_until) == ("", None, None)
    assert row.summary == {"looked_at": 3}
    fail(after=60)
    assert channels.get("replies").failing_since == NOW + 60 * MINUTE


def test_a_failure_keeps_the_summary_of_the_last_good_run(context: Flask) -> None:
    finish({"looked_at": 3})
    fail()
    assert channels.get("replies").summary == {"looked_at": 3}


@pytest.mark.parametrize(
    ("error", "minutes"),
    [
        (GONE, 1),
        (SecretUnreadable("No key."), 1),
        (LoginRefused("No."), 6),
    ],
)
def test_a_pause_lasts_as_long_as_the_server_needs_it(
    error: FlexmailError, minutes: int, context: Flask
) -> None:
    fail(error)
    almost = NOW + minutes * MINUTE - timedelta(seconds=1)
    assert channels.is_paused("replies", revision=1, now=almost)
    assert not channels.is_paused("replies", revision=1, now=NOW + minutes * MINUTE)


def test_new_settings_end_the_pause(context: Flask) -> None:
    fail(revision=1)
    assert not channels.is_paused("replies", revision=2, now=NOW)


def test_channels_are_apart(context: Flask) -> None:
    fail()
    assert not channels.is_paused("outbox", revision=1, now=NOW)
    assert channels.get("outbox").error == ""


def test_a_start_is_noted_in_the_callers_transaction(context: Flask) -> None:
    def start_and_break_off() -> None:
        with transaction():
            channels.started("replies", now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        start_and_break_off()
    assert channels.get("replies").started_at is None
    with transaction():
        channels.started("replies", now=NOW)
    assert channels.get("replies").started_at == NOW
