"""The desk: facts without texts, references with their places, and what crosses between two."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from flexmail.mail.address import Mailbox
from flexmail.mail.crossing import pack, unpack
from flexmail.mail.delivery_report import DeliveryReport
from flexmail.mail.desk import Desk, Found, Looked, Question
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed
from flexmail.mail.reference import find_references
from flexmail.mail.reply import DEFAULT_WORDS, Reading, Words

FIRST, SECOND, THIRD = (f"FM-{letter * 26}" for letter in "ABC")
MAIL = f"""From: Bob <bob@corp.test>
Subject: Re: Deploy
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=c

--c
Content-Type: text/plain

Approve

> {FIRST}
--c
Content-Type: text/html

<p>Approve</p><blockquote>{FIRST} {SECOND}</blockquote>
--c--
--b
Content-Type: text/calendar

{THIRD} {FIRST}
--b--
""".encode()


def test_the_facts_come_without_the_texts_but_say_which_there_are() -> None:
    looked = Desk().look(MAIL, partial=False)
    assert (looked.parsed.plain, looked.parsed.html, looked.parsed.more_text) == ("", "", "")
    assert looked.parsed.author == Mailbox("Bob", "bob@corp.test")
    beside = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nApprove\n--b\n"
    beside += b"Content-Type: text/html\n\n<p>Footer\n--b--\n"
    assert Desk().look(beside, partial=False).parsed.beside == ()
    plain_only = Desk().look(b"From: bob@corp.test\n\nApprove\n", partial=False).parsed
    assert (plain_only.plain, plain_only.html) == ("", None)


def test_each_reference_is_told_with_every_place_that_holds_it() -> None:
    looked = Desk().look(MAIL, partial=False)
    assert looked.found == (
        Found(FIRST, ("text", "HTML", "other text")),
        Found(SECOND, ("HTML",)),
        Found(THIRD, ("other text",)),
    )
    assert looked.references == {FIRST, SECOND, THIRD}
    assert FIRST not in repr(looked)


def test_a_reference_is_not_put_together_from_two_texts() -> None:
    torn = MAIL.replace(f"> {FIRST}".encode(), FIRST[:20].encode())
    torn = torn.replace(f"<p>Approve</p><blockquote>{FIRST}".encode(), FIRST[20:].encode())
    assert find_references(f"{FIRST[:20]}\n{FIRST[20:]}") == {FIRST}
    assert Found(FIRST, ("other text",)) in Desk().look(torn, partial=False).found


def test_reading_is_about_the_mail_looked_at_last() -> None:
    desk = Desk()
    with pytest.raises(LookupError):
        desk.read(DEFAULT_WORDS, None)
    desk.look(MAIL, partial=False)
    assert desk.read(DEFAULT_WORDS, None).verdict == "approve"
    desk.look(b"From: bob@corp.test\n\nReject: too late\n", partial=False)
    reading = desk.read(DEFAULT_WORDS, None)
    assert (reading.verdict, reading.comment) == ("reject", "too late")


def test_what_we_had_sent_is_not_taken_for_the_authors_words() -> None:
    ours = "Approve this request by answering with the word, please, and with nothing else.\n"
    desk = Desk()
    desk.look(f"From: bob@corp.test\n\n{ours}".encode(), partial=False)
    assert desk.read(DEFAULT_WORDS, Sent(plain=ours)).words_read == ""


def test_of_a_mail_that_was_cut_the_torn_text_does_not_count() -> None:
    torn = b"From: bob@corp.test\n\nApprove"
    desk = Desk()
    assert desk.look(torn, partial=True).parsed.text_missing
    assert not desk.look(torn, partial=False).parsed.text_missing


FULL = Parsed(
    from_values=("Bob <bob@corp.test>", "\u20ac \ud800 \x00"),
    author=Mailbox("Bob", "bob@corp.test"),
    subject="Re: \U0001f600",
    message_id="<a@b.test>",
    in_reply_to=("<c@d.test>",),
    references=("<c@d.test>", "<e@f.test>"),
    return_path="",
    plain="",
    html=None,
    automatic="It says so.",
    bounce="It says so.",
    reports=(DeliveryReport("bob@corp.test", "failed", "5.1.1", "no such user", ("<a@b.test>",)),),
    own_mark="yes",
    authentication_results=("mx.test; dmarc=pass",),
    problem="None.",
    text_missing=True,
)
VALUES = [
    Looked(Parsed(), ()),
    Looked(FULL, (Found(FIRST, ("text", "HTML")), Found(SECOND, ()))),
    Reading("approve", "c", "r", "w", "Line 3."),
    Reading(None, "", "", ""),
    Question(DEFAULT_WORDS, None),
    Question(Words(frozenset({"go"}), frozenset()), Sent("plain", "<p>", ("title", "link"))),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_crosses_as_it_is(value: Any) -> None:
    assert unpack(type(value), pack(value)) == value


def test_every_fact_of_a_mail_crosses() -> None:
    crossed = unpack(Looked, pack(Looked(FULL, ()))).parsed
    for fact in fields(Parsed):
        assert getattr(crossed, fact.name) == getattr(FULL, fact.name), fact.name


APPROVED = Reading("approve", "comment", "reason", "words", "cut off")
READING = json.loads(pack(APPROVED))
NONSENSE = {
    "nothing": b"",
    "no JSON": b"\x00\xff",
    "half": pack(VALUES[2])[:-1],
    "something behind": pack(VALUES[2]) + b"1",
    "null": b"null",
    "a number": b"7",
    "by name": json.dumps({"verdict": "approve"}).encode(),
    "a field more": json.dumps([*READING, ""]).encode(),
    "a field less": json.dumps(READING[:-1]).encode(),
    "another word": json.dumps(["approved", *READING[1:]]).encode(),
    "a number for a word": json.dumps([1, *READING[1:]]).encode(),
    "a number for a text": json.dumps(["approve", 1, *READING[2:]]).encode(),
    "a truth for a text": json.dumps(["approve", True, *READING[2:]]).encode(),
    "nothing for a text": json.dumps(["approve", None, *READING[2:]]).encode(),
    "a list for a text": json.dumps(["approve", ["c"], *READING[2:]]).encode(),
    "nested without end": b"[" * 100_000,
    "a number without end": b"1" * 100_000,
    "no number": b"NaN",
}


@pytest.mark.parametrize("case", NONSENSE)
def test_what_is_no_reading_is_refused(case: str) -> None:
    assert unpack(Reading, json.dumps(READING).encode()) == APPROVED
    with pytest.raises(ValueError):  # noqa: PT011 (whatever the sentence)
        unpack(Reading, NONSENSE[case])


FACTS = json.loads(pack(VALUES[1]))
MISSING = [fact.name for fact in fields(Parsed)].index("text_missing")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((0, 0), "bob@corp.test"),
        ((0, 0, 0), 1),
        ((0, 1), ["Bob"]),
        ((0, 1), "bob@corp.test"),
        ((0, 1, 1), None),
        ((0, 2), None),
        ((0, MISSING), 1),
        ((0, MISSING), "true"),
        ((1,), None),
        ((1, 0, 1, 0), "elsewhere"),
        ((1, 0), [FIRST]),
    ],
)
def test_a_fact_of_another_kind_is_refused(path: tuple[int, ...], value: object) -> None:
    changed = json.loads(json.dumps(FACTS))
    at = changed
    for step in path[:-1]:
        at = at[step]
    assert at[path[-1]] != value or type(at[path[-1]]) is not type(value)
    at[path[-1]] = value
    with pytest.raises(ValueError, match=r"expected|found"):
        unpack(Looked, json.dumps(changed).encode())


@pytest.mark.parametrize("value", [{"a": 1}.keys(), object(), b"bytes", 1j])
def test_what_has_no_form_to_cross_in_does_not_cross(value: object) -> None:
    with pytest.raises(TypeError):
        pack(value)


SHORT_OF_MEMORY = """
import os, resource, sys, types
package = sys.modules["flexmail"] = types.ModuleType("flexmail")  # it would bring much memory
package.__path__ = ["flexmail"]
from flexmail.mail.html import visible_text
page = "<p>" + "w " * 200_000 + "<p>END"
visible_text("<p>a")
for more in range(0, 12 << 20, 1 << 17):
    if not os.fork():
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
        try:
            said = b"whole" if "END" in visible_text(page) else b"cut"
        except MemoryError:
            said = b"refused"
        os.write(1, said + b" ")
        os._exit(0)
    os.wait()
"""


def test_a_text_is_read_to_its_end_or_not_at_all_however_little_memory_there_is() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what cannot be freed any more says so there
        text=True,
        timeout=100,
        check=True,
    )
    assert set(done.stdout.split()) == {"whole", "refused"}
