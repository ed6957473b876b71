"""What an account wants to hear of: its switches, its summaries, and what they were chosen from."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db
from flexmail.errors import InvalidInput
from flexmail.models import AuditEntry
from flexmail.services import accounts, event_types, events, subscriptions, unsubscribing, wishes
from flexmail.services.events import NewEvent
from flexmail.services.wishes import Wishes
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, set_up

BUILT_IN = list(event_types.BUILT_IN)


def bobs() -> Wishes:
    return wishes.of(accounts.get(BOB))


def types() -> list[str]:
    return [switch.type for switch in bobs().switches]


def off() -> list[str]:
    return [switch.type for switch in bobs().switches if not switch.on]


def audited() -> list[tuple[str, str, dict[str, str]]]:
    wanted = select(AuditEntry).where(
        AuditEntry.action.like("notifications_%") | (AuditEntry.action == "digest_chosen")
    )
    rows = db.session.scalars(wanted.order_by(AuditEntry.id))
    return [(row.action, row.subject, row.proof) for row in rows]


def test_at_first_everything_is_on_and_comes_at_once(people: Flask) -> None:
    assert types() == BUILT_IN
    assert (off(), bobs().digest, bobs().everything_off) == ([], "at_once", False)


def test_there_is_a_switch_for_what_was_heard_of_subscribed_to_or_switched_off(
    people: Flask,
) -> None:
    set_up()
    accounts.edit(BOB, groups=["ops"])
    for name, to in (("heard", BOB), ("hers", ADA), ("deploy.eu", ADA), ("invoice.sent", ADA)):
        events.send(NewEvent(name, recipients=(to,)), now=NOW)
    wishes.save(BOB, "daily", types(), now=NOW)
    events.send(NewEvent("waits", recipients=(BOB,)), now=NOW)
    subscriptions.add("named", "billing", BOB, now=NOW)
    subscriptions.add("deploy.*", "", "group:ops", now=NOW)
    unsubscribing.switch(BOB, "quiet", on=False, now=NOW)
    assert types() == [*BUILT_IN, "deploy.eu", "heard", "named", "quiet", "waits"]
    assert off() == ["quiet"]


def test_what_is_not_ticked_is_switched_off_and_what_is_ticked_on_again(people: Flask) -> None:
    wishes.save(BOB, "hourly", ["failed"], now=NOW)
    assert off() == [name for name in BUILT_IN if name != "failed"]
    assert bobs().digest == "hourly"
    wishes.save(BOB, "hourly", BUILT_IN, now=NOW)
    assert off() == []
    entries = audited()
    assert entries[0] == ("digest_chosen", f"account {BOB}", {"digest": "hourly"})
    assert [entry[0] for entry in entries[1:]] == [
        *["notifications_switched_off"] * (len(BUILT_IN) - 1),
        *["notifications_switched_on"] * (len(BUILT_IN) - 1),
    ]
    wishes.save(BOB, "hourly", BUILT_IN, now=NOW)
    assert audited() == entries


def test_a_type_that_came_after_the_page_was_opened_stays_as_it_is(people: Flask) -> None:
    subscriptions.add("later", "", BOB, now=NOW)
    wishes.save(BOB, "at_once", ["failed"], shown=["failed", "completed"], now=NOW)
    assert off() == ["completed"]


def test_everything_off_stays_so_until_it_is_ticked(people: Flask) -> None:
    unsubscribing.switch(BOB, "*", on=False, now=NOW)
    assert bobs().everything_off
    assert "*" not in types()
    wishes.save(BOB, "at_once", BUILT_IN, now=NOW)
    assert bobs().everything_off
    wishes.save(BOB, "at_once", [*BUILT_IN, "*"], now=NOW)
    assert not bobs().everything_off
    assert audited()[-1][2] == {"type": "*"}


@pytest.mark.parametrize(
    ("digest", "on", "field"),
    [("weekly", BUILT_IN, "digest"), ("", BUILT_IN, "digest"), ("daily", ["unheard"], "on")],
)
def test_what_there_is_no_choice_of_changes_nothing(
    people: Flask, digest: str, on: list[str], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        wishes.save(BOB, digest, on, now=NOW)
    assert set(caught.value.errors) == {field}
    assert (off(), bobs().digest, audited()) == ([], "at_once", [])
