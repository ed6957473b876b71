"""What can still be done with a processed mail: download it, put it back, process it again."""

from __future__ import annotations

import email
from datetime import UTC, datetime, timedelta
from email import policy
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from flexmail.crypto import key_store
from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.models import Reply
from flexmail.services import kept_mail, leases, reply_log, undo
from flexmail.services.apart import Apart
from tests.conftest import Cast
from tests.services import stage
from tests.views.filled import fill_database
from tests.views.settings_form import Shown
from tests.views.test_access import contents
from tests.views.visitor import Visitor

ACTIONS = ("download", "restore", "reprocess")


@pytest.fixture
def filled(app: Flask, cast: Cast) -> Flask:
    with app.app_context():
        fill_database()
        stage.set_up(smtp_user="approvals", smtp_password=stage.SECRET)
    return app


@pytest.fixture
def server() -> MailServer:
    return MailServer({stage.APPROVALS: stage.SECRET})


def buttons(page: Shown, action: str) -> list[Any]:
    """Return the buttons of an action."""
    label = {"download": "Download", "restore": "Put back", "reprocess": "Process again"}[action]
    found = page.page.xpath("//button[starts-with(normalize-space(), $label)]", label=label)
    assert len(found) == 1
    return list(found)


def is_disabled(page: Shown, action: str) -> bool:
    return buttons(page, action)[0].get("disabled") is not None


def told(page: Shown, action: str) -> str:
    """Return what stands below a button, as a screen reader says it with the button."""
    described_by = buttons(page, action)[0].get("aria-describedby")
    (sentence,) = page.page.xpath("//*[@id=$id]", id=described_by)
    return Shown.words(sentence)


