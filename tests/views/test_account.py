"""The own account: the switches of notifications, summaries, and what one is subscribed to."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.services import accounts, event_types, subscriptions, unsubscribing, wishes
from flexmail.services.wishes import Wishes
from tests.conftest import NOW, Cast
from tests.views.settings_form import Shown
from tests.views.visitor import Data, Visitor

PATH = "/account/notifications"
BUILT_IN = list(event_types.BUILT_IN)


def ticked(page: str) -> list[str]:
    boxes = Shown(page).page.xpath("//input[@name='on'][@checked]/@value")
    return [str(value) for value in boxes]


def stored(app: Flask, email: str) -> Wishes:
    with app.app_context():
        return wishes.of(accounts.get(email))


def as_shown(page: str, **changed: str | list[str]) -> Data:
    """Return what a browser sends of the form on the page."""
    (form,) = [form for form in Shown(page).page.forms if form.action == PATH]
    sent: Data = {}
    for name, value in form.form_values():
        sent.setdefault(name, [])
        sent[name] = [*sent[name], str(value)]
    return sent | changed


def test_a_switch_for_every_type_and_a_choice_of_how_often(
    app: Flask, cast: Cast, bob: Visitor
) -> None:
    page = bob.get("/account").text
    assert ticked(page) == BUILT_IN
    wanted = [name for name in BUILT_IN if name != "deploying"]
    answer = bob.post(PATH, as_shown(page, digest="hourly", on=wanted))
    page = bob.follow(answer).text
    assert "What mail you want is stored." in page
    assert ticked(page) == wanted
    assert Shown(page).value("digest") == "hourly"
    assert stored(app, cast.bob).digest == "hourly"
    everything: Data = {"digest": "at_once", "on": BUILT_IN}
    bob.post(PATH, everything)
    assert ticked(bob.get("/account").text) == BUILT_IN


def test_what_cannot_be_switched_off_is_told(bob: Visitor) -> None:
    page = bob.get("/account").text
    assert "cannot be switched off here: somebody waits for the answer" in page
    assert "no summary holds it back" in page


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"digest": "weekly"}, "Choose one of: at_once, hourly, daily."),
        ({"digest": "daily", "on": ["unheard"]}, "There is no switch for &#39;unheard&#39;."),
    ],
)
def test_what_there_is_no_choice_of_is_refused(
    app: Flask, cast: Cast, bob: Visitor, given: Data, sentence: str
) -> None:
    answer = bob.post(PATH, given)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert stored(app, cast.bob).digest == "at_once"
    assert ticked(bob.get("/account").text) == BUILT_IN


def test_nobody_chooses_for_somebody_else(app: Flask, cast: Cast, ada: Visitor) -> None:
    given: Data = {"digest": "daily", "email": cast.bob, "on": BUILT_IN}
    ada.post(PATH, given)
    assert stored(app, cast.ada).digest == "daily"
    assert stored(app, cast.bob).digest == "at_once"


def test_subscriptions_are_shown_with_the_group_they_come_through(
    app: Flask, cast: Cast, bob: Visitor
) -> None:
    assert "Nothing. You hear of events that name you" in bob.get("/account").text
    with app.app_context():
        accounts.edit(cast.bob, groups=["ops"])
        subscriptions.add("invoice.sent", "billing", cast.bob, now=NOW)
        subscriptions.add("fail*", "", "group:ops", now=NOW)
        subscriptions.add("completed", "", cast.ada, now=NOW)
    page = Shown(bob.get("/account").text)
    assert [page.words(item) for item in page.page.xpath("//h3/following-sibling::ul/li")] == [
        "invoice.sent at billing",
        "fail* everywhere, through the group ops",
    ]
    labels = page.page.xpath("//fieldset[@id='on']//label")
    assert [page.words(label) for label in labels][-2:] == ["Failed", "invoice.sent"]


def test_who_stopped_everything_by_the_link_can_start_it_again_here(
    app: Flask, cast: Cast, bob: Visitor
) -> None:
    with app.app_context():
        unsubscribing.switch(cast.bob, "*", on=False, now=NOW)
    page = bob.get("/account").text
    assert "everything is switched off now" in page
    bob.post(PATH, as_shown(page))
    assert stored(app, cast.bob).everything_off
    bob.post(PATH, as_shown(page, on=["*", *BUILT_IN]))
    assert not stored(app, cast.bob).everything_off
    assert "everything is switched off now" not in bob.get("/account").text


def test_an_admin_sees_what_somebody_chose_and_cannot_choose_for_them(
    app: Flask, cast: Cast, ada: Visitor
) -> None:
    with app.app_context():
        user = accounts.get(cast.bob)
        path = f"/users/{user.id}"
        wishes.save(cast.bob, "daily", [n for n in BUILT_IN if n != "failed"], now=NOW)
        subscriptions.add("fail*", "billing", cast.bob, now=NOW)
    page = Shown(ada.get(path).text)
    (shown,) = page.page.xpath("//h2[text()='Notifications']/following-sibling::dl[1]")
    values = [page.words(value) for value in shown.xpath("dd")]
    assert values == ["daily", "failed", "fail* at billing"]
    assert page.page.xpath("//input[@name='on']") == []
