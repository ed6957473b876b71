"""One of everything in the lists, so that every page has something to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flexmail.db import db, transaction
from flexmail.errors import LoginRefused
from flexmail.services import (
    accounts,
    approvals,
    bounces,
    callbacks,
    channels,
    events,
    outbox_log,
    subscriptions,
)
from flexmail.services.events import NewEvent
from tests.services import stage

LONG = "A-title-without-any-space-in-it-" * 5
DISABLED = 3
"""The id of the account that is disabled."""


def fill_database() -> None:
    """Make settings, approvals in several states, replies, mail and a channel that fails."""
    now = datetime.now(UTC)
    stage.set_up()
    accounts.edit(stage.BOB, groups=["ops", "release"])
    accounts.add("dora@corp.test", role="approver", groups=["ops"], now=now)
    accounts.set_active("dora@corp.test", False)
    decided = stage.ask(now=now, title="Deploy billing 4.2")
    stage.hand_in(stage.reply(decided, "Approve\r\nLooks good, thank you."), now=now)
    unclear = stage.ask(now=now, title="Rotate the signing keys")
    stage.hand_in(stage.reply(unclear, "Who else has seen this?"), now=now)
    stage.hand_in(stage.reply(unclear, sender="Charlie <charlie@evil.test>"), now=now)
    cancelled = stage.ask(
        "group:ops",
        now=now,
        title=LONG[:200],
        callback_url=f"https://ci.corp.test/{LONG}",
    )
    approvals.cancel(cancelled.approval_id, now=now)
    _subscribe(now)
    _let_one_mail_fail()
    _tell_of_an_event(now)
    _let_the_callback_fail()
    _let_the_mail_come_back(unclear.approval_id, now)
    _let_reading_fail(now)


def _tell_of_an_event(now: datetime) -> None:
    data = {"title": "Release 4.2", "error": LONG}
    people = (stage.BOB, "dora@corp.test", "group:nobody")
    events.send(NewEvent("failed", "billing/prod", data=data, recipients=people), now=now)


def _subscribe(now: datetime) -> None:
    for type_pattern, scope, to in (
        ("failed", "billing/prod", stage.BOB),
        ("deploy.*", "", "group:ops"),
        ("*", LONG[:120], f"{LONG[:60]}@corp.test"),
        ("completed", "billing", "group:nobody"),
    ):
        subscriptions.add(type_pattern, scope, to, now=now)


def _let_one_mail_fail() -> None:
    mail = outbox_log.listing().items[0]
    with transaction():
        mail = db.session.merge(mail)
        mail.state, mail.attempts = "failed", 3
        mail.answer = "550 5.1.1 There is no such mailbox"


def _let_the_callback_fail() -> None:
    with transaction():
        (callback,) = callbacks.listing().items
        callback.state, callback.attempts = "failed", 23
        callback.answer = f"500 Internal Server Error {LONG}"


def _let_the_mail_come_back(approval_id: int, now: datetime) -> None:
    with transaction():
        (mail,) = bounces.deliveries(approval_id)
        mail.state, mail.sent_at, mail.bounced_at = "failed", now, now
        mail.status_code = "5.1.1"
        mail.answer = f"5.1.1 <{LONG}@corp.test>: user unknown in the table of local mailboxes"


def _let_reading_fail(now: datetime) -> None:
    summary = {
        "at": (now - timedelta(minutes=7)).isoformat(),
        "looked_at": 3,
        "left": 12,
        "by_outcome": {"approved": 1, "unclear": 1, "wrong_sender": 1},
        "seconds": 0.8,
    }
    with transaction():
        channels.started("replies", now=now - timedelta(minutes=7))
        channels.finished("replies", summary)
    cause = LoginRefused(
        "The server refused user and password.", hint="Check IMAP User and IMAP Password."
    )
    channels.failed("replies", cause, revision=1, now=now)
