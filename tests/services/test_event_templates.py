"""Words of an admin: tried before they are saved, told apart from ours, and left again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from flexmail.db import db
from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.mail.event_template import Source
from flexmail.models import AuditEntry, Event, EventTemplate, OutboxMail
from flexmail.services import (
    event_templates,
    event_texts,
    event_types,
    events,
    status,
)
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, opened, queued, read, set_up, text_of

LATER = NOW + timedelta(minutes=1)
OWN = Source("Oh no: {{ title }}", "{{ data.error }}", "<p>{{ data.error }}</p>")


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    people.config["BASE_URL"] = "https://flexmail.corp.test"
    return people


def tell(type_name: str = "failed", **data: object) -> None:
    events.send(NewEvent(type_name, data=data, recipients=(BOB,)), now=NOW)


def errors(source: Source, type_name: str = "failed") -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        event_templates.save(type_name, source, now=NOW)
    return caught.value.errors


def test_words_are_saved_and_the_next_event_has_them(ready: Flask) -> None:
    event_templates.save("failed", OWN, now=NOW)
    tell(title="Release 4.2", error="1 < 2")
    (mail,) = queued()
    assert mail.subject == "Oh no: Release 4.2"
    assert "1 < 2\n\n-- \nWhoever" in text_of(opened(mail)).replace("\r\n", "\n")
    assert "<p>1 &lt; 2</p>" in text_of(opened(mail), "html")
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.subject) == ("template_saved", "template failed")


@pytest.mark.parametrize(
    ("field", "template", "sentence"),
    [
        ("subject", "{{ titel }}", "There is no variable titel."),
        ("subject", "", "It gives nothing."),
        ("subject", "a\nBcc: charlie@evil.test", "one line only"),
        ("text", "{% if %}", "Line 1: "),
        ("text", "{% if data.nothing %}a{% endif %}", "It gives nothing."),
        ("text", "{{ data.title / 2 }}", "TypeError: "),
        ("html", "<script>a</script>", "A notification cannot hold <script>."),
        ("html", "{{ data.pop('error') }}", "It does what no template may"),
        ("", "{{ 9 ** (9 ** 9) }}", "It takes more than 1 s."),
        ("", "{{ 'x' * 10 ** 9 }}", "It needs too much memory."),
    ],
)
def test_words_that_cannot_be_used_are_not_saved(
    ready: Flask, field: str, template: str, sentence: str
) -> None:
    given = {"subject": "a", "text": "a", "html": "a", field or "text": template}
    found = errors(Source(**given))
    assert sentence in found[field][0]
    assert db.session.scalar(select(func.count(EventTemplate.type))) == 0


def test_words_have_to_do_for_the_last_event_too(ready: Flask) -> None:
    tell(count="no number")
    tell(count=4)
    halved = Source("a", "{{ (data.count or 2) / 2 }}", "a")
    event_templates.save("failed", halved, now=NOW)
    tell(count="no number")
    found = errors(halved)
    assert found == {
        "text": [
            "With the last event (02 Nov 2026): TypeError: unsupported operand type(s) for /: 'str'"
            " and 'int'."
        ]
    }


def test_words_for_a_type_of_ones_own_are_tried_with_what_came(ready: Flask) -> None:
    words = Source("{{ data.invoice }}", "{{ data.invoice }}", "{{ data.invoice }}")
    assert event_templates.preview("invoice.sent", words, "sample", now=NOW).subject == "invoice"
    event_templates.save("invoice.sent", words, now=NOW)
    tell("invoice.sent", number="R-4711")
    assert queued()[-1].subject == "Invoice sent"
    assert set(errors(words, "invoice.sent")) == {"subject", "text", "html"}
    tell("invoice.sent", invoice="R-4711")
    event_templates.save("invoice.sent", words, now=NOW)
    tell("invoice.sent", invoice="R-4712")
    assert queued()[-1].subject == "R-4712"


def test_words_that_fail_later_are_replaced_for_once_and_it_is_said(
    ready: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    event_templates.save("failed", OWN, now=NOW)
    event_templates.save("completed", Source("a", "{{ (data.n or 2) / 2 }}", "a"), now=NOW)
    for minute in range(2):
        at = NOW + timedelta(minutes=minute)
        events.send(NewEvent("completed", data={"n": "x"}, recipients=(BOB,)), now=at)
    assert {mail.subject for mail in queued()} == {"Completed"}
    assert event_templates.failing() == ["completed"]
    own = event_templates.get("completed").own
    assert own is not None
    assert own.failed_at == NOW
    assert own.failure.startswith("text: TypeError: ")
    assert "The template of completed failed" in caplog.text
    (warning,) = [text for text in status.overview(now=NOW)["warnings"] if "completed" in text]
    assert "could not be used for the last event" in warning
    events.send(NewEvent("completed", data={"n": 4}, recipients=(BOB,)), now=LATER)
    assert event_templates.failing() == []


def test_a_failure_of_old_words_is_not_held_against_new_ones(ready: Flask) -> None:
    event_templates.save("failed", OWN, now=NOW)
    known = event_texts.variables("failed", "", "", {}, at=NOW)
    db.session.execute(select(EventTemplate))
    event_templates.save("failed", OWN, now=LATER)
    event_texts._note("failed", NOW, "text: It broke.", NOW)
    assert event_templates.failing() == []
    assert event_texts.render("failed", known, now=NOW).subject.startswith("Failed")


def test_a_save_over_the_words_of_somebody_else_is_refused(ready: Flask) -> None:
    seen = event_templates.version(event_templates.get("failed").own)
    event_templates.save("failed", OWN, now=NOW, seen=seen)
    with pytest.raises(Conflict, match="Somebody else changed these words"):
        event_templates.save("failed", OWN, now=LATER, seen=seen)
    seen = event_templates.version(event_templates.get("failed").own)
    event_templates.save("failed", OWN, now=LATER, seen=seen)
    event_templates.save("failed", OWN, now=NOW)


def test_the_built_in_words_come_back(ready: Flask) -> None:
    event_templates.save("failed", OWN, now=NOW)
    event_templates.reset("failed")
    event_templates.reset("failed")
    assert event_templates.get("failed").source == event_texts.built_in("failed")
    actions = select(AuditEntry.subject).where(AuditEntry.action == "template_reset")
    assert db.session.scalars(actions).all() == ["template failed"]
    tell(title="A")
    assert [mail.subject for mail in queued()] == ["Failed: A"]


def test_the_list_has_what_we_know_what_was_written_and_what_came(ready: Flask) -> None:
    event_templates.save("own.written", Source("a", "a", "a"), now=NOW)
    tell("own.seen")
    found = event_templates.listing()
    assert [entry.type for entry in found] == [*event_types.BUILT_IN, "own.seen", "own.written"]
    assert [entry.type for entry in found if entry.own] == ["own.written"]


@pytest.mark.parametrize("name", ["", "Has Spaces", "a" * 65, "../any", "*"])
def test_what_is_no_type_has_no_words(ready: Flask, name: str) -> None:
    with pytest.raises(NotFound):
        event_templates.get(name)
    with pytest.raises(NotFound):
        event_templates.save(name, OWN, now=NOW)


def test_a_preview_shows_the_sample_or_the_last_event_and_stores_nothing(ready: Flask) -> None:
    sample = event_templates.preview("failed", OWN, "sample", now=NOW)
    assert sample.subject == "Oh no: Release 4.2 to production"
    with pytest.raises(NotFound, match="no event failed yet"):
        event_templates.preview("failed", OWN, "last", now=NOW)
    tell(title="A", error="<b>")
    last = event_templates.preview("failed", OWN, "last", now=NOW)
    assert last.subject == "Oh no: A"
    assert "<p>&lt;b&gt;</p>" in last.html
    assert last.html.startswith("<!doctype html>")
    assert db.session.scalar(select(func.count(EventTemplate.type))) == 0
    assert db.session.scalar(select(func.count(OutboxMail.id))) == 1


def test_a_sample_goes_to_whoever_asked_and_unsubscribes_nobody(ready: Flask) -> None:
    event_templates.send_sample("failed", OWN, "sample", ADA, now=NOW)
    (mail,) = queued()
    header = read(opened(mail))
    assert (mail.recipient, mail.kind, mail.event_id) == (ADA, "event", None)
    assert header["Subject"] == "[Sample] Oh no: Release 4.2 to production"
    assert header["List-Unsubscribe"] is None
    assert "/unsubscribe/" not in text_of(opened(mail))
    assert db.session.scalar(select(func.count(Event.id))) == 0


def test_without_a_mail_server_there_is_no_sample(people: Flask) -> None:
    with pytest.raises(Conflict, match="not set up"):
        event_templates.send_sample("failed", OWN, "sample", ADA, now=NOW)


def test_what_was_told_is_listed_as_a_template_names_it() -> None:
    data = {"error": "x" * 99, "a b": 1, "by": {"name": "Ada", "tags": [1, "b"]}, "none": {}}
    assert event_texts.told(data) == [
        ("data.error", "x" * 79 + "…"),
        ("data['a b']", "1"),
        ("data.by.name", "Ada"),
        ("data.by.tags", '[1, "b"]'),
        ("data.none", "{}"),
    ]
    assert event_texts.told({}) == []
    assert len(event_texts.told({f"k{n}": n for n in range(99)})) == event_texts.MAX_TOLD
