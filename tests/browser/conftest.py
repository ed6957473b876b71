"""Debian's Chromium at pages that a real server serves from a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from tests.conftest import PASSWORD, Cast
from tests.servers import program
from tests.views.filled import fill_database

ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Site:
    """Where flexmail is served, with accounts and one of everything in its lists."""

    address: str
    cast: Cast
    app: Flask


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = program("chromium")
    if path is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


def whole(app: Flask) -> Any:
    """Return the app with each answer read and closed before any of it is sent.

    A browser that leaves a page hangs up on its files, and Werkzeug's server then forgets to close
    them: a warning that would fail whichever test runs at that moment.
    """

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return serve


@pytest.fixture
def site(app: Flask, cast: Cast) -> Iterator[Site]:
    with app.app_context():
        fill_database()
    server = make_server("127.0.0.1", 0, whole(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", cast, app)
    server.shutdown()
    thread.join(10)
    server.server_close()


Open = Callable[..., Page]


@pytest.fixture
def open_as(browser: Browser, site: Site) -> Iterator[Open]:
    """Return a function that signs somebody in ("" for nobody) and returns the open page."""
    contexts = []

    def open_page(email: str = "", **context: Any) -> Page:
        made = browser.new_context(base_url=site.address, **context)
        made.set_default_timeout(20_000)
        contexts.append(made)
        page = made.new_page()
        if email:
            page.goto("/login")
            page.get_by_label("E-mail address").fill(email)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "/login" not in url)
        return page

    yield open_page
    for made in contexts:
        made.close()


@pytest.fixture
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots of this run lie, for people to look at."""
    folder = tmp_path_factory.getbasetemp() / "pictures"
    folder.mkdir(exist_ok=True)
    return folder
