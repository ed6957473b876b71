"""Parse untrusted bytes into the few facts that flexmail acts on.

Never raises: what cannot be read says so in `problem`. Attachments and mails inside a mail are
never the author's text. RFC 2045, 2047, 3676, 5322.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)

from flexmail.mail import automata
from flexmail.mail.address import Mailbox, decode_words, sole_author
from flexmail.mail.bodies import Bodies, bodies, is_torn
from flexmail.mail.bounded import (
    MAX_HEADER_BYTES,
    Part,
    TooMuch,
    ends_differ,
    has_bare_cr,
    header_block,
    read,
)
from flexmail.mail.delivery_report import MAX_TEXT, DeliveryReport
from flexmail.mail.reference import find_message_ids
from flexmail.mail.sizes import MAX_BYTES

MAX_SUBJECT = 2000

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_AMBIGUOUS = (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a mail says about itself; nothing in here is proof of anything."""

    from_values: tuple[str, ...] = ()
    author: Mailbox | None = None
    subject: str = ""
    message_id: str = ""
    in_reply_to: tuple[str, ...] = field(default=(), repr=False)
    references: tuple[str, ...] = field(default=(), repr=False)
    return_path: str | None = None
    plain: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    beside: tuple[str, ...] = field(default=(), repr=False)
    """Pages that are no part of `plain` or `html`: they can only say something against."""
    more_text: str = field(default="", repr=False)
    automatic: str = ""
    robot: str = ""
    """A machine's name in From: it matters where the sender is not who was asked."""
    hint: str = ""
    """A subject as automatic mail has it: it matters where nothing was decided."""
    bounce: str = ""
    reports: tuple[DeliveryReport, ...] = ()
    own_mark: str = ""
    authentication_results: tuple[str, ...] = ()
    ends_differ: bool = False
    """The server that wrote these results may have seen other headers."""
    problem: str = ""
    text_missing: bool = False
    torn: bool = False
    """The last text goes on where the fetch ended."""

    @property
    def weak_sign(self) -> str:
        """Return a sign of an automaton that a decision by the one who was asked outweighs."""
        return self.hint or (f"From: {self.robot}" if self.robot else "")


def parse(raw: bytes, *, partial: bool = False, whole_text: bool = False) -> Parsed:
    """Read a mail, whole or (`partial`) its first bytes; bytes over the cap count as not fetched.

    `problem` says why the mail is malformed; then there is no text, unless only the From is wrong.

    Args:
        whole_text: where it was cut, no text is to be torn; one that is counts as missing.
    """
    try:
        parsed = _parse(raw[:MAX_BYTES], cut=partial or len(raw) > MAX_BYTES)
        torn = partial and whole_text and not parsed.problem and parsed.torn
        return replace(parsed, text_missing=True) if torn else parsed
    except MemoryError:  # says nothing about the mail: with more, it may be read
        raise
    except Exception as error:  # hostile mail has made the standard parser raise nearly everything
        return Parsed(problem=f"The mail cannot be read ({type(error).__name__}).")


def _parse(raw: bytes, *, cut: bool) -> Parsed:
    head = raw[:MAX_HEADER_BYTES]
    try:
        head = header_block(raw)
        message = read(raw)
    except TooMuch as error:
        rest = raw[len(head) : len(head) + MAX_TEXT].decode("utf-8", "replace")
        return _facts(read(head), problem=str(error), cut=cut, rest=rest)
    problem = ""
    if not message.keys():
        problem = "The mail has no headers."
    elif has_bare_cr(head):
        problem = "A carriage return stands alone among the headers."
    elif any(isinstance(defect, _AMBIGUOUS) for defect in message.defects):
        problem = "A line among the headers is not a header."
    return _facts(message, problem=problem, cut=cut, ends=ends_differ(head))


def _facts(message: Part, *, problem: str, cut: bool, rest: str = "", ends: bool = False) -> Parsed:
    from_values = message.all("From")
    author = sole_author(from_values)
    subject = _CONTROLS.sub(" ", decode_words(message.first("Subject")[:MAX_SUBJECT])).strip()
    robot = automata.robot_name(from_values, author)
    leaves = message.leaves()
    hint = automata.subject_hint(subject)
    bounce, reports = automata.bounce(message, leaves, subject=subject, robot=robot, rest=rest)
    texts = Bodies() if problem else bodies(message, cut=cut)
    return_path = message.first("Return-Path").strip("<> ")
    return Parsed(
        from_values=from_values,
        author=author,
        subject=subject,
        message_id="".join(find_message_ids(message.all("Message-ID"))[:1]),
        in_reply_to=find_message_ids(message.all("In-Reply-To")),
        references=find_message_ids(message.all("References")),
        return_path=return_path if "Return-Path" in message else None,
        plain=texts.plain,
        html=texts.html,
        beside=texts.beside,
        more_text="\n".join(texts.more),
        automatic=automata.automatic(message, leaves, hint=hint, robot=robot, author=author),
        robot=robot,
        hint=hint,
        bounce=bounce,
        reports=reports,
        own_mark=automata.own_mark(message),
        authentication_results=message.all("Authentication-Results"),
        problem=problem or _from_problem(from_values, author),
        text_missing=cut and not problem and not (texts.plain or texts.html or "").strip(),
        torn=cut and not problem and is_torn(message),
        ends_differ=ends,
    )


def _from_problem(from_values: tuple[str, ...], author: Mailbox | None) -> str:
    if author:
        return ""
    if len(from_values) == 1:
        return "The From line does not hold exactly one plain address."
    return "The mail has more than one From line." if from_values else "The mail has no From line."
