"""What the pages say of mail that is held back, and the way to let it go."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.models import ReplyFolder
from flexmail.services import reply_folders, settings
from tests.views.settings_form import PATH, Shown, typed
from tests.views.visitor import Visitor

CONFIRM = "/settings/email/confirm-deletion"
ON = {"enable_email_approval": "y", "imap_host_name": "imap.corp.test"}


@pytest.fixture
def holding(app: Flask, ada: Visitor) -> Flask:
    """Approval is on, and two mails are held back."""
    ada.post(PATH, typed(**ON))
    with app.app_context(), transaction():
        row = settings.load()
        db.session.add(
            ReplyFolder(
                account=reply_folders.account_name(row),
                folder="INBOX",
                uidvalidity=9,
                held_below_uid=3,
                held={
                    "count": 2,
                    "below": 2,
                    "oldest": "2019-03-02",
                    "senders": [["boss@corp.test", 2]],
                    "surveyed": 2,
                },
            )
        )
    return app


def is_held(app: Flask) -> bool:
    with app.app_context():
        return reply_folders.held(settings.load()) is not None


def test_the_status_page_warns_and_leads_to_what_is_held(holding: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/").text)
    (warning,) = [one for one in page.notices("warning") if "INBOX" in one]
    for told in ("2 mail", "2019-03-02", "boss@corp.test (2)", "until an admin confirms"):
        assert told in warning
    assert page.page.xpath(f"//a[@href='{CONFIRM}']")


def test_looking_changes_nothing_and_says_what_confirming_does(
    holding: Flask, ada: Visitor
) -> None:
    text = Shown.words(Shown(ada.get(CONFIRM).text).page.xpath("//main")[0])
    for told in ("2 mails lay", "2019-03-02", "boss@corp.test", "processed", "deleted"):
        assert told in text
    assert is_held(holding)


def test_confirming_lets_the_mail_go(holding: Flask, ada: Visitor) -> None:
    page = Shown(ada.follow(ada.post(CONFIRM, {"mark": "9-3"})).text)
    assert any("2 mails" in one for one in page.notices("good"))
    assert not is_held(holding)
    assert "No mail is held back" in ada.get(CONFIRM).text


@pytest.mark.parametrize("mark", ["", "9-4", "8-3"])
def test_only_what_was_shown_can_be_confirmed(mark: str, holding: Flask, ada: Visitor) -> None:
    assert ada.post(CONFIRM, {"mark": mark}).status_code == 409
    assert is_held(holding)


def test_the_form_has_a_tick_for_it_only_while_something_is_held(
    holding: Flask, ada: Visitor
) -> None:
    assert Shown(ada.get(PATH).text).page.xpath("//input[@name='confirm_deletion']")
    ada.post(PATH, typed(**ON))
    assert is_held(holding), "a save without the tick confirms nothing"
    page = Shown(ada.follow(ada.post(PATH, typed(**ON, confirm_deletion="y"))).text)
    assert any("2 mails" in one for one in page.notices("warning"))
    assert not is_held(holding)
    assert not page.page.xpath("//input[@name='confirm_deletion']")


def test_the_tick_confirms_no_other_folder_than_the_one_that_was_shown(
    holding: Flask, ada: Visitor
) -> None:
    with holding.app_context(), transaction():
        shown = db.session.scalars(select(ReplyFolder)).one()
        there = ReplyFolder(account=shown.account, folder="Archive", uidvalidity=1)
        there.held_below_uid, there.held = 2, {"count": 1, "below": 1}
        db.session.add(there)
    for hidden in (False, True):
        if hidden:
            ada.post(PATH, typed(**ON, email_reply_folder="Empty"))
        ticked = ON | {"email_reply_folder": "Archive", "confirm_deletion": "y"}
        response = ada.post(PATH, typed(**ticked))
        assert response.status_code == 422
        assert "look at what is held back" in response.text
    ada.post(PATH, typed(**ON | {"email_reply_folder": "Archive"}))
    assert is_held(holding)
