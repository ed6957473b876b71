"""Every page in a real browser: reachable without seeing it, on a small screen, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).with_name("vendor") / "axe.min.js"
PAGES = (
    "/",
    "/approvals",
    "/approvals/1",
    "/approvals/2",
    "/approvals/new",
    "/replies",
    "/replies/1",
    "/replies/explain",
    "/outbox",
    "/outbox/1",
    "/outbox?recipient=bob%40corp.test",
    "/callbacks",
    "/subscriptions",
    "/subscriptions?type=failed&scope=billing/prod",
    "/templates",
    "/templates/failed",
    "/users",
    "/audit",
    "/users/2",
    "/users/new",
    "/account",
    "/settings/email",
    "/missing",
    "/api/docs",
)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def faults(page: Page) -> list[str]:
    """Return what axe-core finds, one line a rule."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS
    )
    return [
        f"{page.url} {fault['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def explain_kept(page: Page) -> None:
    """Explain the kept copy of a processed mail."""
    page.goto("/replies/2")
    page.get_by_role("button", name="Explain").click()
    page.get_by_role("heading", name="The rules, in order").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(open_as: Open, site: Site, theme: str) -> None:
    found = []
    page = open_as("", color_scheme=theme)
    for path in ("/login", "/setup/wrong"):
        page.goto(path)
        found += faults(page)
    page = open_as(site.cast.ada, color_scheme=theme)
    for path in PAGES:
        page.goto(path)
        found += faults(page)
    page.goto("/settings/email")
    page.get_by_label("SMTP Host Name").fill("")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing was saved.").wait_for()
    found += faults(page)
    page = open_as(site.cast.bob, color_scheme=theme)
    page.goto("/approvals/2")
    found += faults(page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_where_a_mail_is_explained(open_as: Open, site: Site, theme: str) -> None:
    page = open_as(site.cast.ada, color_scheme=theme)
    explain_kept(page)
    found = faults(page)
    page.get_by_label("The mail's source").fill("From: x@y.test\n\nApprove")
    page.get_by_role("button", name="Explain").click()
    page.get_by_text("unknown reference").wait_for()
    found += faults(page)
    page.get_by_label("The mail's source").fill("")
    page.get_by_role("button", name="Explain").click()
    page.get_by_role("alert").wait_for()
    found += faults(page)
    assert not found, "\n".join(found)


def test_no_page_is_wider_than_a_small_phone(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada, viewport={"width": 360, "height": 740})
    widths = {}
    for path in PAGES:
        page.goto(path)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    explain_kept(page)
    widths[page.url] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in widths.items() if width > 360} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_are_taken_for_people_to_look_at(
    open_as: Open, site: Site, pictures: Path, theme: str
) -> None:
    for width in (1200, 360):
        viewport = {"width": width, "height": 800}
        page = open_as(site.cast.ada, color_scheme=theme, viewport=viewport)
        for name, path in {"status": "/", "settings": "/settings/email"}.items():
            page.goto(path)
            picture = pictures / f"{name}-{theme}-{width}.png"
            page.screenshot(path=picture, full_page=True)
            assert picture.stat().st_size > 5_000


def test_the_theme_of_the_system_is_followed(open_as: Open, site: Site) -> None:
    colours = set()
    for theme in ("light", "dark"):
        page = open_as("", color_scheme=theme)
        page.goto("/login")
        colours.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert len(colours) == 2


def test_nothing_is_blocked_and_nothing_fails_in_the_console(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada)
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "requestfailed",
        lambda lost: complaints.append(lost.url) if lost.failure != "net::ERR_ABORTED" else None,
    )  # what is still loading when the next page is opened is aborted
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url))
    for path in PAGES:
        if path != "/missing":
            page.goto(path, wait_until="networkidle")
    assert complaints == []
    assert [url for url in elsewhere if not url.startswith((site.address, "data:"))] == []


def test_the_first_tab_leads_past_the_bar_at_the_top(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada)
    page.goto("/outbox")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_moments_are_shown_in_the_zone_of_the_reader(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada, timezone_id="Asia/Tokyo", locale="en-GB")
    page.goto("/replies")
    moment = page.locator("tbody time").first
    assert moment.get_attribute("title") is not None
    assert str(moment.get_attribute("title")).endswith("UTC")
    shown = page.evaluate(
        "new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'short',"
        " timeZone: 'Asia/Tokyo'}).format(new Date(document.querySelector('tbody time').dateTime))"
    )
    assert moment.text_content() == shown
