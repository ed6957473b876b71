"""Announcing: at least once, one id for all tries, and no dead server holds up another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.models import Callback
from flexmail.services import (
    announcing,
    approval_requests,
    approvals,
    callbacks,
    claims,
    status,
    tokens,
    webhook_secrets,
)
from flexmail.services.announcing import Report, announce_due
from flexmail.services.approval_requests import NewApproval
from tests.conftest import NOW
from tests.hook import TAKEN, Hook, answer
from tests.rogue import Peer
from tests.servers import free_port
from tests.services.stage import BOB, set_up, together

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
BROKEN = answer("500 Internal Server Error", "no luck")


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


@pytest.fixture
def hook(ready: Flask) -> Iterator[Hook]:
    with Hook() as started:
        lists(ready, started.url)
        yield started


def lists(app: Flask, *urls: str) -> None:
    """Let the operator list the hosts of these addresses."""
    listed = app.config["CALLBACK_ALLOWED_HOSTS"]
    ports = {("127.0.0.1", int(url.split(":")[2].split("/")[0])) for url in urls}
    app.config["CALLBACK_ALLOWED_HOSTS"] = listed | ports


def decided(url: str, *, now: datetime = NOW, token_id: int | None = None, times: int = 1) -> None:
    """Have approvals cancelled whose callback goes there."""
    for _ in range(times):
        wanted = NewApproval(title="Deploy billing 4.2", approvers=(BOB,), callback_url=url)
        approval = approval_requests.request(wanted, now=now, token_id=token_id)
        approvals.cancel(approval.id, now=now)


def announce(now: datetime = NOW, **given: object) -> Report:
    return announce_due(now=now, **{"timeout_seconds": 5.0, **given})  # type: ignore[arg-type]


def rows(url: str = "") -> list[Callback]:
    db.session.rollback()
    wanted = select(Callback).order_by(Callback.id)
    return [row for row in db.session.scalars(wanted) if url in ("", row.url)]


def row() -> Callback:
    (found,) = rows()
    return found


def test_a_callback_is_signed_with_the_secret_of_its_token(hook: Hook) -> None:
    now = datetime.now(UTC)
    token, _ = tokens.create("pipeline", ["approvals"], now=now)
    secret = webhook_secrets.of(token.id)
    decided(hook.url, now=now, token_id=token.id)
    tokens.revoke(token.id, now=now)
    assert announce(now) == Report(sent=1)
    (heard,) = hook.heard
    told = Webhook(secret).verify(heard.body, heard.headers)
    assert (told["type"], told["data"]["status"]) == ("approval.decided", "cancelled")
    other = webhook_secrets.of_installation()
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(heard.body, heard.headers)
    assert (row().state, row().answer, row().attempts) == ("sent", "204 No Content", 1)
    assert row().sent_at is not None
    assert announce(now + DAY) == Report()


def test_without_a_token_the_installations_secret_signs(hook: Hook) -> None:
    now = datetime.now(UTC)
    decided(hook.url, now=now)
    announce(now)
    secret = webhook_secrets.of_installation()
    assert Webhook(secret).verify(hook.heard[0].body, hook.heard[0].headers)["data"]["id"] == 1


def test_every_try_has_the_same_id_and_bytes_and_a_timestamp_of_its_own(hook: Hook) -> None:
    secret = webhook_secrets.of_installation()
    now = datetime.now(UTC)
    decided(hook.url, now=now - 100 * SECOND)
    hook.answer = BROKEN
    announce(now - 100 * SECOND)
    hook.answer = TAKEN
    announce(now)
    first, second = hook.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == row().webhook_id
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 99
    for heard in hook.heard:
        Webhook(secret).verify(heard.body, heard.headers)


def test_an_answer_that_is_lost_brings_the_same_callback_again(hook: Hook) -> None:
    hook.answer = b""  # it was taken, and the connection died
    decided(hook.url)
    assert announce() == Report(deferred=1)
    hook.answer = TAKEN
    assert announce(NOW + 60 * SECOND) == Report(sent=1)
    first, second = hook.heard
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert row().attempts == 2


def drip(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    peer.drip(b"x", every_seconds=0.02)


@pytest.mark.parametrize("behave", [drip, Peer.keep_silent], ids=["drips", "never answers"])
def test_a_program_that_does_not_come_to_an_end_is_tried_again(
    behave: Callable[[Peer], None], hook: Hook
) -> None:
    hook.answer = behave
    decided(hook.url)
    assert announce(timeout_seconds=0.3) == Report(deferred=1)
    assert "did not answer in time" in row().answer
    assert row().state == "queued"
    assert row().retry_at <= NOW + 60 * SECOND
    hook.answer = TAKEN
    assert announce(NOW + 60 * SECOND) == Report(sent=1)


def test_errors_for_days_are_tried_ever_more_rarely_then_a_dead_letter(hook: Hook) -> None:
    hook.answer = BROKEN
    decided(hook.url)
    now, waits = NOW, []
    while row().state == "queued":
        now = row().retry_at
        announce(now)
        waits.append((row().retry_at - now).total_seconds())
    rounded = [round(wait) for wait in waits]
    assert rounded[:8] == [30, 120, 600, 1800, 3600, 7200, 14400, 14400]
    assert rounded[:-2] == sorted(rounded[:-2])
    assert now == NOW + announcing.GIVE_UP_AFTER
    assert (row().state, row().attempts) == ("failed", len(hook.heard))
    assert row().answer == "500 Internal Server Error no luck"
    assert announce(now + DAY) == announce(now + DAY, at_once=True) == Report()
    (warning,) = [said for said in status.overview(now=now)["warnings"] if "callback" in said]
    assert warning.startswith("1 callback(s)")
    hook.answer = TAKEN
    callbacks.retry(1, now=now + DAY)
    assert announce(now + DAY) == Report(sent=1)
    assert len({heard.headers["webhook-id"] for heard in hook.heard}) == 1
    assert len({heard.body for heard in hook.heard}) == 1


def test_a_redirect_inwards_is_not_followed(hook: Hook) -> None:
    with Hook() as inner:
        hook.answer = answer("307 Temporary Redirect", "", f"Location: {inner.url}")
        decided(hook.url)
        assert announce() == Report(deferred=1)
        assert inner.connections == 0
    assert row().answer == "307 Temporary Redirect"


def test_a_host_that_is_listed_no_more_is_not_called(ready: Flask, hook: Hook) -> None:
    decided(hook.url)
    ready.config["CALLBACK_ALLOWED_HOSTS"] = frozenset()
    assert announce() == Report(deferred=1)
    assert hook.connections == 0
    assert row().answer.startswith("Nothing was sent. Give an https address")


def test_a_name_that_leads_inside_is_not_called(ready: Flask, hook: Hook) -> None:
    decided(f"https://localhost:{hook.port}/")
    assert announce() == Report(deferred=1)
    assert hook.connections == 0
    assert "inside the network" in row().answer


def test_a_program_that_is_gone_is_asked_no_more(hook: Hook) -> None:
    hook.answer = answer("410 Gone")
    decided(hook.url)
    assert announce() == Report(failed=1)
    assert row().answer == "410 Gone"


@pytest.mark.parametrize(
    ("code", "pause", "waits"),
    [("429", "600", 600), ("503", "5", 30), ("503", "999999", 3600), ("500", "600", 30)],
)
def test_a_program_that_asks_for_a_pause_gets_it_for_all_its_callbacks(
    code: str, pause: str, waits: int, hook: Hook
) -> None:
    hook.answer = answer(f"{code} No", "", f"Retry-After: {pause}")
    decided(hook.url, times=2)
    announce()
    assert {round((row.retry_at - NOW).total_seconds()) for row in rows()} == {waits}
    assert len(hook.heard) == (2 if code == "500" else 1)


def test_one_dead_server_among_many_holds_nobody_up(ready: Flask) -> None:
    with Hook(Peer.keep_silent) as dead, Hook() as first, Hook() as second:
        refused = f"http://127.0.0.1:{free_port()}/"
        lists(ready, dead.url, refused, first.url, second.url)
        decided(dead.url, times=announcing.BATCH + 5)
        decided(refused, times=3)
        decided(first.url, times=2)
        decided(second.url, times=2)
        report = announce(timeout_seconds=0.5)
        assert len(dead.heard) == 1
    assert (report.sent, report.deferred) == (4, 2)
    assert {row.state for row in rows(first.url) + rows(second.url)} == {"sent"}
    waiting = rows(dead.url)
    assert [row.attempts for row in waiting] == [1] + [0] * (len(waiting) - 1)
    assert all(NOW < row.retry_at <= NOW + 60 * SECOND for row in waiting)
    assert [row.attempts for row in rows(refused)] == [1, 0, 0]


def test_by_hand_too_a_dead_server_costs_one_call(ready: Flask) -> None:
    with Hook(Peer.keep_silent) as dead, Hook() as alive:
        lists(ready, dead.url, alive.url)
        decided(dead.url, times=announcing.BATCH + 5)
        decided(alive.url)
        assert announce(timeout_seconds=0.5, at_once=True) == Report(sent=1, deferred=1)
        assert len(dead.heard) == 1


def test_what_waits_for_a_dead_server_is_given_up_in_time_though_never_tried(
    ready: Flask,
) -> None:
    with Hook(Peer.keep_silent) as dead:
        lists(ready, dead.url)
        decided(dead.url, times=3)
        announce(NOW + announcing.GIVE_UP_AFTER, timeout_seconds=0.3)
        assert len(dead.heard) == 1
    assert [row.state for row in rows()] == ["failed"] * 3
    assert all("did not answer in time" in row.answer for row in rows())


def test_a_slow_server_ends_its_turn_and_leaves_time_to_others(hook: Hook) -> None:
    decided(hook.url, times=3)
    assert announce(turn_seconds=1e-9) == Report(sent=1)
    assert [(row.state, row.attempts) for row in rows()] == [
        ("sent", 1),
        ("queued", 0),
        ("queued", 0),
    ]
    assert announce(NOW + SECOND, turn_seconds=5.0) == Report(sent=2)


def test_stopping_gives_the_rest_back_untried(hook: Hook) -> None:
    decided(hook.url, times=3)
    allowed = iter([True, True, False, False])
    assert announce(keep_going=lambda: next(allowed)) == Report(sent=1)
    assert [(row.state, row.attempts) for row in rows()] == [
        ("sent", 1),
        ("queued", 0),
        ("queued", 0),
    ]
    assert rows()[1].retry_at == NOW
    assert announce() == Report(sent=2)


def test_claims_of_a_dead_sender_come_back(hook: Hook) -> None:
    decided(hook.url)
    with transaction():
        claimed = db.session.get_one(Callback, 1)
        claimed.state, claimed.claimed_by, claimed.attempts = "sending", "dead:1", 1
        claimed.claimed_until = NOW + claims.CLAIM
    assert announce(NOW + claims.CLAIM) == Report()
    assert announce(NOW + claims.CLAIM + SECOND) == Report(sent=1)
    assert row().attempts == 2


def test_two_senders_at_once_call_each_program_once(ready: Flask, hook: Hook) -> None:
    decided(hook.url, times=20)
    together(ready, *[announce] * 2)
    assert len(hook.heard) == len({heard.headers["webhook-id"] for heard in hook.heard}) == 20
    assert {row.state for row in rows()} == {"sent"}


def test_a_late_failure_does_not_undo_what_another_sender_got_through(
    ready: Flask, hook: Hook
) -> None:
    def while_another_is_quicker(peer: Peer) -> None:
        with ready.app_context(), transaction():
            db.session.get_one(Callback, 1).state = "sent"
        peer.send(BROKEN)

    hook.answer = while_another_is_quicker
    decided(hook.url)
    assert announce() == Report()
    assert row().state == "sent"


def test_a_late_failure_takes_nothing_from_the_sender_that_took_over(
    ready: Flask, hook: Hook
) -> None:
    def while_another_takes_over(peer: Peer) -> None:
        with ready.app_context(), transaction():
            db.session.get_one(Callback, 1).claimed_by = "other:2"
        peer.send(BROKEN)

    hook.answer = while_another_takes_over
    decided(hook.url)
    assert announce() == Report()
    assert (row().state, row().claimed_by) == ("sending", "other:2")


def test_a_clock_that_was_ahead_holds_no_callback_back(hook: Hook) -> None:
    decided(hook.url)
    with transaction():
        db.session.get_one(Callback, 1).retry_at = NOW + 400 * DAY
    assert announce() == Report(sent=1)


def test_a_secret_that_no_key_opens_is_told_and_the_callback_waits(hook: Hook) -> None:
    token, _ = tokens.create("pipeline", ["approvals"], now=NOW)
    decided(hook.url, token_id=token.id)
    config = {"TESTING": True, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    other = create_app(config | {"CALLBACK_ALLOWED_HOSTS": f"127.0.0.1:{hook.port}"})
    with other.app_context():
        assert announce() == Report(deferred=1)
        assert "encryption keys" in row().answer
    assert hook.connections == 0
    assert announce(NOW + 60 * SECOND) == Report(sent=1)


def test_no_log_and_no_row_shows_a_secret(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    hook.answer = BROKEN
    token, _ = tokens.create("pipeline", ["approvals"], now=NOW)
    secret = webhook_secrets.of(token.id)
    decided(f"{hook.url}&token=of-theirs", token_id=token.id)
    with caplog.at_level(logging.DEBUG):
        announce()
    assert "callback 1 to http://127.0.0.1" in caplog.text
    assert "of-theirs" not in caplog.text
    shown = caplog.text + repr(row()) + str(vars(row())) + hook.heard[0].body.decode()
    assert secret not in shown
    assert secret.removeprefix("whsec_") not in shown
