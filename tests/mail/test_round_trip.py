"""What we send, whatever stands in it, quoted by any client's rules and read back.

The templates are the ones that go out; the clients are those of `tests/clients`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, select_autoescape

import flexmail
from flexmail.mail.address import Mailbox, is_safe_header
from flexmail.mail.compose import (
    MARKER_ABOVE,
    MARKER_BELOW,
    OutgoingContent,
    compose,
    mailto,
    reference_block,
    reply_body,
)
from flexmail.mail.html import visible_text
from flexmail.mail.ours import Sent
from flexmail.mail.parse import parse
from flexmail.mail.pieces import words_of
from flexmail.mail.reply import DEFAULT_WORDS, Reading, read
from flexmail.mail.simple_page import simple_text
from tests.clients import ABOVE, BELOW, Answer, Client, Original, page, paragraphs, written

REFERENCE = "FM-ABCDEFGHIJKLMNOPQRSTUVWX27"
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(flexmail.__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
)
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

reproducible = settings(max_examples=100, derandomize=True, deadline=None)

# What a requester might write to come to stand where the author's words are read.
TRAPS = (
    *("Approve", "approved.", "yes", "Approve: go ahead", "Reject", "no", "Approve or reject"),
    *("> Approve", "-- ", "---", "On 2 Nov 2026, Bob <bob@corp.test> wrote:", "From: Bob\nTo: Ada"),
    *(MARKER_ABOVE, MARKER_BELOW, "Reference:", "Answer until: Friday", "Hello,", "", " "),
    *(
        "Sent from my iPhone",
        "To approve:",
        "https://corp.test/Approve",
        "\u202eApprove",
        "x" * 50,
    ),
)
UNDECIDED = ("", "What is this?", "Please ask Ada", "Ok, thanks", "Is it urgent?\nyes")

anything = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)
lines = st.one_of(anything, st.sampled_from(TRAPS))
SCRIPTS = ("abcdefghijklmnopqrstuvwxyzäöüßéñ", "абвгдежзиклмнопрст", "אבגדהוזחט", "0123456789")
# Long enough to be neither a word that decides nor one that a client or a goodbye begins with.
words = st.one_of([st.text(st.sampled_from(letters), min_size=6) for letters in SCRIPTS])
comments = st.lists(st.lists(words, min_size=2, max_size=6).map(" ".join), max_size=3)


@dataclass(frozen=True)
class Requested:
    """A request's mail as it goes out, and what was written into it."""

    title: str
    details: str
    submitter: str
    site: str

    @functools.cached_property
    def original(self) -> Original:
        parsed = parse(
            compose(
                sender=Mailbox("Deployments", "approvals@corp.test"),
                recipient="bob@corp.test",
                content=OutgoingContent(self._subject, self._render("txt"), self._render("html")),
                message_id="<fm-1@corp.test>",
                date=NOW,
                reply_to="approvals@corp.test",
                in_reply_to=None,
                kind="approval_request",
            )
        )
        return Original(parsed.plain or "", parsed.html or "")

    @property
    def sent(self) -> Sent:
        given = (self.title, self.details, self.submitter)
        return Sent(self.original.plain, self.original.html, tuple(filter(None, given)))

    @property
    def _subject(self) -> str:
        return f"Approval requested: {self.title} [FM #1]"

    def _render(self, kind: str) -> str:
        approval = SimpleNamespace(
            id=1,
            title=self.title.strip(),
            details=self.details.strip(),
            submitter=self.submitter.strip(),
            link="",
            expires_at=NOW,
        )
        links = {
            word.lower(): mailto("a@corp.test", self._subject, reply_body(word, REFERENCE))
            for word in ("Approve", "Reject")
        }
        answer = {**links, "may_approve": True, "block": reference_block(REFERENCE)}
        template = TEMPLATES.get_template(f"email/approval_request/body.{kind}")
        return template.render(approval=approval, answer=answer, site=self.site, zone=UTC).strip()


requests = st.builds(
    Requested,
    title=lines.filter(lambda text: bool(text.strip()) and is_safe_header(text)),
    details=st.lists(lines, max_size=6).map("\n".join),
    submitter=lines.filter(is_safe_header),
    site=st.sampled_from(["", "https://flexmail.corp.test"]),
)


def read_back(answer: Answer, request: Requested) -> Reading:
    raw = written(
        answer,
        subject="Approval requested",
        in_reply_to="<fm-1@corp.test>",
        sender="bob@corp.test",
        number=1,
    )
    return read(parse(raw), DEFAULT_WORDS, request.sent)


@reproducible
@given(
    request=requests,
    client=st.sampled_from([*ABOVE, *BELOW]),
    verdict=st.sampled_from(["approve", "reject"]),
    comment=comments,
    on_the_same_line=st.booleans(),
)
def test_what_was_written_is_read_back(
    request: Requested, client: Client, verdict: str, comment: list[str], on_the_same_line: bool
) -> None:
    said = (": " if on_the_same_line and comment else "\n").join([verdict, *comment[:1]])
    said = "\n".join([said, *comment[1:]])
    reading = read_back(client(said, request.original), request)
    assert (reading.verdict, reading.comment.split()) == (verdict, " ".join(comment).split())


@reproducible
@given(request=requests, client=st.sampled_from([*ABOVE, *BELOW]), said=st.sampled_from(UNDECIDED))
def test_what_decides_nothing_stays_so_whatever_our_mail_holds(
    request: Requested, client: Client, said: str
) -> None:
    assert read_back(client(said, request.original), request).verdict is None


@reproducible
@given(
    request=requests,
    form=st.sampled_from(["plain", "shown", "converted"]),
    dropped=st.integers(0, 40),
    said=st.sampled_from(UNDECIDED),
    in_html=st.booleans(),
    without_letters=st.booleans(),
)
def test_what_is_left_of_our_mail_without_marks_decides_nothing(
    request: Requested, form: str, dropped: int, said: str, in_html: bool, without_letters: bool
) -> None:
    lines = str(getattr(request.original, form)).split("\n")
    text = f"{said}\n\n" + "\n".join(lines[dropped % len(lines) :])
    if without_letters:
        text = text.encode("ascii", "replace").decode()
    answer = Answer(html=page(paragraphs(text))) if in_html else Answer(text)
    assert read_back(answer, request).verdict is None


@reproducible
@given(request=requests)
def test_the_page_that_goes_out_needs_no_parser(request: Requested) -> None:
    text = simple_text(request.original.html)
    assert text is not None
    if "<" not in text:
        assert words_of(text) == words_of(visible_text(request.original.html))
