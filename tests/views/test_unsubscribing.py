"""The link in every notification: looked at without effect, posted to without login or cookie."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flexmail.db import db
from flexmail.models import AuditEntry
from flexmail.services import accounts, unsubscribing
from tests.conftest import Cast
from tests.views.settings_form import Shown
from tests.views.visitor import Visitor

BOB = "bob@corp.test"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def bare(app: Flask) -> FlaskClient:
    """A client without cookies, as mail programs post."""
    return app.test_client(use_cookies=False)


def path_to(app: Flask, address: str = BOB, type_name: str = "failed") -> str:
    app.config["BASE_URL"] = "http://127.0.0.1:8000"
    with app.app_context():
        return unsubscribing.link(address, type_name).removeprefix(app.config["BASE_URL"])


def is_off(app: Flask, address: str = BOB, type_name: str = "failed") -> bool:
    with app.app_context():
        return unsubscribing.is_off(address, type_name)


def test_looking_changes_nothing_and_says_whose_mail_about_what(
    app: Flask, bare: FlaskClient
) -> None:
    answer = bare.get(path_to(app))
    assert answer.status_code == 200
    assert "Mail about “Failed” goes to <strong>bob@corp.test</strong>." in answer.text
    assert "Sign out" not in answer.text
    assert "csrf_token" not in answer.text
    assert not is_off(app)


@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_of_a_mail_program_stops_it_without_login_token_or_cookie(
    app: Flask, bare: FlaskClient, encoding: str
) -> None:
    for _ in range(2):
        answer = bare.post(path_to(app), data=ONE_CLICK, content_type=encoding)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert is_off(app)
    with app.app_context():
        wanted = select(AuditEntry).where(AuditEntry.action == "notifications_switched_off")
        (entry,) = db.session.scalars(wanted)
        assert (entry.actor, entry.channel) == ("not signed in", "web")
        assert (entry.subject, entry.proof) == (f"address {BOB}", {"type": "failed"})


def test_the_button_stops_it_and_the_next_one_has_it_come_again(
    app: Flask, bare: FlaskClient
) -> None:
    path = path_to(app)
    for wanted, title, then in (
        ("off", "Stop this mail?", "This mail is stopped"),
        ("on", "This mail is stopped", "Stop this mail?"),
    ):
        (form,) = Shown(bare.get(path).text).page.forms
        (button,) = form.xpath(".//button")
        assert (form.method, form.action) == ("POST", None)
        assert (button.get("name"), button.get("value")) == ("switch", wanted)
        assert f"<h1>{title}</h1>" in bare.get(path).text
        answer = bare.post(path, data={"switch": wanted})
        assert f"<h1>{then}</h1>" in answer.text
        assert is_off(app) is (wanted == "off")


def test_the_link_of_a_summary_stops_everything_and_that_is_told(
    app: Flask, bare: FlaskClient
) -> None:
    everything = path_to(app, type_name="*")
    assert "Stop all notifications?" in bare.get(everything).text
    assert "All notifications are stopped" in bare.post(everything, data=ONE_CLICK).text
    page = bare.post(path_to(app), data={"switch": "on"}).text
    assert "No notification comes at all" in page
    assert "<button" not in page
    assert "Stop all notifications?" in bare.post(everything, data={"switch": "on"}).text
    assert not is_off(app, type_name="*")


def test_a_torn_or_foreign_link_is_no_page_and_changes_nothing(
    app: Flask, bare: FlaskClient
) -> None:
    path = path_to(app)
    with app.app_context():
        foreign = unsubscribing._signer().dumps("not two values")
        app.config["SECRET_KEY"], ours = "another installation", app.config["SECRET_KEY"]
        others = unsubscribing.link(BOB, "failed").rpartition("/")[2]
        app.config["SECRET_KEY"] = ours
    torn = (path[:-1], path[:-1] + "~", f"{path}.x", "/unsubscribe/wrong", "/unsubscribe/a.b")
    for wrong in (*torn, f"/unsubscribe/{foreign}", f"/unsubscribe/{others}"):
        for answer in (bare.get(wrong), bare.post(wrong, data=ONE_CLICK)):
            assert answer.status_code == 404, wrong
            assert "not one of flexmail" in answer.text
            assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not is_off(app)


def test_no_other_site_and_no_search_engine_learns_of_the_link(
    app: Flask, bare: FlaskClient
) -> None:
    path = path_to(app)
    for answer in (bare.get(path), bare.post(path, data=ONE_CLICK)):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["Cache-Control"] == "no-store"


def test_it_works_for_a_disabled_account_and_whoever_is_signed_in(
    app: Flask, cast: Cast, ada: Visitor, bare: FlaskClient
) -> None:
    path = path_to(app)
    with app.app_context():
        accounts.set_active(cast.bob, False)
    assert bare.post(path, data=ONE_CLICK).status_code == 200
    assert is_off(app)
    assert ada.client.post(path, data={"switch": "on"}).status_code == 200
    assert not is_off(app)


def test_an_international_address_has_a_link_that_is_plain(app: Flask, bare: FlaskClient) -> None:
    address = "jörg@bücher.test"
    path = path_to(app, address, "a" * 64)
    assert path.isascii()
    assert address in bare.get(path).text
    bare.post(path, data=ONE_CLICK)
    assert is_off(app, address, "a" * 64)


def test_what_the_link_holds_is_shown_as_text(app: Flask, bare: FlaskClient) -> None:
    page = bare.get(path_to(app, '"<script>alert(1)</script>"@corp.test')).text
    assert "<script>alert" not in page
