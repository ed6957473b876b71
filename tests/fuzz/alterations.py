"""Ways to alter the reference, From or the decision line, each with the truth that nobody approves.

A way that could leave the part as good as it was says so by returning None, and is not counted.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

from flexmail.mail.decision import NEGATIONS
from flexmail.mail.reference import find_message_ids, find_references
from tests.fuzz.judgement import BOB, MESSAGE_ID, REFERENCE
from tests.fuzz.oracle import may_approve, squeezed
from tests.fuzz.shapes import Parts
from tests.fuzz.supply import Supply

Alteration = Callable[[Supply, Parts], Parts | None]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ODD = (
    *("", "\u200b", "\u00ad", "\u202e", "\u0410", "\uff21", "a"),
    *("1", "8", "-", "_", ".", "*", "\0"),
)
_IMPOSTORS = (
    "charlie@evil.test",
    "bob@corp.test.evil.test",
    "bob@evilcorp.test",
    "bob@sub.corp.test",
    "bob@orp.test",
    "BOB@corp.test",
    "bob+x@corp.test",
    "bo@corp.test",
    "b\u043eb@corp.test",
    "bob@c\u043erp.test",
    "bob@\uff43orp.test",
    "bob@corp.test.",
    '"bob"@corp.test',
    "bob@corp.test@evil.test",
    "bob@corp.test%evil.test@evil.test",
    "bob @corp.test",
    "",
)
_SENDERS = (
    "From: {x}",
    "From: Bob <{x}>",
    'From: "{b}" <{x}>',
    "From: {b} <{x}>",
    "From: <{b}> <{x}>",
    "From: <{x}> <{b}>",
    "From: {b}, {x}",
    "From: {x}, {b}",
    "From: {x} ({b})",
    "From: ({b}) {x}",
    "From: Team: {b};",
    "From: Team: {b}, {x};",
    "From: <@{x}:{b}>",
    "From: {e} <{x}>",
    "From: {q} <{x}>",
    'From: "{t}" <{x}>',
    "From: {t} <{x}>",
    "From: {x} {t}",
    "From: {t}",
    "From: Bob <{b}>\nFrom: {x}",
    "From: {x}\nFrom: Bob <{b}>",
    "From: Bob <{b}>\nfrom: {x}",
    "From: Bob <{b}>\nFrom : {x}",
    "From: Bob\n <{x}>\n {b}",
    "From: {x}\nSender: {b}\nReply-To: {b}\nResent-From: {b}",
    "Sender: Bob <{b}>\nReply-To: {b}\nReturn-Path: <{b}>",
    "X-From: Bob <{b}>\nFrom: {x}",
)
_UNDECIDED = (
    *("", "Reject", "No", "Rejected: not now", "OK", "Sure", "Go ahead", "Please approve"),
    *("I approve", "Approval", "Approves", "approver", "approve/reject", "approve-ish"),
    *("yesterday", "Yes please", "yes and no", "Approve?", "Approved, not yet"),
    *("approve unless it is Friday", "I cannot approve", "not approved", "Do not approve"),
    *("disapprove", "unapproved", "dis-approve", "Approve \u061f"),
    *("approve, but never on a Friday", "Approve. Reject.", "approved\nrejected\nno"),
    *("\u0410pprove", "App\u200brove", "appr\u043eve", "\uff21pprove", "Approve\u202e"),
    *("y\u0435s", "APPR0VE", "> Approve", ">Approve", "> Yes", "--\nApprove", "-- \nYes"),
    *("Sent from my phone\n\nApprove", "On Mon, 2 Nov 2026 at 09:00, Bob wrote:\n> Approve"),
    *("Subject: Approve", "* * *\nApprove", "-----Original Message-----\nApprove"),
    *("Reference: FM-\nApprove", "*****\nApprove", "\u2014\nYes", '"Approve"', "'approve'"),
    *("(approve)", "[approve]", "<approve>", "_approve_", "~approve~"),
)
_APPROVING = ("Approve", "approved", "APPROVE", "Approved:", "approve,", "Approve -", "**Approve**")
_DANGERS = ("?", " reject ", " no ", " rejected.", *(f" {word} " for word in sorted(NEGATIONS)))


def another_reference(supply: Supply, parts: Parts) -> Parts | None:
    """Another secret in the same form."""
    size = 26 + supply.number(39)
    word = "".join(supply.pick(_ALPHABET) for _ in range(size))
    return _with_reference(parts, f"FM-{word}")


def a_character_of_the_reference(supply: Supply, parts: Parts) -> Parts | None:
    """One character is another one, is lost, or has got a neighbour."""
    at = supply.number(len(REFERENCE))
    put = supply.pick((*_ODD, *_ALPHABET))
    kept = supply.number(2)
    return _with_reference(parts, REFERENCE[:at] + put + REFERENCE[at + 1 - kept :])


def the_case_of_the_reference(supply: Supply, parts: Parts) -> Parts | None:
    """A reference is compared as it was made."""
    at = 3 + supply.number(len(REFERENCE) - 3)
    return _with_reference(parts, REFERENCE[:at] + REFERENCE[at:].lower())


def more_than_one_reference(supply: Supply, parts: Parts) -> Parts | None:
    """Ours, and one more: they disagree."""
    other = "FM-" + "".join(supply.pick(_ALPHABET) for _ in range(26))
    pair = (REFERENCE, other) if supply.flag() else (other, REFERENCE)
    if other == REFERENCE:
        return None
    return replace(parts, reference=supply.pick((" ", "\n", ", ")).join(pair), message_id="")


def a_longer_reference(supply: Supply, parts: Parts) -> Parts | None:
    """Ours is only where another word starts."""
    size = 1 + supply.number(60)
    tail = "".join(supply.pick(_ALPHABET + "abz0189") for _ in range(size))
    return replace(parts, reference=REFERENCE + tail, message_id="")


def any_reference(supply: Supply, parts: Parts) -> Parts | None:
    """Whatever the bytes say."""
    return _with_reference(parts, supply.line())


def _with_reference(parts: Parts, reference: str) -> Parts | None:
    """Return the parts with a reference, and a Message-ID, that are not ours any more."""
    if REFERENCE in squeezed(reference) or find_references(reference) == {REFERENCE}:
        return None
    message_id = f"<{squeezed(reference).lower()[:80]}@corp.test>" if parts.message_id else ""
    if MESSAGE_ID in find_message_ids([message_id]):
        return None
    return replace(parts, reference=reference, message_id="\\".join(message_id.splitlines()))


def another_sender(supply: Supply, parts: Parts) -> Parts | None:
    """Somebody else wrote, and Bob's address stands where it proves nothing."""
    form = supply.pick(_SENDERS)
    impostor = supply.pick(_IMPOSTORS) if supply.flag() else _misspelt(supply)
    encoded = base64.b64encode(BOB.encode()).decode()
    typed = supply.line()
    if impostor is None or ("{x}" not in form and BOB in typed):
        return None
    lines = form.format(
        x=impostor,
        b=BOB,
        e=f"=?utf-8?b?{encoded}?=",
        q="=?utf-8?q?" + BOB.replace("@", "=40") + "?=",
        t=typed,
    )
    return replace(parts, senders=tuple(lines.split("\n")))


