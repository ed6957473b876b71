"""The outbox for people: found by what is asked for, shown without its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, event, insert

from flexmail.db import db, transaction
from flexmail.errors import InvalidInput, NotFound, SecretUnreadable
from flexmail.mail.reference import MASKED
from flexmail.models import MAIL_KINDS, MAIL_STATES, EventSkip, OutboxContent, OutboxMail
from flexmail.services import accounts, events, outbox, outbox_log, unsubscribing
from flexmail.services.events import NewEvent
from tests.conftest import NOW
from tests.services.sink import queue
from tests.services.stage import ADA, BOB, CHARLIE, REFERENCE, ask, opened, queued, set_up

STATE, KIND = (None, "failed"), (None, "event")
RECIPIENT, CURSOR = (None, BOB), (None, "1900")


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def fill(number: int) -> None:
    """Put rows into the outbox, of every kind and state to eleven recipients."""
    rows = [
        {
            "kind": MAIL_KINDS[each % len(MAIL_KINDS)],
            "recipient": BOB if each % 11 == 0 else f"person{each % 11}@corp.test",
            "subject": f"No. {each}",
            "message_id_digest": f"{each}",
            "state": MAIL_STATES[each // 7 % len(MAIL_STATES)],
            "retry_at": NOW,
            "created_at": NOW,
        }
        for each in range(number)
    ]
    with transaction():
        db.session.execute(insert(OutboxMail), rows)


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are sent to the database."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            found.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plans(found: list[tuple[str, Any]]) -> list[str]:
    """Return the steps that SQLite takes for statements."""
    with db.engine.connect() as connection:
        return [
            str(step)
            for statement, values in found
            for (*_, step) in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


@pytest.mark.parametrize(
    ("state", "kind", "recipient", "cursor"), list(product(STATE, KIND, RECIPIENT, CURSOR))
)
def test_every_filter_is_answered_by_an_index_in_its_order(
    ready: Flask, state: str | None, kind: str | None, recipient: str | None, cursor: str | None
) -> None:
    fill(2000)
    with asked() as found:
        page = outbox_log.listing(
            state=state, kind=kind, recipient=recipient, cursor=cursor, limit=3
        )
    ids = [mail.id for mail in page.items]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    for mail in page.items:
        assert mail.state == (state or mail.state)
        assert mail.kind == (kind or mail.kind)
        assert mail.recipient == (recipient or mail.recipient)
        assert mail.id < int(cursor or 10_000)
    (step,) = plans(found)
    given = [name for name, value in (("kind", kind), ("state", state)) if value]
    if recipient:
        wanted = r"SEARCH outbox USING INDEX ix_outbox_recipient_id \(recipient=\?"
    elif given:
        bounds = " AND ".join(f"{name}=?" for name in given)
        wanted = re.escape(f"SEARCH outbox USING INDEX ix_outbox_{'_'.join(given)}_id ({bounds}")
    elif cursor:
        wanted = r"SEARCH outbox USING INTEGER PRIMARY KEY \(rowid<\?"
    else:
        wanted = r"SCAN outbox$"  # from its end, and no further than the page
    assert re.match(wanted, step), step


def test_counting_looks_at_one_index_and_stops_at_its_limit(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(2000)
    monkeypatch.setattr(outbox_log, "COUNTED", 50)
    with asked() as found:
        assert outbox_log.counts() == dict.fromkeys(MAIL_STATES, 50)
    steps = plans(found)
    assert sum("SEARCH outbox USING COVERING INDEX" in step for step in steps) == len(MAIL_STATES)
    assert not any(re.match(r"SCAN outbox\b", step) for step in steps), steps
    assert found[0][0].count("LIMIT") == len(MAIL_STATES)


def test_what_somebody_was_not_told_is_answered_by_an_index(ready: Flask) -> None:
    accounts.set_active(BOB, False)
    for number in range(3):
        events.send(NewEvent("failed", subject=f"No. {number}", recipients=(BOB, ADA)), now=NOW)
    with asked() as found:
        skips = outbox_log.skips_of(BOB)
    assert [skip.event.subject for skip in skips] == ["No. 2", "No. 1", "No. 0"]
    assert {skip.reason for skip in skips} == {"The account is disabled."}
    steps = plans(found)
    assert any("ix_event_skips_recipient_id (recipient=?)" in step for step in steps), steps
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in steps), steps
    assert outbox_log.skips_of(ADA) == []


def test_only_the_newest_skips_are_shown(ready: Flask) -> None:
    events.send(NewEvent("failed", recipients=(ADA,)), now=NOW)
    with transaction():
        db.session.add_all(EventSkip(event_id=1, recipient=BOB, reason="x") for _ in range(99))
    assert len(outbox_log.skips_of(BOB)) == outbox_log.SKIPS_SHOWN


def test_a_recipient_is_found_however_the_address_is_written(ready: Flask) -> None:
    queue("bob@xn--bcher-kva.test", ADA)
    for written in ("bob@bücher.test", " bob@XN--bcher-kva.test ", "bob@BÜCHER.test"):
        (mail,) = outbox_log.listing(recipient=written).items
        assert mail.recipient == "bob@xn--bcher-kva.test"


@pytest.mark.parametrize("given", ["nobody", "a@b.test\r\nx", "group:ops", "a@x.test, b@x.test"])
def test_what_is_no_address_is_refused_with_a_sentence(ready: Flask, given: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        outbox_log.listing(recipient=given)
    assert set(caught.value.errors) == {"recipient"}


def test_a_mail_is_shown_with_its_headers_and_no_open_reference(ready: Flask) -> None:
    asked_for = ask(title="Größe")
    (mail,) = queued()
    shown = outbox_log.shown(outbox_log.get(mail.id))
    whole = shown.headers + shown.text
    assert f"To: {BOB}" in shown.headers
    assert "Größe" in shown.text
    assert MASKED in shown.text
    assert not REFERENCE.search(whole)
    assert asked_for.reference not in whole
    assert asked_for.message_id.strip("<>") not in whole


def test_a_mail_whose_content_is_missing_is_shown_as_such(ready: Flask) -> None:
    ask()
    (mail,) = queued()
    with transaction():
        db.session.execute(delete(OutboxContent))
    with pytest.raises(SecretUnreadable, match="is missing"):
        outbox_log.shown(outbox_log.get(mail.id))


def test_a_mail_about_an_event_leads_to_what_it_told(ready: Flask) -> None:
    told = NewEvent("failed", data={"error": "Größe"}, recipients=(BOB, "group:nobody"))
    events.send(told, now=NOW)
    mail = outbox_log.get(1)
    event_ = outbox_log.event_of(mail)
    assert event_ is not None
    assert event_.data == {"error": "Größe"}
    assert [skip.recipient for skip in event_.skips] == ["group:nobody"]
    assert "Größe" in outbox_log.shown(mail).text
    queue(BOB)
    assert outbox_log.event_of(outbox_log.get(2)) is None


def test_the_link_that_stops_mail_is_for_its_recipient_alone(ready: Flask) -> None:
    ready.config["BASE_URL"] = "https://flexmail.corp.test"
    events.send(NewEvent("failed", recipients=(BOB,)), now=NOW)
    token = unsubscribing.link(BOB, "failed").rpartition("/")[2]
    mail = outbox_log.get(1)
    assert token in opened(mail).decode().replace("=\r\n", "")
    shown = outbox_log.shown(mail)
    for text in (shown.headers, shown.text):
        assert "/unsubscribe/…(masked)" in text
        assert token[:12] not in text


def test_an_unknown_mail_is_none_of_ours(ready: Flask) -> None:
    with pytest.raises(NotFound):
        outbox_log.get(99)


def test_what_somebody_wishes_is_told_with_an_account_and_without(ready: Flask) -> None:
    unsubscribing.switch(BOB, "failed", on=False, now=NOW)
    unsubscribing.switch(BOB, "completed", on=False, now=NOW)
    unsubscribing.switch(CHARLIE, "*", on=False, now=NOW)
    bob = outbox_log.wishes_of(BOB)
    assert bob.user_id is not None
    assert (bob.active, bob.digest, bob.off) == (True, "at_once", ("completed", "failed"))
    assert outbox_log.wishes_of(CHARLIE) == outbox_log.Wishes(None, True, "at_once", ("*",))


def test_mail_of_every_kind_has_its_name_in_the_list(ready: Flask) -> None:
    from pathlib import Path

    import flexmail

    folders = Path(flexmail.__file__).parent / "templates" / "email"
    assert {folder.name for folder in folders.iterdir() if folder.is_dir()} == set(MAIL_KINDS)


def test_nothing_here_changes_anything(ready: Flask) -> None:
    queue(BOB)
    before = [(mail.state, mail.attempts, mail.retry_at) for mail in queued()]
    outbox_log.shown(outbox_log.get(1))
    outbox_log.counts()
    outbox_log.listing(recipient=BOB)
    assert [(mail.state, mail.attempts, mail.retry_at) for mail in queued()] == before
    assert outbox.retry(1, now=NOW).state == "queued"