def test_each_button_says_what_it_does(filled: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/replies/2").text)
    assert "as a file, references masked" in told(page, "download")
    assert "where the next run processes it" in told(page, "restore")
    assert "today’s settings and accounts" in told(page, "reprocess")
    for action in ACTIONS:
        assert not is_disabled(page, action)
        assert len(told(page, action)) < 150


def test_a_button_that_does_not_help_is_disabled_and_says_why(filled: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/replies/1").text)
    assert is_disabled(page, "reprocess")
    assert "It was approved: there is nothing to mend." in told(page, "reprocess")
    with filled.app_context(), transaction():
        db.session.get_one(Reply, 1).sealed_raw = None
        db.session.get_one(Reply, 2).folder = "Elsewhere"
        db.session.get_one(Reply, 3).restored_at = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)
    page = Shown(ada.get("/replies/1").text)
    for action in ACTIONS:
        assert is_disabled(page, action)
        assert "No copy of it is kept" in told(page, action)
    assert "now read from INBOX" in told(Shown(ada.get("/replies/2").text), "restore")
    page = Shown(ada.get("/replies/3").text)
    for action in ACTIONS[1:]:
        assert "put back into the folder at 2026-11-02 10:30 UTC" in told(page, action)


def test_a_copy_that_no_key_opens_disables_all_buttons_and_says_so(
    filled: Flask, ada: Visitor
) -> None:
    with filled.app_context():
        key_store().replace([Fernet.generate_key().decode()])
    page = Shown(ada.get("/replies/2").text)
    for action in ACTIONS:
        assert is_disabled(page, action)
        assert "None of the encryption keys opens" in told(page, action)
    assert ada.get("/replies/2/download").status_code == 409


def test_a_partial_copy_says_at_every_button_what_is_missing(filled: Flask, ada: Visitor) -> None:
    with filled.app_context(), transaction():
        row = db.session.get_one(Reply, 2)
        raw = kept_mail.raw_of(row)
        row.sealed_raw = kept_mail.sealed(raw + b"x" * ((64 << 10) - len(raw)))
        row.raw_partial = True
        row.size_bytes = 10 << 20
    page = Shown(ada.get("/replies/2").text)
    for action in ACTIONS:
        assert "the first 64 KB of 10 MB: attachments are cut off" in told(page, action)


def test_a_mail_is_downloaded_as_a_file_with_its_references_masked(
    filled: Flask, ada: Visitor
) -> None:
    before = contents(filled)
    answer = ada.get("/replies/2/download")
    assert contents(filled) == before
    assert answer.status_code == 200
    assert answer.mimetype == "message/rfc822"
    assert answer.headers["Content-Disposition"] == "attachment; filename=reply-2.eml"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    mail = email.message_from_bytes(answer.data, policy=policy.default)
    assert "Who else has seen this?" in str(mail)
    assert not stage.REFERENCE.search(answer.text.upper())
    assert "<fm-*" in answer.text
    with filled.app_context():
        assert len(answer.data) == len(kept_mail.raw_of(reply_log.get(2)))


def test_a_copy_that_is_gone_is_not_downloaded(filled: Flask, ada: Visitor) -> None:
    with filled.app_context(), transaction():
        db.session.get_one(Reply, 2).sealed_raw = None
    answer = ada.get("/replies/2/download")
    assert answer.status_code == 409
    assert "No copy" in answer.text
    assert ada.get("/replies/99/download").status_code == 404


def test_a_mail_goes_back_into_the_folder_once(
    filled: Flask, ada: Visitor, server: MailServer
) -> None:
    with server:
        came_through(filled, server)
        page = ada.get("/replies/2").text
        assert "the next run processes it" in ada.follow(ada.post("/replies/2/restore")).text
        again = ada.post("/replies/2/restore")
        assert (again.status_code, "put back into the folder" in again.text) == (409, True)
        assert len(server.mailbox(stage.APPROVALS)) == 1
    assert "Put back" not in Shown.words(Shown(page).page.xpath("//dl")[0])
    assert "Put back" in Shown.words(Shown(ada.get("/replies/2").text).page.xpath("//dl")[0])


def test_what_a_server_says_against_it_is_shown(
    filled: Flask, ada: Visitor, server: MailServer
) -> None:
    with server:
        came_through(filled, server)
    answer = ada.follow(ada.post("/replies/2/restore"))
    assert "The mail was not put back:" in Shown(answer.text).notices("bad")[0]
    assert stage.SECRET not in answer.text


def test_a_folder_that_is_being_read_is_left_alone(filled: Flask, ada: Visitor) -> None:
    with filled.app_context():
        leases.acquire("replies", "elsewhere:1:x", now=datetime.now(UTC), seconds=10)
    answer = ada.post("/replies/2/restore")
    assert (answer.status_code, "being read right now" in answer.text) == (409, True)


def test_a_mail_is_processed_again_after_a_mend(filled: Flask, ada: Visitor) -> None:
    with filled.app_context():
        assert reply_log.get(2).outcome == "unclear"
    answer = ada.follow(ada.post("/replies/2/reprocess"))
    assert "processed again and ended as unclear" in Shown(answer.text).notices("good")[0]
    with filled.app_context(), transaction():
        row = db.session.get_one(Reply, 2)
        raw = kept_mail.raw_of(row).replace(b"Who else has seen this?", b"Approve")
        row.sealed_raw = kept_mail.sealed(raw)
    answer = ada.follow(ada.post("/replies/2/reprocess"))
    assert "ended as approved" in Shown(answer.text).notices("good")[0]
    again = ada.post("/replies/2/reprocess")
    assert (again.status_code, "nothing to mend" in again.text) == (409, True)


def test_where_no_process_can_read_the_mail_again_the_page_says_so(
    filled: Flask, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "Apart", lambda: Apart("there.is.no.such.module"))
    answer = ada.follow(ada.post("/replies/2/reprocess"))
    assert "process that reads mails" in Shown(answer.text).notices("bad")[0]


def came_through(app: Flask, server: MailServer) -> None:
    """Let the settings lead to this server, and the second mail have come from there."""
    with app.app_context():
        stage.connect(server)
        with transaction():
            row = db.session.get_one(Reply, 2)
            row.account = f"{stage.APPROVALS}@{server.host}:{server.imap_port}"
            row.first_seen_at -= timedelta(days=1)
