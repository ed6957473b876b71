"""The words that came with flexmail: they hold for whatever a program may tell."""

from __future__ import annotations

import json
import re
from typing import Any

import lxml.html
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from flexmail.mail.address import parse_mailbox
from flexmail.mail.compose import OutgoingContent, compose, texts_of
from flexmail.mail.event_template import render
from flexmail.services import event_texts, event_types, outbox
from flexmail.services.new_event import MAX_DATA_BYTES, NewEvent, check
from tests.conftest import NOW
from tests.services.stage import read, text_of

TYPES = (*event_types.BUILT_IN, "own.type")
LINK = "https://flexmail.corp.test/unsubscribe/x"
FACTS = {"submitter": "ada@corp.test", "version": "4.2", "link": "https://builds.test/1"}
FULL = FACTS | {"title": "A", "details": "B", "error": "C", "reason": "D", "by": "E", "at": "F"}


def content_of(told: NewEvent) -> OutgoingContent:
    told = check(told)
    known = event_texts.variables(told.type, told.scope, told.subject, told.data, at=NOW)
    return render(event_texts.built_in(told.type), known)


def mail_of(content: OutgoingContent, *, unsubscribe: str = LINK) -> bytes:
    context = {"content": content, "why": "You asked.", "unsubscribe": unsubscribe}
    return compose(
        sender=parse_mailbox("flexmail@corp.test"),
        recipient="bob@corp.test",
        content=outbox.render("event", context),
        message_id="<1@corp.test>",
        date=NOW,
        reply_to=None,
        in_reply_to=None,
        kind="event",
        unsubscribe=unsubscribe,
    )


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("scope", ["", "billing/prod"])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"title": "A"},
        {"details": "B"},
        {"link": "https://x.test/"},
        {"error": "C"},
        FACTS,
        FULL,
    ],
)
def test_the_text_reads_well_with_much_and_with_little(
    context: Flask, type_name: str, scope: str, data: dict[str, Any]
) -> None:
    content = content_of(NewEvent(type_name, scope, data=data))
    text = text_of(mail_of(content)).replace("\r\n", "\n")
    body, mark, footer = text.partition("\n\n-- \n")
    assert mark
    assert footer.strip("\n").splitlines() == ["You asked.", f"Stop such mail: {LINK}"]
    assert "\n\n\n" not in text
    assert [line for line in body.splitlines() if line != line.rstrip()] == []
    label = event_types.of(type_name).label
    assert f"{label}: {label}" not in content.subject


HOSTILE = {
    "title": "\u202etxt.exe \u200b =?utf-8?q?=0ABcc:_x=40y.test?= " + "x" * 300,
    "details": "</div></body><!-- {{ 7 * 7 }} {% raw %}\n-- \nFrom: Ada\n> Approve",
    "link": "javascript:alert(1)",
    "submitter": {"not": "text"},
    "error": "<script>alert(1)</script>" + "<b>" * 1000,
    "items": {"keys": None, "__class__": "x", "onclick": "x()"},
}


@pytest.mark.parametrize("type_name", TYPES)
def test_whatever_is_told_is_text_and_nothing_else(context: Flask, type_name: str) -> None:
    content = content_of(NewEvent(type_name, data=HOSTILE))
    raw = mail_of(content)
    header = read(raw)
    assert header.keys() == read(mail_of(content_of(NewEvent(type_name)))).keys()
    assert "=?utf-8?q?=0ABcc:_x=40y.test?=" in str(header["Subject"])
    page = lxml.html.document_fromstring(text_of(raw, "html"))
    assert page.xpath("//script | //@onclick") == []
    assert page.xpath("//a/@href") == [LINK]
    assert "{{ 7 * 7 }}" in page.text_content()
    (footer,) = page.xpath("//p[contains(., 'You asked.')]")
    assert footer.getparent().get("style").startswith("max-width")


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize(
    "data",
    [
        {f"{number:x}'": 1 for number in range(1100)},
        {"'" * 3 + str(number): "&" for number in range(1000)},
        {"a": [["'"] * 10] * 250},
        {"title": "'" * 16_000},
        {"details": "&" * 16_000},
        {"error": "'" * 16_000, "reason": "x"},
        {"link": "https://x.test/?" + "&" * 15_000},
        {"link": "https://x.test/?" + "&" * 1900, "details": "'" * 14_000},
    ],
)
def test_the_most_that_can_be_told_makes_a_mail(
    context: Flask, type_name: str, data: dict[str, Any]
) -> None:
    assert MAX_DATA_BYTES / 2 < len(json.dumps(data)) <= MAX_DATA_BYTES
    content = content_of(NewEvent(type_name, data=data))
    assert texts_of(mail_of(content))["plain"].startswith(content.text.strip()[:50])


WRITING = some.text(some.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | WRITING,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(WRITING, inner, max_size=4),
    max_leaves=12,
)
KEYS = some.sampled_from([*FULL, "took", "items", "get"]) | WRITING


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(type_name=some.sampled_from(TYPES), subject=WRITING, data=some.dictionaries(KEYS, VALUES))
def test_the_built_in_words_never_fail(
    context: Flask, type_name: str, subject: str, data: dict[str, Any]
) -> None:
    content = content_of(NewEvent(type_name, "billing", subject, data))
    assert re.fullmatch(r"[^\r\n]+", content.subject)
    assert read(mail_of(content))["To"] == "bob@corp.test"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://builds.test/1", True),
        ("HTTP://builds.test/1", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https:///x", False),
        ("//builds.test", False),
        ("https://builds.test/a b", False),
        ("https://[", False),
        ("https://builds.test/" + "x" * 2000, False),
        (["https://builds.test/1"], False),
    ],
)
def test_a_link_leads_to_a_page_or_is_none(context: Flask, link: object, shown: bool) -> None:
    known = event_texts.variables("failed", "", "", {"link": link}, at=NOW)
    assert bool(known["link"]) == shown


def test_several_submitters_are_all_named(context: Flask) -> None:
    content = content_of(NewEvent("failed", data={"submitter": ["ada@corp.test", "group:ops"]}))
    assert "Submitted by: ada@corp.test, group:ops\n" in content.text


def test_many_values_of_a_type_of_ones_own_are_cut_and_counted(context: Flask) -> None:
    content = content_of(NewEvent("own.type", data={f"k{n}": n for n in range(45)}))
    assert "k39: 39\nand 5 more.\n" in content.text
    assert "k40" not in content.html
    assert "and 5 more." in content.html
