"""A request that closes takes along the mails that still ask for it, also those under way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete

from flexmail.db import db, transaction
from flexmail.models import OutboxContent, OutboxMail
from flexmail.services import approvals, batches, claims
from flexmail.services.delivery import deliver_due
from tests.conftest import NOW
from tests.services.sink import Sink, change, states
from tests.services.stage import BOB, Asked, ask, queued

MINUTE = timedelta(minutes=1)


@pytest.fixture
def asked(people: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[Asked]]:
    """Ask Bob so often; what closes is seen at once, not a moment later."""
    monkeypatch.setattr(batches, "_WITHDRAWN_SECONDS", -1)
    return lambda count: [ask(title=f"Request {number}") for number in range(count)]


def close(requests: list[Asked]) -> None:
    for request in requests:
        approvals.cancel(request.approval_id, now=NOW)


def after(mails: int, act: Callable[[], None]) -> Callable[[], bool]:
    """Return a `keep_going` that acts once when so many mails are through."""
    asked = iter(range(100))

    def keep_going() -> bool:
        if next(asked) == mails:
            act()
        return True

    return keep_going


def ends() -> list[str]:
    return [state for _, state, _ in states()]


def test_mails_that_are_claimed_and_not_made_ready_go_along_with_their_request(
    asked: Callable[[int], list[Asked]],
) -> None:
    with Sink() as sink:
        requests = asked(6)
        report = deliver_due(now=NOW, keep_going=after(1, lambda: close(requests)))
    assert (report.sent, report.failed, report.deferred, report.error) == (3, 0, 0, "")
    assert ends() == ["sent"] * 3 + ["cancelled"] * 3  # two were ready when the first was through
    assert len(sink.mails()) == 3
    assert [mail.attempts for mail in queued()] == [1, 1, 1, 0, 0, 0]
    assert "closed before" in queued()[-1].answer


def test_only_mails_that_ask_for_what_is_closed_are_withdrawn(
    asked: Callable[[int], list[Asked]],
) -> None:
    with Sink():
        requests = asked(6)
        with transaction():
            db.session.get_one(OutboxMail, 5).kind = "reply_confirmation"
        report = deliver_due(now=NOW, keep_going=after(1, lambda: close(requests[:5])))
    assert report.sent == 5
    assert ends() == ["sent", "sent", "sent", "cancelled", "sent", "sent"]


def test_a_mail_that_is_refused_for_now_is_not_queued_again_once_its_request_is_closed(
    asked: Callable[[int], list[Asked]],
) -> None:
    with Sink({"RCPT": b"451 4.3.0 later\r\n"}):
        requests = asked(2)
        deliver_due(now=NOW, keep_going=after(1, lambda: close(requests[:1])))
    assert ends() == ["cancelled", "queued"]


def test_what_a_dead_sender_had_claimed_is_not_sent_once_its_request_is_closed(
    asked: Callable[[int], list[Asked]],
) -> None:
    with Sink() as sink:
        requests = asked(1)
        change(state="sending", claimed_by="dead:1", claimed_until=NOW, attempts=1)
        close(requests)
        deliver_due(now=NOW + claims.CLAIM + MINUTE)
    assert (ends(), sink.mails()) == (["cancelled"], [])


def test_a_mail_whose_content_is_lost_fails_with_a_sentence_and_holds_back_no_other(
    asked: Callable[[int], list[Asked]],
) -> None:
    with Sink() as sink:
        asked(3)
        with transaction():
            db.session.execute(delete(OutboxContent).where(OutboxContent.id == 2))
        report = deliver_due(now=NOW)
    assert (report.sent, report.failed, report.error) == (2, 1, "")
    assert ends() == ["sent", "failed", "sent"]
    assert "missing in the database" in queued()[1].answer
    assert sink.recipients() == [BOB, BOB]