def _misspelt(supply: Supply) -> str | None:
    at = supply.number(len(BOB))
    put = supply.pick((*_ODD, *'abcdefghijklmnopqrstuvwxyz0123456789@.-,;:<>()"\\ '))
    wrong = BOB[:at] + put + BOB[at + supply.number(2) :]
    return None if wrong.strip(" <>") == BOB else wrong


def an_undecided_line(supply: Supply, parts: Parts) -> Parts | None:
    """A line that people write and that approves nothing."""
    return replace(parts, decision=supply.pick(_UNDECIDED))


def a_doubtful_line(supply: Supply, parts: Parts) -> Parts | None:
    """An approving word, and on its line a question, a negation or a word that rejects."""
    said = f"{supply.pick(_APPROVING)} {supply.line()} {supply.pick(_DANGERS)} {supply.line()}"
    return replace(parts, decision=said)


def any_line(supply: Supply, parts: Parts) -> Parts | None:
    """Whatever the bytes say, if no line of it begins with a word that approves."""
    said = supply.text()
    return None if may_approve(said) else replace(parts, decision=said)


OF_THE_REFERENCE: tuple[Alteration, ...] = (
    another_reference,
    a_character_of_the_reference,
    the_case_of_the_reference,
    more_than_one_reference,
    a_longer_reference,
    any_reference,
)
OF_THE_SENDER: tuple[Alteration, ...] = (another_sender,)
OF_THE_DECISION: tuple[Alteration, ...] = (an_undecided_line, a_doubtful_line, any_line)
