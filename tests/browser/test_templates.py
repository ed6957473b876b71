"""The words of notifications in a real browser: edited, tried, saved, and the mails they make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from flexmail.db import transaction
from flexmail.mail.compose import texts_of
from flexmail.services import accounts, digests, event_templates, events
from flexmail.services.events import NewEvent
from tests.browser.conftest import Open, Site
from tests.browser.test_pages import AXE, faults
from tests.services.stage import BOB, opened, queued

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATH = "/templates/failed"
LONG = "A-word-without-any-space-in-it-" * 6
TOLD: dict[str, Any] = {
    "title": f"Release 4.2 {LONG}",
    "submitter": BOB,
    "error": f"It broke.\n{LONG * 3}",
    "details": LONG,
    "link": f"https://builds.test/{LONG}",
    **{f"key_{number}": LONG for number in range(5)},
}
DRAWN = "e => getComputedStyle(e).color"


def tell(site: Site, type_name: str = "failed", **data: object) -> None:
    with site.app.app_context():
        events.send(NewEvent(type_name, "billing", data=data), now=datetime.now(UTC))


def test_words_are_edited_tried_and_saved_and_the_next_mail_has_them(
    open_as: Open, site: Site
) -> None:
    page = open_as(site.cast.ada)
    page.goto("/subscriptions")
    page.get_by_role("link", name="Templates").click()
    page.get_by_role("link", name="failed").click()
    expect(page.get_by_label("Subject")).not_to_be_editable()
    page.get_by_role("button", name="Copy to edit").click()
    page.get_by_label("Subject").fill("Oh no: {{ title }}")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Oh no: Release 4.2 to production")
    page.get_by_label("Text").fill("{{ data.error }}")
    page.get_by_label("HTML").fill('<p id="x" style="color: rgb(1, 2, 3)">{{ data.error }}</p>')
    words = page.frame_locator("iframe").locator("#x")
    expect(words).to_have_text("The database did not start within 60 s.")
    assert words.evaluate(DRAWN) == "rgb(1, 2, 3)"
    page.get_by_label("HTML").fill("<p>{{ data.eror")
    expect(preview).to_contain_text("HTML: Line 1: ")
    page.get_by_label("HTML").fill("<p>{{ data.error }}</p>")
    expect(preview).not_to_contain_text("Line 1: ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("has these words")).to_be_visible()
    tell(site, title="A", error="1 < 2", submitter=BOB)
    with site.app.app_context():
        mail = queued("event")[-1]
        assert mail.subject == "Oh no: A"
        assert "<p>1 &lt; 2</p>" in texts_of(opened(mail))["html"]


def test_everything_works_without_scripts(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada, java_script_enabled=False)
    page.goto(f"{PATH}?edit=yes")
    page.get_by_label("Subject").fill("Oh no: {{ titel }}")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("There is no variable titel.")
    page.get_by_label("Subject").fill("Oh no: {{ title }}")
    page.get_by_label("HTML").fill('<p style="color: rgb(1, 2, 3)">{{ data.error }}</p>')
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("Oh no: Release 4.2 to production")
    page.get_by_role("button", name="Send me a sample").click()
    expect(page.get_by_text("A sample is on its way")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("has these words")).to_be_visible()
    page.get_by_role("link", name="Back to the built-in words").click()
    page.get_by_role("button", name="Go back to the built-in words").click()
    expect(page.get_by_role("button", name="Copy to edit")).to_be_visible()


def test_what_is_previewed_runs_nothing_fetches_nothing_and_leads_nowhere(
    open_as: Open, site: Site
) -> None:
    tell(site, error="<script>parent.document.title = 'caught'</script>", submitter=BOB)
    page = open_as(site.cast.ada)
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "requestfailed",
        lambda lost: refused.append(lost.url) if lost.failure == "csp" else None,
    )  # Chromium tells of a request also where the policy keeps it from being made
    page.goto(f"{PATH}?edit=yes")
    page.get_by_label("Try with").select_option("last")
    page.get_by_label("HTML").fill(
        "<img src='https://x.test/a.png' alt='A picture'>{{ data.error }}"
        "<p style=\"background: url('https://x.test/b.png')\">a</p>"
        "<style>p { background: url(https://x.test/c.png) }</style>"
        "<a href='https://x.test/d' target='_top'>away</a>"
    )
    frame = page.frame_locator("iframe")
    expect(frame.locator("body")).to_contain_text("parent.document.title = 'caught'")
    frame.get_by_role("link", name="away").click()
    page.get_by_label("Subject").fill("Still here")
    expect(page.locator("#preview")).to_contain_text("Still here")
    assert "caught" not in page.title()
    elsewhere = [url for url in asked if "x.test" in url]
    assert sorted(elsewhere) == sorted(refused)
    assert not [url for url in elsewhere if "a.png" in url or "/d" in url]


def test_what_was_typed_is_still_there_when_nobody_is_signed_in_any_more(
    open_as: Open, site: Site
) -> None:
    page = open_as(site.cast.ada)
    page.goto(f"{PATH}?edit=yes")
    page.context.clear_cookies()
    page.get_by_label("Subject").fill("Typed for an hour")
    expect(page.get_by_role("alert")).to_contain_text("There is no preview right now")
    expect(page.get_by_label("Subject")).to_have_value("Typed for an hour")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_templates(open_as: Open, site: Site, theme: str) -> None:
    tell(site, **TOLD)
    page = open_as(site.cast.ada, color_scheme=theme)
    found = []
    for path in ("/templates", PATH, f"{PATH}?edit=yes", f"{PATH}/reset"):
        page.goto(path)
        found += faults(page)
    page.goto(f"{PATH}?edit=yes")
    page.get_by_label("Subject").fill("{{ titel }}")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing was saved.").wait_for()
    found += faults(page)
    assert not found, "\n".join(found)


def test_no_page_of_templates_is_wider_than_a_small_phone(open_as: Open, site: Site) -> None:
    tell(site, **TOLD)
    with site.app.app_context():
        words = event_templates.get("failed").source
        event_templates.save("failed", words, now=datetime.now(UTC))
    page = open_as(site.cast.ada, viewport={"width": 360, "height": 740})
    for path in ("/templates", PATH, f"{PATH}/reset"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def mails(site: Site) -> dict[str, str]:
    """Return the HTML of real mails: three types with much to tell, and a summary."""
    now = datetime.now(UTC)
    pages = {}
    with site.app.app_context():
        for type_name in ("failed", "approval_pending", "own.type"):
            told = NewEvent(type_name, "billing/prod", data=TOLD, recipients=(BOB,))
            events.send(told, now=now)
            pages[type_name] = texts_of(opened(queued("event")[-1]))["html"]
        with transaction():
            accounts.get(BOB).digest = "hourly"
        for number in range(5):
            events.send(NewEvent("failed", data=TOLD | {"version": number}), now=now)
        digests.queue_due(now=now + timedelta(days=2))
        pages["digest"] = texts_of(opened(queued("digest")[-1]))["html"]
    return pages


def contrast(page: Page) -> list[str]:
    """Return what is hard to read on the paper of the theme, which axe takes to be white."""
    page.evaluate("document.documentElement.style.background = 'Canvas'")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {runOnly: ['color-contrast']})")
    return [node["failureSummary"] for fault in found["violations"] for node in fault["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_mails_are_read_on_any_screen_in_any_light(
    open_as: Open, site: Site, pictures: Path, width: int, theme: str
) -> None:
    page = open_as("", color_scheme=theme, viewport={"width": width, "height": 600})
    for name, html in mails(site).items():
        page.set_content(html)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert contrast(page) == [], name
        page.screenshot(path=pictures / f"mail-{name}-{theme}-{width}.png", full_page=True)
