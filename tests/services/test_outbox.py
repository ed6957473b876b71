"""The outbox: what is queued is rendered once, sealed, and shown without its secrets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import Conflict, NotFound
from flexmail.models import Approval, OutboxMail
from flexmail.services import audit, claims, outbox, outbox_log
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, ask, opened, queued, read, set_up, text_of


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def queue_test_mail(to: str = BOB, **given: object) -> OutboxMail:
    with transaction():
        outbox.queue("test", to, {}, now=NOW, **given)  # type: ignore[arg-type]
    return queued()[-1]


def change(mail_id: int, **values: object) -> None:
    with transaction():
        mail = db.session.get_one(OutboxMail, mail_id)
        for name, value in values.items():
            setattr(mail, name, value)


def test_a_queued_mail_is_due_at_once_and_untried(ready: Flask) -> None:
    mail = queue_test_mail()
    assert (mail.state, mail.attempts, mail.retry_at, mail.sent_at) == ("queued", 0, NOW, None)
    assert mail.subject == "flexmail test mail"


def test_the_mail_joins_the_callers_transaction(ready: Flask) -> None:
    def queue_and_break_off() -> None:
        with transaction():
            outbox.queue("test", BOB, {}, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        queue_and_break_off()
    assert queued() == []


def test_the_content_is_sealed_and_fixed(ready: Flask) -> None:
    mail = queue_test_mail()
    raw = opened(mail)
    assert raw not in mail.sealed_content
    assert read(raw)["To"] == BOB
    assert b"\r\n" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert mail.sealed_content == queued()[0].sealed_content


@pytest.mark.parametrize(
    "to",
    [
        "bob@corp.test\r\nBcc: x@evil.test",
        "bob@corp.test, eve@evil.test",
        "bob",
        "",
        "a\x00@b.test",
    ],
)
def test_a_recipient_that_is_not_one_address_is_refused(to: str, ready: Flask) -> None:
    with pytest.raises(ValueError, match=r"."):
        queue_test_mail(to)
    assert queued() == []


@pytest.mark.parametrize("field", ["message_id", "reply_to", "in_reply_to"])
def test_a_header_with_a_line_break_is_refused(field: str, ready: Flask) -> None:
    threading = outbox.Threading(**{field: "<a@b.test>\r\nBcc: x@evil.test"})
    with pytest.raises(ValueError, match=r"."):
        queue_test_mail(threading=threading)
    assert queued() == []


def test_an_answer_says_to_what_and_that_it_is_automatic(ready: Flask) -> None:
    mail = read(opened(queue_test_mail(threading=outbox.Threading(in_reply_to="<a@b.test>"))))
    assert mail["In-Reply-To"] == mail["References"] == "<a@b.test>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Flexmail"] == "test"


def test_each_mail_has_a_message_id_of_its_own_in_our_domain(ready: Flask) -> None:
    ids = {str(read(opened(queue_test_mail()))["Message-ID"]) for _ in range(3)}
    assert len(ids) == 3
    assert all(message_id.endswith("@corp.test>") for message_id in ids)


@pytest.mark.parametrize("missing", ["smtp_from_address", "smtp_host_name"])
def test_without_settings_nothing_can_be_queued(missing: str, people: Flask) -> None:
    with pytest.raises(Conflict, match="not set up"):
        queue_test_mail()


def test_no_stored_field_shows_a_reference(ready: Flask) -> None:
    first, second = ask(), ask()
    for mail in queued():
        shown = [str(getattr(mail, column.key)) for column in mail.__table__.columns]
        for secret in (first.reference, second.reference, first.message_id):
            assert all(secret not in value for value in shown)


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC", "Mon 09 Nov 2026, 09:00 UTC"), ("Europe/Berlin", "10:00 CET")]
)
def test_times_in_mails_are_those_of_the_configured_zone(
    zone: str, shown: str, ready: Flask
) -> None:
    ready.config["TIMEZONE"] = zone
    assert shown in ask().text


def test_mails_link_to_the_site_when_its_address_is_known(ready: Flask) -> None:
    assert "/approvals/" not in ask().text
    ready.config["BASE_URL"] = "https://flexmail.corp.test"
    request = ask()
    assert f"https://flexmail.corp.test/approvals/{request.approval_id}" in request.text
    assert "https://flexmail.corp.test" in text_of(request.raw, "html")


def test_counts_and_lists_follow_the_state(ready: Flask) -> None:
    first, second, third = (queue_test_mail().id for _ in range(3))
    change(first, state="sent", sent_at=NOW)
    change(second, state="failed")
    assert outbox_log.counts() == {
        "queued": 1,
        "sending": 0,
        "sent": 1,
        "failed": 1,
        "cancelled": 0,
    }
    assert [mail.id for mail in outbox_log.listing().items] == [third, second, first]
    assert [mail.id for mail in outbox_log.listing(state="failed").items] == [second]
    page = outbox_log.listing(limit=2)
    assert [mail.id for mail in outbox_log.listing(cursor=page.next_cursor).items] == [first]


def test_mails_to_one_address_are_counted_by_kind_and_time(ready: Flask) -> None:
    queue_test_mail()
    queue_test_mail(ADA)
    ask()
    assert outbox.queued_since("test", BOB, NOW) == 1
    assert outbox.queued_since("test", BOB, NOW + timedelta(seconds=1)) == 0


@pytest.mark.parametrize(
    ("kind", "encrypted", "counted"),
    [("approval", False, 1), ("approval", True, 0), ("approval", None, 0), ("test", False, 0)],
)
def test_approval_mail_that_left_in_clear_is_counted(
    kind: str, encrypted: bool | None, counted: int, ready: Flask
) -> None:
    if kind == "test":
        queue_test_mail()
    else:
        ask()
    change(queued()[0].id, state="sent", encrypted=encrypted)
    assert outbox_log.went_in_clear() == counted


def test_a_failed_mail_starts_anew_when_it_is_tried_again(ready: Flask) -> None:
    mail = queue_test_mail()
    change(mail.id, state="failed", attempts=9, answer="550 no")
    before = opened(queued()[0])
    later = NOW + timedelta(days=9)
    again = outbox.retry(mail.id, now=later)
    assert (again.state, again.attempts, again.retry_at) == ("queued", 0, later)
    assert opened(queued()[0]) == before


def test_a_waiting_mail_can_be_made_due(ready: Flask) -> None:
    mail = queue_test_mail()
    change(mail.id, attempts=3, retry_at=NOW + timedelta(minutes=30))
    again = outbox.retry(mail.id, now=NOW)
    assert (again.state, again.attempts, again.retry_at) == ("queued", 3, NOW)


@pytest.mark.parametrize("state", ["sent", "sending"])
def test_a_mail_that_left_or_is_leaving_cannot_be_tried_again(state: str, ready: Flask) -> None:
    mail = queue_test_mail()
    change(mail.id, state=state)
    with pytest.raises(Conflict, match=state):
        outbox.retry(mail.id, now=NOW)


def test_an_unknown_mail_cannot_be_tried_again(ready: Flask) -> None:
    with pytest.raises(NotFound):
        outbox.retry(99, now=NOW)


@pytest.mark.parametrize("state", ["queued", "failed"])
def test_a_mail_that_did_not_go_can_be_cancelled(state: str, ready: Flask) -> None:
    mail = queue_test_mail()
    change(mail.id, state=state, attempts=2, answer="450 4.2.2 full", retry_at=NOW)
    audit.act_as(ADA, "web")
    cancelled = outbox.cancel(mail.id)
    assert (cancelled.state, cancelled.attempts) == ("cancelled", 2)
    assert cancelled.answer == f"Cancelled by {ADA}. Before that: 450 4.2.2 full"
    entry = audit.listing(action="mail_cancelled").items[0]
    assert (entry.actor, entry.subject) == (ADA, f"mail {mail.id}")
    assert entry.proof == {"recipient": BOB, "kind": "test"}


def test_a_cancelled_mail_is_never_sent(ready: Flask) -> None:
    mail = queue_test_mail()
    outbox.cancel(mail.id)
    assert claims.claim(NOW, NOW, at_once=True) == []
    with pytest.raises(Conflict, match="cancelled"):
        outbox.retry(mail.id, now=NOW)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("sending", "is being sent at this moment"),
        ("sent", "nobody can take it back"),
        ("cancelled", "was cancelled already"),
    ],
)
def test_what_left_or_is_leaving_cannot_be_cancelled(
    state: str, sentence: str, ready: Flask
) -> None:
    mail = queue_test_mail()
    change(mail.id, state=state)
    with pytest.raises(Conflict, match=sentence):
        outbox.cancel(mail.id)
    assert audit.listing(action="mail_cancelled").items == []


def test_an_unknown_mail_cannot_be_cancelled(ready: Flask) -> None:
    with pytest.raises(NotFound):
        outbox.cancel(99)


def test_a_request_whose_mail_is_cancelled_stays_open(ready: Flask) -> None:
    asked = ask()
    outbox.cancel(queued()[0].id)
    approval = db.session.get_one(Approval, asked.approval_id)
    assert approval.status == "pending"
    assert "stays open" in outbox.AFTER_CANCEL["approval_request"]


def test_who_has_a_mail_sent_again_is_recorded(ready: Flask) -> None:
    mail = queue_test_mail()
    audit.act_as(ADA, "web")
    outbox.retry(mail.id, now=NOW)
    entry = audit.listing(action="mail_retried").items[0]
    assert (entry.actor, entry.subject, entry.proof) == (ADA, f"mail {mail.id}", {"recipient": BOB})
