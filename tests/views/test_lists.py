"""Replies, outbox and status: what admins see of mail, and that nothing foreign runs or leaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import Refused
from flexmail.models import OutboxMail, Trouble
from flexmail.services import accounts, channels, leases, settings, status
from tests.conftest import NOW, Cast
from tests.services import stage
from tests.views.filled import fill_database
from tests.views.settings_form import Shown
from tests.views.visitor import Visitor

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>"
QUOTED = "\"'><svg onload=alert(3)>"


@pytest.fixture
def filled(app: Flask, cast: Cast) -> Flask:
    with app.app_context():
        fill_database()
    return app


def test_each_processed_mail_is_listed_with_its_outcome_and_reason(
    filled: Flask, ada: Visitor
) -> None:
    page = ada.get("/replies").text
    for words in ("approved", "unclear", "wrong sender", "not the sender"):
        assert words in page
    only = ada.get("/replies?outcome=wrong_sender").text
    assert "charlie@evil.test" in only
    assert "Bob &lt;" not in only
    assert "No mail ended like this." in ada.get("/replies?outcome=bounce").text


def test_a_reply_is_shown_as_text_without_an_open_reference(filled: Flask, ada: Visitor) -> None:
    page = ada.get("/replies/2").text
    assert "Who else has seen this?" in page
    assert not stage.REFERENCE.search(page)
    assert "&lt;fm-" not in page.lower().replace("fm-…", "")


def test_a_reply_that_no_key_opens_says_so(filled: Flask, ada: Visitor) -> None:
    from cryptography.fernet import Fernet

    from flexmail.crypto import key_store

    with filled.app_context():
        key_store().replace([Fernet.generate_key().decode()])
    answer = ada.get("/replies/1")
    assert answer.status_code == 200
    assert "None of the encryption keys opens" in answer.text


def test_a_failed_mail_can_be_sent_again(filled: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/outbox?state=failed").text)
    form, _ = [one for one in page.page.forms if "retry" in (one.action or "")]
    answer = ada.post(str(form.action))
    assert "goes out again" in ada.follow(answer).text
    assert str(form.action) not in ada.get("/outbox?state=failed").text


def test_a_mail_that_came_back_shows_when_and_with_which_code(filled: Flask, ada: Visitor) -> None:
    page = ada.get("/outbox?state=failed").text
    assert "failed</span> 5.1.1" in page
    assert "came back <time" in page
    assert "user unknown in the table" in page


def test_a_sent_mail_is_not_sent_again(filled: Flask, ada: Visitor) -> None:
    with filled.app_context(), transaction():
        mail = db.session.get_one(OutboxMail, 1)
        mail.state, mail.encrypted = "sent", False
    assert "in clear" in ada.get("/outbox?state=sent").text
    answer = ada.post("/outbox/1/retry")
    assert answer.status_code == 409
    assert "nothing to try again" in answer.text


def test_no_list_shows_a_secret_of_a_mail(filled: Flask, ada: Visitor) -> None:
    for path in ("/outbox", "/approvals/1", "/approvals/2", "/replies", "/replies/3", "/"):
        page = ada.get(path).text
        assert not stage.REFERENCE.search(page), path
        assert "argon2" not in page


def test_markup_of_others_is_text_everywhere(app: Flask, cast: Cast, ada: Visitor) -> None:
    with app.app_context():
        stage.set_up(smtp_user=ATTACK, email_reply_folder=QUOTED)
        accounts.edit(cast.bob, name=ATTACK[:120])
        asked = stage.ask(title=(ATTACK + QUOTED)[:200])
        mail = stage.reply(asked, f"Reject {ATTACK}", sender=cast.bob)
        stage.hand_in(mail.replace(b"Re: Approval requested", ATTACK.encode() + QUOTED.encode()))
        stage.hand_in(stage.reply(asked, sender=f'"{ATTACK}" <charlie@evil.test>'))
        channels.failed("outbox", Refused(ATTACK), revision=1, now=datetime.now(UTC))
        with transaction():
            db.session.get_one(OutboxMail, 1).answer = ATTACK
    paths = "/ /approvals /approvals/1 /replies /replies/1 /replies/2 /outbox /users /users/2"
    for path in [*paths.split(), "/approvals/new", "/settings/email"]:
        page = Shown(ada.get(path).text)
        assert "alert(" in page.text, path
        assert not page.page.xpath("//script[not(@src)]"), path
        assert not page.page.xpath("//*[@onerror or @onload or self::svg or self::img]"), path


def test_what_is_typed_into_an_address_is_text_too(ada: Visitor) -> None:
    for path in (f"/approvals?status={ATTACK}", f"/approvals?cursor={QUOTED}", f"/{QUOTED}"):
        assert "<svg" not in ada.get(path).text
        assert "<img" not in ada.get(path).text


def test_the_status_page_tells_what_fails_why_and_since_when(filled: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/").text)
    (notice,) = page.notices("bad")
    assert "Reading replies fails since" in notice
    assert "Paused until" in notice
    assert "Check IMAP User and IMAP Password." in notice
    boxes = [Shown.words(box) for box in page.page.xpath("//ol[@class='flow']/li")]
    assert boxes == [
        "Requests 1 open",
        "Outbox 3 to send",
        "Mailboxes 0 sent",
        "Reply folder 12 waiting failing",
        "Decisions 1 in the last run",
    ]
    assert "1 wrong sender" in page.text
    assert "5 min" in page.text


def test_the_status_page_of_a_new_flexmail_says_what_to_do(ada: Visitor) -> None:
    page = Shown(ada.get("/").text)
    assert "E-mail is not set up yet: fill in the email settings." in page.notices("warning")
    assert "none while email approval is off" in page.text


def test_ready_means_database_jobs_and_mail(filled: Flask, ada: Visitor) -> None:
    now = datetime.now(UTC)
    answer = ada.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["replies"] == "failing"
    assert "IMAP" not in answer.text
    with filled.app_context():
        leases.acquire(status.JOBS_LEASE, "here:1:x", now=now, seconds=60)
        with transaction():
            channels.finished("replies", {"at": now.isoformat(), "left": 0})
    answer = ada.client.get("/readyz")
    assert answer.status_code == 200
    parts = ("database", "jobs", "replies", "outbox", "backlog", "installation")
    assert answer.get_json() == {"ready": True, **dict.fromkeys(parts, "ok")}


def test_mail_that_piles_up_is_shown_and_makes_flexmail_not_ready(
    filled: Flask, ada: Visitor
) -> None:
    with filled.app_context(), transaction():
        text = "9 mail(s) should have gone out."
        db.session.add(Trouble(kind="outbox_backlog", since=NOW, text=text))
    answer = ada.client.get("/readyz")
    assert (answer.status_code, answer.get_json()["backlog"]) == (503, "growing")
    assert any("9 mail(s) should" in notice for notice in Shown(ada.get("/").text).notices("bad"))


def test_a_pause_that_a_save_has_ended_is_not_shown(filled: Flask, ada: Visitor) -> None:
    with filled.app_context():
        settings.save(stage.fill_in(smtp_user="other"))
    assert "Paused until" not in ada.get("/").text


def test_moments_are_shown_in_utc_for_whoever_runs_no_script(app: Flask) -> None:
    shown = app.jinja_env.filters["moment"]
    at = datetime(2026, 3, 9, 7, 5, tzinfo=UTC) + timedelta(seconds=7)
    assert shown(at) == '<time datetime="2026-03-09T07:05:07+00:00">9 Mar 2026, 07:05 UTC</time>'
    assert shown("2026-03-09T08:05:07+01:00") == shown(at)
    assert shown(None) == "–"
