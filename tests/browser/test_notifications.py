"""Notifications in a real browser: subscribing, choosing, and the link that stops mail."""

from __future__ import annotations

import pytest

from flexmail.services import unsubscribing, wishes
from flexmail.services.accounts import get
from tests.browser.conftest import Open, Site
from tests.browser.test_pages import faults

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def link_of(site: Site, type_name: str = "failed") -> str:
    """Return the link that Bob's mail ends with."""
    site.app.config["BASE_URL"] = site.address
    with site.app.app_context():
        return unsubscribing.link(site.cast.bob, type_name)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_behind_the_link_and_it_fits_a_small_phone(
    open_as: Open, site: Site, theme: str
) -> None:
    page = open_as("", color_scheme=theme, viewport={"width": 360, "height": 740})
    found = []
    for type_name in ("failed", "*"):
        page.goto(link_of(site, type_name))
        found += faults(page)
        page.get_by_role("button", name="Stop it").click()
        page.get_by_role("status").wait_for()
        found += faults(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.goto(link_of(site, "completed"))
    page.get_by_role("heading", name="No notification comes at all").wait_for()
    found += faults(page)
    assert not found, "\n".join(found)


def test_the_link_works_with_the_keyboard_alone_and_without_scripts(
    open_as: Open, site: Site
) -> None:
    page = open_as("", java_script_enabled=False)
    page.goto(link_of(site))
    page.get_by_role("button", name="Stop it").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="This mail is stopped").wait_for()
    page.get_by_role("button", name="Let it come again").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Stop this mail?").wait_for()
    assert page.context.cookies() == []


def test_bob_chooses_without_scripts(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.bob, java_script_enabled=False)
    page.goto("/account")
    page.get_by_label("Deploying").uncheck()
    page.get_by_label("How often").select_option(label="Hourly, in one summary")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("What mail you want is stored.").wait_for()
    assert not page.get_by_label("Deploying").is_checked()
    with site.app.app_context():
        chosen = wishes.of(get(site.cast.bob))
    assert chosen.digest == "hourly"
    assert [switch.type for switch in chosen.switches if not switch.on] == ["deploying"]


def test_ada_subscribes_a_group_asks_who_would_hear_and_ends_it(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada, java_script_enabled=False)
    page.goto("/subscriptions")
    adding = page.get_by_role("region", name="Add one")
    adding.get_by_label("Type").fill("invoice.*")
    adding.get_by_label("Scope").fill("billing")
    adding.get_by_label("Recipient").fill("group:release")
    adding.get_by_role("button", name="Add").click()
    page.get_by_text("group:release hears of invoice.* at billing from now on.").wait_for()
    asking = page.get_by_role("region", name="Who would hear of it?")
    asking.get_by_label("Type").fill("invoice.sent")
    asking.get_by_label("Scope").fill("billing/eu")
    asking.get_by_role("button", name="Show").click()
    page.get_by_text("You are subscribed to invoice.* at billing.").wait_for()
    page.get_by_role("button", name="Remove: group:release, invoice.* at billing").click()
    page.get_by_text("group:release hears of invoice.* at billing no more.").wait_for()
