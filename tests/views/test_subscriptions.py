"""Subscriptions on the page: added, refused, filtered, removed; and who would hear of an event."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.services import accounts, subscriptions, unsubscribing
from tests.conftest import NOW, Cast
from tests.views.settings_form import Shown
from tests.views.visitor import Visitor

PATH = "/subscriptions"


def typed(**changed: str) -> dict[str, str]:
    return {"type": "failed", "scope": "billing/prod", "recipient": "bob@corp.test"} | changed


def stored(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        rows = subscriptions.listing().items
        return [(row.type, row.scope, row.recipient) for row in rows]


def test_one_is_added_shown_repeated_and_removed(app: Flask, ada: Visitor) -> None:
    assert "There is no subscription yet." in ada.get(PATH).text
    page = ada.follow(ada.post(PATH, typed())).text
    assert "bob@corp.test hears of failed at billing/prod from now on." in page
    page = ada.follow(ada.post(PATH, typed())).text
    assert "bob@corp.test hears of failed at billing/prod already." in page
    assert stored(app) == [("failed", "billing/prod", "bob@corp.test")]
    (form,) = [form for form in Shown(page).page.forms if "remove" in (form.action or "")]
    page = ada.follow(ada.post(str(form.action))).text
    assert "bob@corp.test hears of failed at billing/prod no more." in page
    assert stored(app) == []
    assert ada.post(str(form.action)).status_code == 404


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    app: Flask, ada: Visitor
) -> None:
    answer = ada.post(PATH, typed(type="Failed!", scope="/x", recipient="bob"))
    assert answer.status_code == 422
    shown = Shown(answer.text)
    assert shown.errors() == {"type", "scope", "recipient"}
    assert "lower-case letters" in shown.error("type")
    assert "a path such as billing/prod" in shown.error("scope")
    assert shown.error("recipient")
    assert shown.value("type") == "Failed!"
    assert stored(app) == []


def test_a_recipient_that_gets_no_mail_is_allowed_and_told(app: Flask, ada: Visitor) -> None:
    page = ada.follow(ada.post(PATH, typed(recipient="group:nobody"))).text
    sentence = "No mail goes to group:nobody as long as it is so: no active account in it."
    assert Shown(page).notices("warning") == [sentence]
    assert '<span class="state other">no active account in it</span>' in page
    page = ada.follow(ada.post(PATH, typed(recipient="team@lists.test"))).text
    assert Shown(page).notices("warning") == []
    assert len(stored(app)) == 2


def test_the_list_can_be_narrowed_to_one_recipient(ada: Visitor) -> None:
    for to in ("bob@corp.test", "group:ops"):
        ada.post(PATH, typed(recipient=to))
    page = ada.get(f"{PATH}?recipient=group:ops").text
    assert 'aria-label="Remove: group:ops, failed at billing/prod"' in page
    assert "Remove: bob@corp.test" not in page
    empty = ada.get(f"{PATH}?recipient=eve@corp.test").text
    assert "Nothing is subscribed to by eve@corp.test." in empty
    wrong = ada.get(f"{PATH}?recipient=nobody")
    assert wrong.status_code == 422


def test_known_types_are_offered_also_those_of_programs(app: Flask, ada: Visitor) -> None:
    from flexmail.db import db, transaction
    from flexmail.models import Event

    with app.app_context(), transaction():
        db.session.add(Event(type="invoice.sent", created_at=NOW))
    options = Shown(ada.get(PATH).text).page.xpath("//datalist[@id='types']/option/@value")
    assert options == [
        "approval_pending",
        "approval_rejected",
        "completed",
        "deploying",
        "failed",
        "invoice.sent",
        "scheduled",
    ]


def test_who_would_hear_is_told_without_anything_being_sent(
    app: Flask, cast: Cast, ada: Visitor
) -> None:
    with app.app_context():
        accounts.edit(cast.ada, groups=["ops"])
        subscriptions.add("fail*", "billing", "group:ops", now=NOW)
        subscriptions.add("failed", "", "quiet@lists.test", now=NOW)
        unsubscribing.switch("quiet@lists.test", "failed", on=False, now=NOW)
    page = Shown(ada.get(f"{PATH}?type=failed&scope=billing/prod").text)
    told = page.page.xpath("//section[@aria-labelledby='ask']//li")
    assert [page.words(item) for item in told] == [
        "ada@corp.test, at once: You are subscribed to fail* at billing.",
        "quiet@lists.test, no mail: They switched off mail about failed.",
    ]
    assert page.value("asked-scope") == "billing/prod"
    assert "Nobody, unless the event names somebody." in ada.get(f"{PATH}?type=deploying").text


@pytest.mark.parametrize(
    ("query", "fields"),
    [("type=fail*&scope=", {"asked-type"}), ("type=&scope=/", {"asked-type", "asked-scope"})],
)
def test_an_event_that_cannot_be_is_refused_beside_its_fields(
    ada: Visitor, query: str, fields: set[str]
) -> None:
    answer = ada.get(f"{PATH}?{query}")
    assert answer.status_code == 422
    assert Shown(answer.text).errors() == fields


def test_more_than_a_page_is_listed_in_pages(app: Flask, ada: Visitor) -> None:
    with app.app_context():
        for number in range(51):
            subscriptions.add(f"type{number}", "", "bob@corp.test", now=NOW)
    first = ada.get(f"{PATH}?recipient=bob@corp.test").text
    assert first.count('aria-label="Remove: ') == 50
    (older,) = Shown(first).page.xpath("//a[@rel='next']/@href")
    assert "type0 everywhere" in ada.get(str(older)).text
