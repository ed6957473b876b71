"""Events: who hears of them, who does not and why, and what the mail says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput, TooMany
from flexmail.mail.reference import find_references
from flexmail.models import DigestItem, Event, EventSkip, EventTemplate, OutboxMail, Subscription
from flexmail.services import accounts, digests, event_types, events, outbox, unsubscribing
from flexmail.services.events import NewEvent, Report
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, CHARLIE, opened, queued, read, set_up, text_of

SITE = "https://flexmail.corp.test"


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    people.config["BASE_URL"] = SITE
    return people


def tell(type_name: str = "failed", *, token_id: int | None = None, **given: Any) -> Report:
    now = given.pop("now", NOW)
    return events.send(NewEvent(type_name, **given), now=now, token_id=token_id)


def subscribe(recipient: str, type_name: str = "*", scope: str = "") -> None:
    with transaction():
        row = Subscription(type=type_name, scope=scope, recipient=recipient, created_at=NOW)
        db.session.add(row)


def to() -> list[str]:
    return [mail.recipient for mail in queued()]


@pytest.mark.parametrize(
    ("type_name", "data", "recipients"),
    [
        ("approval_pending", {"approvers": [BOB, "group:ops"], "submitter": CHARLIE}, [BOB, ADA]),
        ("scheduled", {"submitter": BOB}, [BOB]),
        ("approval_rejected", {"submitter": BOB, "approvers": [ADA]}, [BOB]),
        ("deploying", {"submitter": BOB}, [BOB]),
        ("completed", {"submitter": BOB}, [BOB]),
        ("failed", {"submitter": BOB}, [BOB]),
        ("own.type", {"submitter": BOB}, []),
    ],
)
def test_each_type_tells_whom_it_is_about(
    ready: Flask, type_name: str, data: dict[str, Any], recipients: list[str]
) -> None:
    accounts.edit(ADA, groups=["ops"])
    report = tell(type_name, data=data)
    assert to() == recipients
    assert (report.queued, report.skipped) == (len(recipients), ())


def test_a_subscription_hears_of_its_scope_and_of_all_below(ready: Flask) -> None:
    subscribe("all@corp.test")
    subscribe("billing@corp.test", "failed", "billing")
    subscribe("prod@corp.test", "fail*", "billing/prod")
    subscribe("eu@corp.test", "failed", "billing/prod/eu")
    subscribe("other@corp.test", "completed", "billing")
    subscribe("bill@corp.test", "failed", "bill")
    tell(scope="billing/prod")
    assert to() == ["all@corp.test", "billing@corp.test", "prod@corp.test"]


def test_nobody_gets_an_event_twice_whatever_ways_lead_to_them(ready: Flask) -> None:
    accounts.edit(BOB, groups=["ops"])
    subscribe(BOB)
    subscribe("group:ops")
    tell(recipients=(BOB, "group:ops"), data={"submitter": BOB})
    assert to() == [BOB]
    assert "Whoever reported it named you." in text_of(opened(queued()[0]))


def test_who_gets_no_mail_is_told_and_recorded_with_the_reason(ready: Flask) -> None:
    accounts.set_active(BOB, False)
    unsubscribing.switch("quiet@corp.test", "failed", on=False, now=NOW)
    unsubscribing.switch("silent@corp.test", "*", on=False, now=NOW)
    report = tell(
        recipients=(BOB, "quiet@corp.test", "silent@corp.test", "group:nobody"),
        data={"submitter": "not an address"},
    )
    reasons = {skip.recipient: skip.reason for skip in report.skipped}
    assert reasons.keys() == {
        BOB,
        "quiet@corp.test",
        "silent@corp.test",
        "group:nobody",
        "not an address",
    }
    assert reasons[BOB] == "The account is disabled."
    assert reasons["quiet@corp.test"] == "They switched off mail about failed."
    assert reasons["group:nobody"] == "The group has no active account."
    assert reasons["not an address"].startswith("data.submitter names no address: ")
    stored = db.session.scalars(select(EventSkip).order_by(EventSkip.id)).all()
    assert {(row.recipient, row.reason) for row in stored} == set(reasons.items())
    assert to() == []


def test_a_switch_for_one_type_leaves_the_others(ready: Flask) -> None:
    unsubscribing.switch(BOB, "failed", on=False, now=NOW)
    tell("failed", recipients=(BOB,))
    tell("completed", recipients=(BOB,))
    assert [mail.subject for mail in queued()] == ["Completed"]
    unsubscribing.switch(BOB, "failed", on=True, now=NOW)
    tell("failed", recipients=(BOB,))
    assert len(queued()) == 2


def test_the_mail_says_what_happened_and_how_to_stop_it(ready: Flask) -> None:
    tell(scope="billing/prod", data={"title": "Release 4.2", "error": "a <b> c", "submitter": BOB})
    (mail,) = queued()
    header = read(opened(mail))
    assert mail.subject == header["Subject"] == "Failed: Release 4.2 (billing/prod)"
    assert (mail.kind, mail.event_id) == ("event", 1)
    link = unsubscribing.link(BOB, "failed")
    assert header["List-Unsubscribe"].replace(" ", "") == f"<{link}>"
    assert header["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert header["Auto-Submitted"] == "auto-generated"
    assert header["Reply-To"] is None
    assert "You are named as submitter." in text_of(opened(mail))
    assert "a <b> c" in text_of(opened(mail))
    assert link in text_of(opened(mail))
    assert "a &lt;b&gt; c" in text_of(opened(mail), "html")
    assert unsubscribing.opened(link.rpartition("/")[2]) == (BOB, "failed")


def test_without_an_address_of_its_own_flexmail_offers_no_link(ready: Flask) -> None:
    ready.config["BASE_URL"] = ""
    tell(recipients=(BOB,))
    header = read(opened(queued()[0]))
    assert header["List-Unsubscribe"] is None
    assert header["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("type", {"type_name": "Has Spaces"}),
        ("type", {"type_name": ""}),
        ("type", {"type_name": "a" * 65}),
        ("type", {"type_name": "a\nBcc: x"}),
        ("scope", {"scope": "/billing"}),
        ("scope", {"scope": "billing//prod"}),
        ("scope", {"scope": "billing/\nprod"}),
        ("scope", {"scope": "a" * 201}),
        ("subject", {"subject": "a\r\nBcc: charlie@evil.test"}),
        ("subject", {"subject": "a\x00"}),
        ("subject", {"subject": "a" * 201}),
        ("data", {"data": {"a": "\x00"}}),
        ("data", {"data": {"a": ["b", {"c": "\x1b[31m"}]}}),
        ("data", {"data": {"a\x07": 1}}),
        ("data", {"data": {"a": "x" * 16_384}}),
        ("data", {"data": {"a": [[[[[[[[[1]]]]]]]]]}}),
        ("data", {"data": {"a": float("nan")}}),
        ("data", {"data": {"a": "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}),
        ("data", {"data": {"a": "See\nFM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}),
        ("data", {"data": {"a": [{"b": "FM-ABCDEFGHIJK\r\n> LMNOPQRSTUVWXYZ"}]}}),
        ("subject", {"subject": "Re FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}),
        ("scope", {"scope": "billing/FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}),
        ("recipients", {"recipients": ("not an address",)}),
        ("recipients", {"recipients": ("bob@corp.test\r\nBcc: x@y.test",)}),
        ("recipients", {"recipients": ("a@x.test, b@x.test",)}),
        ("recipients", {"recipients": ("group:",)}),
        ("recipients", {"recipients": (BOB,) * 101}),
    ],
)
def test_what_will_not_do_is_refused_by_field_and_nothing_is_stored(
    ready: Flask, field: str, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        tell(given.pop("type_name", "failed"), **given)
    assert set(caught.value.errors) == {field}
    assert db.session.scalar(select(func.count(Event.id))) == 0
    assert queued() == []


def test_a_reference_that_words_and_data_put_together_is_in_no_mail(ready: Flask) -> None:
    halves = {"a": "FM-ABCDEFGHIJK", "b": "LMNOPQRSTUVWXYZ"}
    with transaction():
        row = EventTemplate(type="failed", subject="", text="", html="", changed_at=NOW)
        row.subject = row.text = "It is {{ data.a }}{{ data.b }}"
        row.html = "<p>It is {{ data.a }}{{ data.b }}</p>"
        accounts.get(ADA).digest = "hourly"
        db.session.add(row)
    tell(data=halves, recipients=(BOB, ADA))
    tell("own.type", subject=halves["a"], data={"details": halves["b"]}, recipients=(BOB,))
    digests.queue_due(now=NOW + timedelta(hours=1))
    assert [mail.kind for mail in queued()] == ["event", "event", "digest"]
    for mail in queued():
        raw = opened(mail)
        texts = mail.subject, text_of(raw), text_of(raw, "html"), str(read(raw)["Subject"])
        assert not any(map(find_references, texts))
    assert "It is FM-\u2026(masked)" in text_of(opened(queued()[0]))


def test_what_comes_while_a_summary_is_made_stands_in_the_next(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction():
        accounts.get(BOB).digest = "hourly"
    tell(subject="One", recipients=(BOB,))
    at, real = NOW + timedelta(hours=1), outbox.queue

    def queue(*given: Any, **more: Any) -> None:
        real(*given, **more)  # what another host commits meanwhile is seen on PostgreSQL
        db.session.add(DigestItem(recipient=BOB, event_id=1, subject="Two", due_at=at))
        db.session.flush()

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "queue", queue)
        assert digests.queue_due(now=at) == 1
    assert digests.queue_due(now=at) == 1
    assert ["One" in text_of(opened(mail)) for mail in queued("digest")] == [True, False]
    assert "Two" in text_of(opened(queued("digest")[1]))


def test_a_clock_that_was_ahead_holds_no_summary_back(ready: Flask) -> None:
    with transaction():
        accounts.get(BOB).digest = "daily"
    tell(subject="One", recipients=(BOB,), now=NOW + timedelta(days=400))
    tell(subject="Two", recipients=(BOB,))
    assert digests.queue_due(now=NOW) == 1
    assert "One" in text_of(opened(queued("digest")[0]))
    assert "Two" not in text_of(opened(queued("digest")[0]))


def test_without_a_mail_server_nothing_is_stored(people: Flask) -> None:
    with pytest.raises(Conflict):
        tell(recipients=(BOB,))
    assert db.session.scalar(select(func.count(Event.id))) == 0


def test_a_token_tells_so_many_events_an_hour_and_no_more(ready: Flask) -> None:
    from flexmail.services import tokens

    ready.config["EVENTS_PER_TOKEN_HOUR"] = 2
    token, _ = tokens.create("ci", ["events"], now=NOW)
    other, _ = tokens.create("cd", ["events"], now=NOW)
    for _ in range(2):
        tell(token_id=token.id, recipients=(BOB,))
    with pytest.raises(TooMany) as caught:
        tell(token_id=token.id, now=NOW + timedelta(minutes=59))
    assert 0 < caught.value.seconds <= 61
    assert len(queued()) == 2
    tell(token_id=other.id)
    tell(token_id=token.id, now=NOW + timedelta(hours=1))


def test_a_loop_does_not_bury_anybody_the_rest_comes_as_one_summary(ready: Flask) -> None:
    ready.config["NOTIFICATIONS_PER_RECIPIENT_HOUR"] = 3
    reports = [tell(subject=f"Try {number}", recipients=(BOB, ADA)) for number in range(5)]
    assert [report.queued for report in reports] == [2, 2, 2, 0, 0]
    (skip, _) = reports[-1].skipped
    assert skip.reason == "They got 3 notifications in this hour: it goes into a summary."
    assert len(queued()) == 6
    assert digests.queue_due(now=NOW + timedelta(minutes=59)) == 0
    assert digests.queue_due(now=NOW + timedelta(hours=1)) == 2
    summary = queued()[-1]
    assert summary.kind == "digest"
    assert summary.subject == "2 notifications: Failed: Try 3 and more"
    assert text_of(opened(summary)).splitlines()[:7] == [
        "What happened since your last summary:",
        "",
        "* Mon 02 Nov, 09:00",
        "  Failed: Try 3",
        "",
        "* Mon 02 Nov, 09:00",
        "  Failed: Try 4",
    ]
    assert f"Stop all notifications: {unsubscribing.link(BOB, '*')}" in text_of(opened(summary))
    assert "Failed: Try 4" in text_of(opened(summary), "html")
    assert db.session.scalar(select(func.count(DigestItem.id))) == 0
    assert digests.queue_due(now=NOW + timedelta(hours=2)) == 0


@pytest.mark.parametrize(
    ("digest", "due"), [("hourly", timedelta(hours=1)), ("daily", timedelta(hours=23))]
)
def test_who_wants_summaries_gets_those_but_approvals_at_once(
    ready: Flask, digest: str, due: timedelta
) -> None:
    with transaction():
        accounts.get(BOB).digest = digest
    tell("completed", recipients=(BOB,))
    tell("failed", recipients=(BOB,))
    assert tell("approval_pending", data={"approvers": [BOB]}).queued == 1
    assert [mail.subject for mail in queued()] == ["Approval pending"]
    assert digests.queue_due(now=NOW + due - timedelta(seconds=1)) == 0
    assert digests.queue_due(now=NOW + due) == 1
    assert "Completed" in text_of(opened(queued()[-1]))


def test_words_of_an_admin_are_used_and_fall_back_when_they_fail(ready: Flask) -> None:
    with transaction():
        db.session.add(
            EventTemplate(
                type="failed",
                subject="Oh no: {{ title }}",
                text="{{ data.count / 2 }}",
                html="<p>{{ title }}</p>",
                changed_at=NOW,
            )
        )
    tell(data={"title": "A", "count": 4}, recipients=(BOB,))
    tell(data={"title": "B"}, recipients=(BOB,))
    assert [mail.subject for mail in queued()] == ["Oh no: A", "Failed: B"]
    row = db.session.get_one(EventTemplate, "failed")
    assert row.failed_at == NOW
    assert row.failure == "text: 'dict object' has no attribute 'count'."
    tell(data={"title": "C", "count": 4}, recipients=(BOB,))
    mended = select(EventTemplate.failed_at, EventTemplate.failure)
    assert tuple(db.session.execute(mended).one()) == (None, "")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{% for a in 'x' * 99999 %}{% for b in 'x' * 99999 %}{% endfor %}{% endfor %}", "2 s"),
        ("{{ 'x' * 9999999999 }}", "memory"),
        ("{{ '%9999999999d' % 1 }}", "memory"),
    ],
)
def test_a_template_that_takes_too_much_holds_nothing_up(
    ready: Flask, template: str, sentence: str
) -> None:
    with transaction():
        row = EventTemplate(type="failed", subject="a", text=template, html="b", changed_at=NOW)
        db.session.add(row)
    tell(recipients=(BOB,), subject="Release")
    assert [mail.subject for mail in queued()] == ["Failed: Release"]
    assert sentence in db.session.get_one(EventTemplate, "failed").failure


def test_every_built_in_type_has_words_of_its_own(ready: Flask) -> None:
    for name, kind in event_types.BUILT_IN.items():
        tell(name, scope="billing/prod", data=dict(kind.sample), recipients=(ADA,))
    subjects = db.session.scalars(
        select(OutboxMail.subject).where(OutboxMail.recipient == ADA).order_by(OutboxMail.id)
    ).all()
    assert len(set(subjects)) == len(event_types.BUILT_IN)


def test_a_summary_leaves_out_what_was_switched_off_since(ready: Flask) -> None:
    with transaction():
        accounts.get(BOB).digest = accounts.get(ADA).digest = "hourly"
    tell("failed", subject="One", recipients=(BOB, ADA))
    tell("completed", subject="Two", recipients=(BOB, ADA))
    unsubscribing.switch(BOB, "failed", on=False, now=NOW)
    accounts.edit(BOB, role="admin")
    accounts.set_active(ADA, False)
    assert digests.queue_due(now=NOW + timedelta(hours=1)) == 1
    (summary,) = queued()
    assert summary.recipient == BOB
    assert summary.subject == "1 notification: Completed: Two"
    assert "Failed: One" not in text_of(opened(summary))
    skipped = db.session.execute(select(EventSkip.event_id, EventSkip.recipient, EventSkip.reason))
    assert sorted(tuple(row) for row in skipped) == [
        (1, ADA, "The account is disabled."),
        (1, BOB, "They switched off mail about failed."),
        (2, ADA, "The account is disabled."),
    ]
    assert db.session.scalar(select(func.count(DigestItem.id))) == 0
