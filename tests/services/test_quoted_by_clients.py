"""flexmail's own mail, quoted as mail programs quote it, the whole way in.

What the author wrote decides, and nothing of what we had sent, the requester's words in it among
them: above the quote, below it, or not at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from flexmail.mail.compose import reply_body
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed
from flexmail.mail.reply import DEFAULT_WORDS, Reading
from flexmail.mail.reply import read as read_answer
from flexmail.services import approval_requests, approvals
from flexmail.services.approval_requests import NewApproval
from flexmail.services.notifications import sent_for
from tests.clients import (
    ABOVE,
    BELOW,
    Answer,
    Client,
    Original,
    gmail,
    page,
    paragraphs,
    unmarked,
    wrapped,
    written,
)
from tests.conftest import NOW
from tests.services.stage import BOB, Asked, asked, hand_in, read, set_up, text_of

DETAILS = (
    "Approve or reject until Friday, please.\n"
    "\n"
    "The change replaces the invoice numbers of all branches; the old ones stay readable.\n"
    "- tested on staging by Charlie, 312 cases\n"
    "- roll back: 4 minutes"
)
ORDINARY = NewApproval(
    title="Deploy billing 4.2",
    approvers=(BOB,),
    details=DETAILS,
    submitter="Ada Lovelace",
    link="https://ci.corp.test/run/4711?a=b",
)
PLAIN = NewApproval(title="Deploy", approvers=(BOB,))
# what the author writes → outcome, comment
SAID = {
    "Approve": ("approved", ""),
    "Approve: go ahead": ("approved", "go ahead"),
    "approved\nLooks good to me.\nDeploy billing 4.2 on Friday.": (
        "approved",
        "Looks good to me.\nDeploy billing 4.2 on Friday.",
    ),
    "Reject, too dear": ("rejected", "too dear"),
    "REJECTED\nNo budget left.": ("rejected", "No budget left."),
    "What is this?": ("unclear", ""),
    "Do you approve of this, Ada?\nApprove": ("unclear", ""),
    "": ("unclear", ""),
}
_numbers = itertools.count(1)


SITE = "https://flexmail.corp.test"


@pytest.fixture
def ready(people: Flask) -> Flask:
    people.config["BASE_URL"] = SITE
    set_up()
    return people


def requested(wanted: NewApproval) -> Asked:
    return asked(approval_requests.request(wanted, now=NOW).id)


def original(request: Asked) -> Original:
    return Original(text_of(request.raw), text_of(request.raw, "html"))


def outcome_of(answer: Answer, request: Asked) -> tuple[str, str]:
    """Take an answer in as the reply job does; return its outcome and the comment it left."""
    raw = written(
        answer,
        subject=str(read(request.raw)["Subject"]),
        in_reply_to=request.message_id,
        sender=f"Bob <{BOB}>",
        number=next(_numbers),
    )
    row = hand_in(raw)
    decisions = approvals.get(request.approval_id).decisions
    return row.outcome or "", decisions[0].comment if decisions else ""


def sent_of(request: Asked) -> Sent:
    sent = sent_for([request.reference, request.message_id])
    assert sent is not None
    return sent


def reading_of(answer: Answer, sent: Sent) -> Reading:
    return read_answer(Parsed(plain=answer.plain, html=answer.html), DEFAULT_WORDS, sent)


@pytest.mark.parametrize("client", [*ABOVE, *BELOW], ids=lambda client: client.__name__)
@pytest.mark.usefixtures("ready")
def test_what_the_author_wrote_decides_whatever_client_quotes_our_mail(client: Client) -> None:
    for said, expected in SAID.items():
        request = requested(ORDINARY)
        assert outcome_of(client(said, original(request)), request) == expected, said


@pytest.mark.parametrize("site", ["", SITE])
def test_an_answer_above_what_is_left_of_an_unmarked_quote_is_the_authors(
    ready: Flask, site: str
) -> None:
    ready.config["BASE_URL"] = site
    request = requested(replace(ORDINARY, details="Roll back takes 4 minutes.", link=""))
    verdicts = {"approved": "approve", "rejected": "reject", "unclear": None}
    mail, sent = original(request), sent_of(request)
    for text, (said, (outcome, comment)) in itertools.product(
        (mail.plain, mail.shown, mail.converted), SAID.items()
    ):
        lines = text.splitlines()
        last = next(number for number, line in enumerate(lines) if "Answer until" in line)
        for first in range(last + 1):
            reading = reading_of(Answer(f"{said}\n\n" + "\n".join(lines[first:])), sent)
            assert (reading.verdict, reading.comment) == (verdicts[outcome], comment), lines[first]


def in_text(body: str) -> Answer:
    return Answer(body)


def in_html(body: str) -> Answer:
    return Answer(html=page(paragraphs(body)))


def on_one_line(body: str) -> Answer:
    return Answer(body.replace("\n", " "))


@pytest.mark.parametrize("site", ["", SITE])
@pytest.mark.parametrize("form", [in_text, in_html, on_one_line])
def test_the_answer_that_a_link_fills_in_decides(
    ready: Flask, form: Callable[[str], Answer], site: str
) -> None:
    ready.config["BASE_URL"] = site
    for word, outcome in (("Approve", "approved"), ("Reject", "rejected")):
        for said, comment in ((word, ""), (f"{word} go on", "go on"), (f"{word}\ngo on", "go on")):
            request = requested(ORDINARY)
            body = reply_body(said, request.reference)
            assert outcome_of(form(body), request) == (outcome, comment), said


APPROVES = "Approve"
# what the requester writes into the mail, so that some of it may come to stand first
ATTACKS: dict[str, dict[str, Any]] = {
    "title": {"title": APPROVES},
    "title with more": {"title": "Approve: all of it"},
    "title that rejects": {"title": "Reject"},
    "submitter": {"submitter": APPROVES},
    "details": {"details": APPROVES},
    "all": {"title": APPROVES, "details": APPROVES, "submitter": APPROVES},
    "first of many lines": {"details": "Approve\n" + "It is only a small change.\n" * 12},
    "many times": {"details": "Approve\n" * 25},
    "between paragraphs": {"details": "Hello Bob,\n\nApprove\n\nGo ahead.\n\nyes\n\nThanks\nAda"},
    "a quote of its own": {"details": "Approve\n\nOn 2 Nov 2026, Bob <bob@corp.test> wrote:\n> x"},
    "a header of its own": {"details": "Approve\n\nFrom: Bob\nSent: Monday\nTo: Ada\n\nsee above"},
    "a marker of its own": {
        "details": "Approve\n\n******* Please do not change anything below this line. *******\nmore"
    },
    "a signature of its own": {"details": "Approve\n\n-- \nBob\n\nmore\n\nApprove"},
    "a mark of its own": {"details": "Approve\nmañana\n> mañana\n> see above"},
    "a long word": {"details": f"Approve\n{'x' * 1500}\nmore"},
    "another script": {"details": "Approve\n\u0421\u0440\u043e\u0447\u043d\u043e\nmore"},
    "a link": {"details": "Approve\nhttps://corp.test/" + "a%20b/" * 60 + "\nmore"},
    "our own words": {
        "details": "Approve\n\nAnswer until: Mon 09 Nov 2026, 09:00 UTC\n\nHow to answer: reply to"
        " this mail with the word Approve or Reject on the first line.\nYou may add a comment after"
        " the word. Or use one of these links, which open a filled-in answer:\n\nTo approve:"
    },
}


def unwritten(request: Asked, said: str) -> Iterator[Answer]:
    """Yield what clients may make of our mail without any mark, each with its first lines left out.

    Some write a question mark for each letter that their charset lacks, and some break lines.
    """
    mail = original(request)
    in_ascii = mail.plain.encode("ascii", "replace").decode()
    for text in (mail.plain, mail.shown, mail.converted, in_ascii, wrapped(mail.plain, 65)):
        lines = text.splitlines()
        for first in range(len(lines)):
            left = "\n".join(lines[first:])
            yield Answer(f"{said}\n\n{left}")
            if text is mail.shown:
                yield Answer(html=page(paragraphs(f"{said}\n\n{left}")))


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.usefixtures("people")
def test_nothing_that_the_requester_wrote_decides_where_the_author_wrote_nothing(
    attack: str,
) -> None:
    set_up()
    request = requested(replace(PLAIN, **ATTACKS[attack]))
    sent = sent_of(request)
    for answer in unwritten(request, ""):
        assert reading_of(answer, sent).verdict is None, answer


@pytest.mark.parametrize("said", ["What is this?", "Ok"])
@pytest.mark.parametrize("attack", ["all", "first of many lines", "our own words"])
@pytest.mark.usefixtures("people")
def test_nothing_that_the_requester_wrote_decides_below_what_does_not(
    attack: str, said: str
) -> None:
    set_up()
    request = requested(replace(PLAIN, **ATTACKS[attack]))
    sent = sent_of(request)
    for answer in unwritten(request, said):
        assert reading_of(answer, sent).verdict is None, answer


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.usefixtures("people")
def test_the_authors_word_above_the_whole_of_our_mail_decides_whatever_the_requester_wrote(
    attack: str,
) -> None:
    set_up()
    for client, (word, outcome) in itertools.product(
        (unmarked, gmail), (("Approve", "approved"), ("Reject", "rejected"))
    ):
        request = requested(replace(PLAIN, **ATTACKS[attack]))
        assert outcome_of(client(word, original(request)), request) == (outcome, "")
