"""Subscriptions: added, repeated, refused, listed, removed; and who would hear of an event."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from flexmail.db import db
from flexmail.errors import InvalidInput, NotFound
from flexmail.models import AuditEntry, Event, OutboxMail, Subscription
from flexmail.services import accounts, events, subscriptions, unsubscribing
from flexmail.services.audience import Recipient, Skip
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, set_up, together


def add(type_pattern: str = "failed", scope: str = "", to: str = BOB) -> Subscription:
    return subscriptions.add(type_pattern, scope, to, now=NOW)[0]


def audited() -> list[tuple[str, dict[str, str]]]:
    found = select(AuditEntry).where(AuditEntry.action.like("subscription_%"))
    rows = db.session.scalars(found.order_by(AuditEntry.id))
    return [(row.action, row.proof) for row in rows]


@pytest.mark.parametrize(
    ("type_pattern", "scope", "to", "stored"),
    [
        ("failed", "", BOB, ("failed", "", BOB)),
        ("*", "billing/prod", "group:Ops", ("*", "billing/prod", "group:ops")),
        ("deploy.*", "a.b@c+d:e-f_g", "team@LISTS.test", ("deploy.*", "a.b@c+d:e-f_g", None)),
        (" failed ", " billing ", f" {BOB} ", ("failed", "billing", BOB)),
    ],
)
def test_somebody_is_subscribed_with_an_account_or_without(
    people: Flask, type_pattern: str, scope: str, to: str, stored: tuple[str, str, str | None]
) -> None:
    row, fresh = subscriptions.add(type_pattern, scope, to, now=NOW)
    wanted = (stored[0], stored[1], stored[2] or "team@lists.test")
    assert (row.type, row.scope, row.recipient) == wanted
    assert fresh
    proof = dict(zip(("type", "scope", "recipient"), wanted, strict=True))
    assert audited() == [("subscription_added", proof)]


def test_a_repeat_answers_the_one_that_is_there(people: Flask) -> None:
    first = add("failed", "billing", "bob@CORP.test")
    again, fresh = subscriptions.add("failed", "billing", BOB, now=NOW)
    assert (again.id, fresh) == (first.id, False)
    assert db.session.scalar(select(func.count(Subscription.id))) == 1
    assert len(audited()) == 1


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (("Failed", "", BOB), {"type"}),
        (("", "", BOB), {"type"}),
        (("a" * 65, "", BOB), {"type"}),
        (("failed\nx", "", BOB), {"type"}),
        (("[a-z]", "", BOB), {"type"}),
        (("failed", "/billing", BOB), {"scope"}),
        (("failed", "billing/*", BOB), {"scope"}),
        (("failed", "b" * 201, BOB), {"scope"}),
        (("failed", "", ""), {"recipient"}),
        (("failed", "", "bob"), {"recipient"}),
        (("failed", "", "bob@corp.test\r\nBcc: x@y.test"), {"recipient"}),
        (("failed", "", "a@x.test, b@x.test"), {"recipient"}),
        (("failed", "", "group:"), {"recipient"}),
        (("failed", "", "group:no such"), {"recipient"}),
        (("?", "//", "?"), {"type", "scope", "recipient"}),
    ],
)
def test_what_will_not_do_is_refused_by_field(
    people: Flask, given: tuple[str, str, str], fields: set[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        subscriptions.add(*given, now=NOW)
    assert set(caught.value.errors) == fields
    assert db.session.scalar(select(func.count(Subscription.id))) == 0
    assert audited() == []


def test_one_that_is_removed_is_gone_and_recorded(people: Flask) -> None:
    row = add("failed", "billing")
    subscriptions.remove(row.id)
    assert subscriptions.listing().items == []
    proof = {"type": "failed", "scope": "billing", "recipient": BOB}
    assert audited()[-1] == ("subscription_removed", proof)
    with pytest.raises(NotFound):
        subscriptions.remove(row.id)
    assert len(audited()) == 2


def test_they_are_listed_in_pages_and_by_recipient(people: Flask) -> None:
    for number in range(5):
        add(f"type{number}", "", BOB if number % 2 else ADA)
    page = subscriptions.listing(limit=2)
    assert [row.type for row in page.items] == ["type4", "type3"]
    page = subscriptions.listing(limit=2, cursor=page.next_cursor)
    assert [row.type for row in page.items] == ["type2", "type1"]
    assert [row.type for row in subscriptions.listing(to=" bob@CORP.test").items] == [
        "type3",
        "type1",
    ]
    assert subscriptions.listing(to="nobody@corp.test").items == []
    with pytest.raises(InvalidInput) as caught:
        subscriptions.listing(to="nobody")
    assert set(caught.value.errors) == {"recipient"}


def test_an_account_sees_what_it_is_subscribed_to_and_through_which_group(people: Flask) -> None:
    accounts.edit(BOB, groups=["ops", "release"])
    for to in ("group:release", "group:ops", BOB, ADA, "group:others"):
        add("failed", "", to)
    found = subscriptions.of_account(accounts.get(BOB))
    assert [row.recipient for row in found] == [BOB, "group:ops", "group:release"]


def test_recipients_that_get_no_mail_as_things_stand_are_told_apart(people: Flask) -> None:
    accounts.edit(BOB, groups=["ops", "release"])
    accounts.edit(ADA, groups=["ops"])
    accounts.set_active(BOB, False)
    names = ["group:ops", "group:release", "group:nobody", BOB, ADA, "team@lists.test"]
    assert subscriptions.unheard(names) == {
        "group:release": "no active account in it",
        "group:nobody": "no active account in it",
        BOB: "the account is disabled",
    }
    assert subscriptions.unheard([]) == {}


def test_who_would_hear_is_who_hears(people: Flask) -> None:
    set_up()
    accounts.edit(ADA, groups=["ops"])
    add("fail*", "billing", "group:ops")
    add("failed", "billing/prod", BOB)
    add("*", "", "team@lists.test")
    add("failed", "", "quiet@lists.test")
    add("failed", "", "group:nobody")
    add("completed", "billing", "other@lists.test")
    unsubscribing.switch("quiet@lists.test", "failed", on=False, now=NOW)

    found = subscriptions.hearers(" failed ", "billing/prod/eu")

    assert found.recipients == (
        Recipient(ADA, "You are subscribed to fail* at billing."),
        Recipient(BOB, "You are subscribed to failed at billing/prod."),
        Recipient("team@lists.test", "You are subscribed to *."),
    )
    assert found.skips == (
        Skip("group:nobody", "The group has no active account."),
        Skip("quiet@lists.test", "They switched off mail about failed."),
    )
    assert db.session.scalar(select(func.count(Event.id))) == 0
    report = events.send(NewEvent("failed", "billing/prod/eu"), now=NOW)
    assert report.skipped == found.skips
    mails = db.session.scalars(select(OutboxMail.recipient).order_by(OutboxMail.id)).all()
    assert mails == [one.address for one in found.recipients]


@pytest.mark.parametrize(
    ("type_name", "scope", "fields"),
    [("fail*", "", {"type"}), ("", "/", {"type", "scope"})],
)
def test_an_event_that_cannot_be_has_no_hearers(
    people: Flask, type_name: str, scope: str, fields: set[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        subscriptions.hearers(type_name, scope)
    assert set(caught.value.errors) == fields


def test_two_at_the_same_moment_end_as_one(people: Flask) -> None:
    answers = together(people, *[lambda: subscriptions.add("failed", "", BOB, now=NOW)[1]] * 4)
    assert sorted(answers, key=str) == [False, False, False, True]
    assert len(audited()) == 1


def test_two_clicks_at_the_same_moment_switch_off_once(people: Flask) -> None:
    answers = together(
        people, *[lambda: unsubscribing.switch(BOB, "failed", on=False, now=NOW)] * 4
    )
    assert answers == [None] * 4
    wanted = select(AuditEntry.id).where(AuditEntry.action == "notifications_switched_off")
    assert len(db.session.scalars(wanted).all()) == 1
