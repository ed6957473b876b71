"""Trouble with our own mail is told elsewhere: once when it begins, once when it ends."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import undefer
from standardwebhooks.webhooks import Webhook

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.errors import ConfigError, FlexmailError, LoginRefused, Unreachable
from flexmail.models import Callback, OutboxMail
from flexmail.services import (
    announcing,
    channels,
    delivery,
    inbox,
    outbox,
    status,
    storing,
    troubles,
    webhook_secrets,
)
from tests.conftest import NOW
from tests.hook import Hook
from tests.services.stage import BOB, SECRET, set_up

URL = "https://pager.example.test/hook"
GONE = Unreachable("No answer.", hint="Check the port.")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up(smtp_user="deploy", smtp_password=SECRET)
    people.config["TROUBLE_URL"] = URL
    return people


def fail(channel: str, error: FlexmailError = GONE) -> None:
    channels.failed(channel, error, revision=1, now=NOW)


def finish(channel: str, left: int = 0) -> None:
    with transaction():
        channels.finished(channel, {"left": left})


def told() -> list[tuple[str, str]]:
    """Return the type and the kind of trouble of each callback, the oldest first."""
    wanted = select(Callback).order_by(Callback.id).options(undefer(Callback.body))
    bodies = [json.loads(row.body) for row in db.session.scalars(wanted)]
    return [(body["type"], body["data"]["kind"]) for body in bodies]


@pytest.mark.parametrize(
    ("channel", "kind"), [(delivery.CHANNEL, "mail_out"), (inbox.CHANNEL, "mail_in")]
)
def test_the_second_failure_in_a_row_is_told_once_and_so_is_the_end(
    ready: Flask, channel: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flexmail.services.troubles")
    fail(channel)
    troubles.watch(now=NOW)
    assert told() == []
    for _ in range(3):
        fail(channel)
        troubles.watch(now=NOW + MINUTE)
    assert told() == [(troubles.BEGAN, kind)]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No answer. Check the port." in caplog.text
    (shown,) = status.overview(now=NOW)["troubles"]
    assert (shown["kind"], shown["since"]) == (kind, "2026-11-02T09:01:00Z")
    finish(channel)
    for _ in range(2):
        troubles.watch(now=NOW + 9 * MINUTE)
    assert told() == [(troubles.BEGAN, kind), (troubles.ENDED, kind)]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert status.overview(now=NOW)["troubles"] == []


def test_a_refused_login_is_told_at_once(ready: Flask) -> None:
    fail(delivery.CHANNEL, LoginRefused("The password is wrong."))
    troubles.watch(now=NOW)
    assert told() == [(troubles.BEGAN, "mail_out")]


def test_failures_with_a_good_run_between_are_no_trouble(ready: Flask) -> None:
    for _ in range(3):
        fail(inbox.CHANNEL)
        troubles.watch(now=NOW)
        finish(inbox.CHANNEL)
        troubles.watch(now=NOW)
    assert told() == []


def test_replies_that_nobody_reads_by_choice_are_no_trouble(ready: Flask) -> None:
    for _ in range(2):
        fail(inbox.CHANNEL)
    set_up(enable_email_approval=False)
    troubles.watch(now=NOW)
    assert told() == []


def test_a_folder_that_fills_faster_than_it_is_read_is_told(ready: Flask) -> None:
    for left in (5, 9, 30):
        troubles.watch(now=NOW)
        assert told() == []
        finish(inbox.CHANNEL, left)
    troubles.watch(now=NOW)
    assert told() == [(troubles.BEGAN, "reply_backlog")]
    finish(inbox.CHANNEL, 29)
    troubles.watch(now=NOW)
    assert told()[1:] == [(troubles.ENDED, "reply_backlog")]


def test_mail_that_nobody_sends_is_told(ready: Flask) -> None:
    with transaction():
        outbox.queue("test", BOB, {}, now=NOW)
    troubles.watch(now=NOW + troubles.LATE - MINUTE)
    assert told() == []
    troubles.watch(now=NOW + troubles.LATE)
    assert told() == [(troubles.BEGAN, "outbox_backlog")]


def test_mail_that_is_tried_again_later_is_not_late(ready: Flask) -> None:
    with transaction():
        outbox.queue("test", BOB, {}, now=NOW)
        storing.store()
        db.session.scalars(select(OutboxMail)).one().retry_at = NOW + timedelta(hours=1)
    troubles.watch(now=NOW + timedelta(minutes=50))
    assert told() == []


def test_without_an_address_page_and_log_say_so_all_the_same(
    ready: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    ready.config["TROUBLE_URL"] = ""
    fail(delivery.CHANNEL, LoginRefused("The password is wrong."))
    troubles.watch(now=NOW)
    assert told() == []
    assert "The password is wrong." in caplog.text
    assert len(status.overview(now=NOW)["troubles"]) == 1


def test_several_troubles_are_told_each(ready: Flask) -> None:
    for channel in (delivery.CHANNEL, inbox.CHANNEL):
        fail(channel, LoginRefused("The password is wrong."))
    troubles.watch(now=NOW)
    finish(inbox.CHANNEL)
    troubles.watch(now=NOW)
    assert sorted(told()) == [
        (troubles.BEGAN, "mail_in"),
        (troubles.BEGAN, "mail_out"),
        (troubles.ENDED, "mail_in"),
    ]


def test_what_the_program_is_told_holds_no_secret(ready: Flask) -> None:
    fail(delivery.CHANNEL, LoginRefused("The password is wrong."))
    troubles.watch(now=NOW)
    (row,) = db.session.scalars(select(Callback).options(undefer(Callback.body)))
    assert SECRET not in row.body
    assert json.loads(row.body) == {
        "type": "flexmail.trouble_began",
        "timestamp": "2026-11-02T09:00:00.000Z",
        "data": {
            "kind": "mail_out",
            "since": "2026-11-02T09:00:00Z",
            "text": "Mail cannot be sent: The password is wrong.",
        },
    }


def test_a_second_look_at_the_same_moment_tells_nothing_twice(ready: Flask) -> None:
    fail(delivery.CHANNEL, LoginRefused("The password is wrong."))
    when: datetime = NOW
    for _ in range(2):
        troubles.watch(now=when)
    assert len(told()) == 1


def test_the_program_gets_it_signed_by_the_installation(ready: Flask) -> None:
    now = datetime.now(UTC)
    with Hook() as hook:
        port = int(hook.url.split(":")[2].split("/")[0])
        ready.config["CALLBACK_ALLOWED_HOSTS"] = frozenset({("127.0.0.1", port)})
        ready.config["TROUBLE_URL"] = hook.url
        fail(delivery.CHANNEL, LoginRefused("The password is wrong."))
        troubles.watch(now=now)
        assert announcing.announce_due(now=now).sent == 1
        (heard,) = hook.heard
    opened = Webhook(webhook_secrets.of_installation()).verify(heard.body, heard.headers)
    assert (opened["type"], opened["data"]["kind"]) == (troubles.BEGAN, "mail_out")


@pytest.mark.parametrize(
    "url", ["http://pager.example.test/hook", "https://127.0.0.1/", "ftp://x.test/", "nonsense"]
)
def test_an_address_that_would_never_be_called_stops_the_start(
    no_environment: None, url: str
) -> None:
    with pytest.raises(ConfigError, match="FLEXMAIL_TROUBLE_URL: "):
        create_app({"TESTING": True, "TROUBLE_URL": url})


def test_a_listed_address_in_clear_is_taken(no_environment: None) -> None:
    given = {"TROUBLE_URL": "http://127.0.0.1:9/", "CALLBACK_ALLOWED_HOSTS": "127.0.0.1:9"}
    assert create_app({"TESTING": True, **given}).config["TROUBLE_URL"]
