"""What becomes of one mail from the reply folder: exactly one outcome, and perhaps a decision.

`receive` judges inside the caller's write transaction: cheap and safe questions first, then whose
reference, who wrote, what it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flexmail.mail.address import normalise
from flexmail.mail.authenticate import authenticate
from flexmail.mail.reference import MAX_FOUND, mask
from flexmail.models import Reply
from flexmail.services import answers, approvals, bindings, bounces, kept_mail
from flexmail.services.answers import Outcome
from flexmail.services.bindings import Bindings, Entry, Reference
from flexmail.services.cases import Verdict
from flexmail.services.in_force import InForce
from flexmail.services.understood import Understood

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a mail, and what its row says of it, by column."""

    outcome: Outcome
    columns: Shown = field(repr=False)

    def fill_in(self, row: Reply) -> None:
        """Put it into the row."""
        for name, value in self.columns.items():
            setattr(row, name, value)


def receive(
    mail: Understood,
    row: Entry,
    *,
    settings: InForce,
    now: datetime,
    bound: Bindings | None = None,
) -> Received:
    """Judge a mail, decide if it decides, queue the answer, say what its row is filled in with.

    Runs inside the caller's write transaction, begun before anything was read; the caller fills in
    the row, commits and only then deletes the mail.

    Args:
        bound: what was looked up in that transaction for several mails at once.
    """
    bound = bound or bindings.look_up(mail.digests, [row])
    outcome = _judge(mail, row, bound, settings, now)
    bound.seen.add(row.sha256)
    case = outcome.reference.case if outcome.reference else None
    columns = {
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "processed_at": now,
        "sender": _one_line(" | ".join(mail.parsed.from_values)),
        "subject": _one_line(mail.parsed.subject),
        "message_id": _one_line(mail.parsed.message_id),
        "approval_id": case.id if case else outcome.approval_id,
        "raw_partial": mail.partial,
        "sealed_raw": kept_mail.sealed(mail.raw, mail.sealed),
    }
    to_message_id, sent_from = mail.parsed.message_id, settings.sent_from
    answers.queue(outcome, to_message_id=to_message_id, sent_from=sent_from, now=now)
    return Received(outcome, columns)


def _judge(
    mail: Understood, row: Entry, bound: Bindings, settings: InForce, now: datetime
) -> Outcome:
    parsed = mail.parsed
    if parsed.own_mark:
        return Outcome("own_mail", "flexmail sent this mail itself.")
    if parsed.bounce:
        noted = bounces.note(parsed.reports, now=now) or bounces.Noted(parsed.bounce, None)
        return Outcome("bounce", noted.reason, approval_id=noted.approval_id)
    if parsed.automatic:
        return Outcome("auto_reply", parsed.automatic)
    if parsed.problem:
        return Outcome("malformed", parsed.problem)
    if parsed.author is None:
        return Outcome("malformed", "From does not name exactly one sender with one address.")
    if parsed.text_missing or mail.text_behind:
        return Outcome("too_large", "The text does not lie within the first MiB of the mail.")
    if row.sha256 in bound.seen:
        return Outcome("duplicate", "The very same mail was processed before.")
    reference = _reference_of(mail, bound)
    if reference is None:
        if parsed.weak_sign:
            return Outcome("auto_reply", parsed.weak_sign)
        return Outcome("unknown_reference", "No valid reference, or references that disagree.")
    return _judge_bound(mail, row, reference, settings, now)


def _judge_bound(
    mail: Understood, row: Entry, reference: Reference, settings: InForce, now: datetime
) -> Outcome:
    """Judge a mail whose reference is ours: who wrote it, may they, what does it say."""
    case, person = reference.case, reference.person

    def refused(kind: str, reason: str) -> Outcome:
        return Outcome(kind, reason, reference)

    author, reading = mail.parsed.author, mail.reading
    theirs = author is not None and author.addr_spec == normalise(person.email)
    sign = mail.parsed.hint if theirs else mail.parsed.weak_sign
    if sign and not (theirs and reading.verdict):
        return refused("auto_reply", sign)
    if author is None or not theirs:
        return refused(
            "wrong_sender", f"The reference was given to {person.email}, not the sender."
        )
    shown: Shown = {"sender": author.addr_spec, "reply_trust": settings.reply_trust}
    if settings.reply_trust == "authenticated_sender":
        proof = authenticate(
            mail.parsed.authentication_results,
            authserv_id=settings.trusted_authserv_id,
            from_domain=author.addr_spec.rpartition("@")[2],
            ends_differ=mail.parsed.ends_differ,
        )
        if not proof.passed:
            return refused("unauthenticated", proof.reason)
        shown["authentication"] = proof.reason
    refusal = approvals.authorise(case, person, channel="email", verdict=reading.verdict, now=now)
    if refusal:
        return refused(refusal.outcome, refusal.reason)
    if reading.verdict is None:
        return refused("unclear", reading.reason)
    shown |= {"reply": row.id, "reference": reference.id, "sha256": row.sha256}
    return _decide(reference, reading.verdict, mask(reading.comment), shown, now)


def _decide(
    reference: Reference, verdict: Verdict, comment: str, proof: Shown, now: datetime
) -> Outcome:
    case, person = reference.case, reference.person
    refusal = approvals.decide(
        case, person, verdict=verdict, comment=comment, channel="email", now=now, proof=proof
    )
    if refusal:
        return Outcome(refusal.outcome, refusal.reason, reference)
    kind = approvals.STATUS_OF[verdict]
    return Outcome(kind, f"{person.email} {kind} the request.", reference, verdict, comment)


def _reference_of(mail: Understood, bound: Bindings) -> Reference | None:
    """Find the one reference that everything in the mail agrees on.

    A reference of ours in the text, or our Message-ID in In-Reply-To or References. A reference
    that is not ours, or two that lead to different rows, lead nowhere. Other people's Message-IDs
    are no contradiction: a conversation has many.
    """
    if max(len(mail.threads), len(mail.references)) >= MAX_FOUND:
        return None  # more than is read: whether all of them agree is not known
    found = bound.find(mail.digests)
    if len(found) != 1 or mail.written - {found[0].digest}:
        return None
    return found[0]


def _one_line(text: str) -> str:
    """Return foreign text as one printable line that shows no open reference."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return mask(" ".join(text.split()))[:400]
