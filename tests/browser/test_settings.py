"""The email settings in a real browser: by keyboard alone, without scripts, during a test."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from flexmail.demo.mailserver import MailServer
from flexmail.services import settings
from tests.browser.conftest import Open, Site
from tests.browser.test_pages import faults
from tests.fixtures_servers import EMBEDDED_USERS
from tests.servers import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAVED = "The email settings are saved and in force."


def fill_in(page: Page, server: MailServer) -> None:
    """Type what leads to the mail server of the test."""
    user = EMBEDDED_USERS[0]
    for label, value in {
        "SMTP Host Name": server.host,
        "SMTP Host Port": str(server.smtp_port),
        "SMTP User": user,
        "SMTP Password": PASSWORD,
        "SMTP From Address": user,
        "IMAP Host Name": server.host,
        "IMAP Host Port": str(server.imap_port),
        "Extra CA certificates": server.ca_pem,
    }.items():
        page.get_by_label(label, exact=True).fill(value)


def test_settings_can_be_saved_with_the_keyboard_alone(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada)
    page.goto("/settings/email")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "smtp_host_name":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("keyboard.corp.test")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "smtp_enable_starttls"
    page.keyboard.press("Space")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Save":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    shadow = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
    assert outline != "none" or shadow != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_text(SAVED)).to_be_visible()
    with site.app.app_context():
        row = settings.load()
        assert (row.smtp_host_name, row.smtp_enable_starttls) == ("keyboard.corp.test", False)


def test_an_error_takes_the_reader_to_its_field(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada)
    page.goto("/settings/email")
    page.get_by_label("SMTP Host Port").fill("99999")
    page.get_by_role("button", name="Save").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="SMTP Host Port").click()
    field = page.get_by_label("SMTP Host Port")
    expect(field).to_be_focused()
    expect(field).to_have_value("99999")
    assert "Give a port from 1 to 65535." in str(
        page.locator("#smtp_host_port-error").text_content()
    )


def test_a_test_shows_its_progress_and_leaves_what_was_typed(
    open_as: Open, site: Site, embedded: MailServer
) -> None:
    page = open_as(site.cast.ada)
    page.goto("/settings/email")
    fill_in(page, embedded)
    held: list[object] = []
    # a builtin method takes no attribute, and Playwright wants to set one
    page.route("**/settings/email/test", lambda route: held.append(route))  # noqa: PLW0108
    page.get_by_role("button", name="Test Email Configuration").click()
    progress = page.locator(".progress")
    expect(progress).to_contain_text("Testing")
    expect(progress).to_contain_text("1 s")
    assert page.evaluate("document.querySelector('form[action=\"/settings/email\"]').inert")
    assert len(held) == 1
    held[0].continue_()  # type: ignore[attr-defined]
    result = page.locator("#test-result")
    expect(result).to_be_focused()
    expect(result).to_contain_text("Sending (SMTP)")
    expect(progress).to_have_count(0)
    expect(page.get_by_label("SMTP Password", exact=True)).to_have_value(PASSWORD)
    expect(page.get_by_label("SMTP Host Port")).to_have_value(str(embedded.smtp_port))
    expect(result).not_to_contain_text("Type the password again")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(SAVED)).to_be_visible()


def test_everything_works_without_scripts(open_as: Open, site: Site, embedded: MailServer) -> None:
    page = open_as(site.cast.ada, java_script_enabled=False)
    page.goto("/settings/email")
    fill_in(page, embedded)
    page.get_by_role("button", name="Save").click()
    page.get_by_text(SAVED).wait_for()
    page.get_by_role("button", name="Test Email Configuration").click()
    page.get_by_role("heading", name="Test result").wait_for()
    rows = page.locator("#test-result tbody tr")
    assert rows.count() == 10
    page.goto("/replies/1")
    assert " UTC" in str(page.locator("time").first.text_content())
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in to flexmail").wait_for()


def test_a_decision_needs_no_scripts_either(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.bob, java_script_enabled=False)
    page.goto("/approvals/2")
    page.get_by_label("Comment").fill("Fine with me.")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("the request is approved").wait_for()
    assert page.get_by_text("Fine with me.").count() == 1


def test_a_form_is_sent_once_however_often_it_is_pressed(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada)
    page.goto("/approvals/new")
    page.get_by_label("Title").fill("Only once")
    page.get_by_label("Bob").check()
    page.evaluate(
        "() => { const button = [...document.querySelectorAll('main button')].at(-1);"
        " button.click(); button.click(); }"
    )
    page.get_by_text("The request is made").wait_for()
    page.goto("/approvals")
    assert page.get_by_role("link", name="Only once").count() == 1


def test_a_failed_test_reads_well_on_a_small_screen(open_as: Open, site: Site) -> None:
    page = open_as(site.cast.ada, viewport={"width": 360, "height": 740})
    page.goto("/settings/email")
    page.get_by_label("SMTP Host Name").fill("127.0.0.1")
    page.get_by_label("SMTP Host Port").fill("9")
    page.get_by_label("Enable Email Approval").uncheck()
    page.get_by_label("IMAP Host Name").fill("")
    page.get_by_role("button", name="Test Email Configuration").click()
    cause = page.get_by_role("row", name="connect").get_by_role("cell").nth(2)
    expect(cause).to_be_visible()
    box = cause.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360
    assert faults(page) == []
