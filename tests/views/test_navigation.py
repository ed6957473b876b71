"""The links on top of each page: by role, with the one that leads here marked."""

from __future__ import annotations

import re

from flask import Flask
from sqlalchemy import event

from flexmail.db import db
from tests.views.visitor import Visitor

_LINK = re.compile(r'<li><a href="([^"]+)"( aria-current="page")?>([^<]+)</a></li>')
FOR_ADMINS = {
    "/": "Status",
    "/approvals": "Approvals",
    "/replies": "Replies",
    "/outbox": "Outbox",
    "/callbacks": "Callbacks",
    "/users": "Users",
    "/audit": "Audit",
    "/settings/email": "Email settings",
    "/account": "Account",
}
FOR_ALL = {path: FOR_ADMINS[path] for path in ("/approvals", "/account")}


def navigation_of(page: str) -> str:
    """Return the part of a page that is the same on all of them."""
    return page.partition('<nav class="container"')[2].partition("</nav>")[0]


def links(visitor: Visitor, path: str) -> tuple[dict[str, str], list[str]]:
    """Return labels by address, and which addresses are marked as this page."""
    found = _LINK.findall(navigation_of(visitor.get(path).text))
    return {address: label for address, _, label in found}, [at for at, here, _ in found if here]


def test_each_role_sees_its_links_and_where_it_is(ada: Visitor, bob: Visitor) -> None:
    for path in FOR_ADMINS:
        assert links(ada, path) == (FOR_ADMINS, [path])
    for path in FOR_ALL:  # what an admin was shown a moment before is not shown again
        assert links(bob, path) == (FOR_ALL, [path])


def test_nobody_is_shown_links_before_signing_in(charlie: Visitor) -> None:
    assert links(charlie, "/login") == ({}, [])


def test_behind_a_prefix_each_link_has_it(app: Flask, ada: Visitor) -> None:
    assert links(ada, "/account")[0] == FOR_ADMINS
    page = ada.client.get("/account", environ_overrides={"SCRIPT_NAME": "/flexmail"}).text
    assert [address for address, _, _ in _LINK.findall(navigation_of(page))] == [
        f"/flexmail{path}" for path in FOR_ADMINS
    ]


def test_the_settings_page_asks_who_it_is_and_what_is_stored_and_no_more(
    app: Flask, ada: Visitor
) -> None:
    with app.app_context():
        engine = db.engine
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert ada.get("/settings/email").status_code == 200
    assert asked.pop(0) == "BEGIN"
    assert [re.search(r"FROM (\w+)", statement)[1] for statement in asked] == [  # type: ignore[index]
        "users",
        "email_settings",
    ]
