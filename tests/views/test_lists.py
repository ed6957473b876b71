"""Replies, outbox and status: what admins see of mail, and that nothing foreign runs or leaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import Refused
from flexmail.models import OutboxMail, Trouble
from flexmail.services import (
    accounts,
    channels,
    events,
    leases,
    outbox_log,
    settings,
    status,
    unsubscribing,
)
from flexmail.services.events import NewEvent
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


def test_a_list_of_mail_is_narrowed_by_state_kind_and_recipient(
    filled: Flask, ada: Visitor
) -> None:
    page = Shown(ada.get("/outbox?state=queued&kind=event&recipient=bob%40CORP.test").text)
    (row,) = page.page.xpath("//table/tbody/tr")
    assert "Failed: Release 4.2" in Shown.words(row)
    chosen = page.page.xpath("//form[@class='search']//option[@selected]/@value")
    assert chosen == ["queued", "event"]
    assert "There is no such mail." in ada.get("/outbox?state=sending&kind=digest").text
    for wrong in ("state=x", "kind=x", "recipient=group%3Aops", "recipient=x"):
        assert ada.get(f"/outbox?{wrong}").status_code == 422, wrong


def test_the_next_page_keeps_what_was_asked_for(filled: Flask, ada: Visitor) -> None:
    with filled.app_context():
        for number in range(51):
            told = NewEvent("failed", subject=f"No. {number}", recipients=(stage.BOB,))
            events.send(told, now=datetime.now(UTC))
    asked = "/outbox?state=queued&kind=event&recipient=bob%40corp.test"
    page = Shown(ada.get(asked).text)
    (older,) = page.page.xpath("//a[@rel='next']/@href")
    for part in asked.partition("?")[2].split("&"):
        assert part in older.replace("@", "%40")
    rest = Shown(ada.get(older).text)
    shown = [Shown.words(row) for row in rest.page.xpath("//tbody/tr/th")]
    assert shown[0] == "Failed: No. 0"
    assert shown[1].startswith("Failed: Release 4.2")


def test_a_recipient_shows_what_they_were_not_told_and_why(filled: Flask, ada: Visitor) -> None:
    page = Shown(ada.get("/outbox?recipient=dora%40corp.test").text)
    words = Shown.words(page.page)
    assert "Disabled account , events at once." in words.replace("account,", "account ,")
    assert "Mail about no type of event is switched off." in words
    (row,) = page.page.xpath("//table/tbody/tr")
    assert "failed billing/prod The account is disabled." in Shown.words(row)
    with filled.app_context():
        unsubscribing.switch("bob@corp.test", "failed", on=False, now=datetime.now(UTC))
        unsubscribing.switch("new@corp.test", "*", on=False, now=datetime.now(UTC))
    assert "Mail about failed is switched off." in ada.get("/outbox?recipient=bob@corp.test").text
    page = Shown(ada.get("/outbox?recipient=new@corp.test").text)
    assert "No account. All mail about events is switched off." in Shown.words(page.page)


def test_a_mail_is_shown_as_text_with_what_it_tells_of(filled: Flask, ada: Visitor) -> None:
    with filled.app_context():
        (mail,) = outbox_log.listing(kind="event").items
    page = Shown(ada.get(f"/outbox/{mail.id}").text)
    for words in ("To: bob@corp.test", "Release 4.2", "billing/prod", '"title": "Release 4.2"'):
        assert words in Shown.words(page.page), words
    assert "dora@corp.test: The account is disabled." in Shown.words(page.page)
    assert "group:nobody: The group has no active account." in Shown.words(page.page)


def test_a_mail_that_asks_shows_no_reference(filled: Flask, ada: Visitor) -> None:
    page = ada.get("/outbox/1").text
    assert "FM-…(masked)" in page
    assert not stage.REFERENCE.search(page)


def test_a_mail_that_no_key_opens_says_so(filled: Flask, ada: Visitor) -> None:
    from cryptography.fernet import Fernet

    from flexmail.crypto import key_store

    with filled.app_context():
        key_store().replace([Fernet.generate_key().decode()])
    answer = ada.get("/outbox/1")
    assert answer.status_code == 200
    assert "None of the encryption keys opens" in answer.text


def test_a_failed_mail_says_what_its_code_means_beside_the_answer(
    filled: Flask, ada: Visitor
) -> None:
    with filled.app_context():
        ids = [mail.id for mail in outbox_log.listing(state="failed").items]
    for path in ("/outbox?state=failed", f"/outbox/{ids[0]}"):
        page = ada.get(path).text
        assert "The mailbox does not exist. Correct the address" in page, path
        assert "5.1.1" in page, path


def test_a_mail_that_waits_can_be_cancelled_and_says_by_whom(filled: Flask, ada: Visitor) -> None:
    with filled.app_context():
        waiting = outbox_log.listing(state="queued", kind="event").items[0].id
        failed = outbox_log.listing(state="failed", kind="approval_request").items[0].id
    page = ada.follow(ada.post(f"/outbox/{waiting}/cancel")).text
    assert "is cancelled. It is not tried again." in page
    assert "Cancelled by ada@corp.test." in page
    page = ada.follow(ada.post(f"/outbox/{failed}/cancel")).text
    assert "The request stays open" in page
    answer = ada.post(f"/outbox/{waiting}/cancel")
    assert answer.status_code == 409
    assert "was cancelled already" in answer.text
    assert ada.get(f"/outbox/{waiting}/cancel").status_code == 405
    assert ada.get("/outbox/999").status_code == 404


def test_the_status_page_says_whom_a_limit_holds_back(filled: Flask, ada: Visitor) -> None:
    filled.config["NOTIFICATIONS_PER_RECIPIENT_HOUR"] = 1
    with filled.app_context():
        for _ in range(2):
            events.send(NewEvent("failed", recipients=(stage.BOB,)), now=datetime.now(UTC))
    assert "beyond 1 to one recipient: 2 to bob@corp.test." in ada.get("/").text


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
        events.send(
            NewEvent("failed", subject=ATTACK, data={"error": QUOTED}, recipients=(cast.bob,)),
            now=datetime.now(UTC),
        )
    paths = "/ /approvals /approvals/1 /replies /replies/1 /replies/2 /outbox /users /users/2"
    paths += " /outbox/1 /outbox/3"
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
        "Outbox 4 to send",
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
