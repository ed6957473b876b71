"""What flexmail answers to a reply: a confirmation, an explanation, or nothing.

Only the approver that the reference was made for is ever written to, never the sender: the two
differ when somebody else got hold of the mail. Automata and bounces are never answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flexmail.mail.reference import find_message_ids
from flexmail.services import outbox
from flexmail.services.bindings import Reference
from flexmail.services.cases import Person, Verdict

EXPLANATIONS_A_DAY = 5
_ANSWERED = frozenset(
    {
        "unclear",
        "wrong_sender",
        "unauthenticated",
        "already_decided",
        "expired",
        "cancelled",
        "mail_not_allowed",
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one outcome of a mail, with its reason and whom it concerns."""

    kind: str
    reason: str
    reference: Reference | None = None
    verdict: Verdict | None = None
    comment: str = ""
    approval_id: int | None = None
    """The request that a bounce is about; an answer is bound by its reference instead."""


def queue(outcome: Outcome, *, to_message_id: str, sent_from: str, now: datetime) -> None:
    """Queue one mail to the bound approver, or none; joins the caller's transaction.

    Args:
        sent_from: `InForce.sent_from`.
    """
    if outcome.reference is None or silence(outcome, now=now):
        return
    case, person = outcome.reference.case, outcome.reference.person
    context: dict[str, Any] = {"approval": case, "approver": person}
    if outcome.verdict:
        kind = "reply_confirmation"
        context |= {"verdict": outcome.verdict, "comment": outcome.comment}
    else:
        kind = "reply_explanation"
        context |= {
            "reason": outcome.reason,
            "still_open": case.status == "pending" and case.expires_at > now,
            "may_approve": case.mail_decision == "allow",
        }
    theirs = outcome.kind != "wrong_sender"
    in_reply_to = find_message_ids([to_message_id])[:1] if theirs else ()
    outbox.queue(
        kind,
        person.email,
        context,
        now=now,
        sent_from=sent_from,
        threading=outbox.Threading(in_reply_to=in_reply_to[0] if in_reply_to else None),
        approval_id=case.id,
    )


def silence(outcome: Outcome, *, now: datetime) -> str:
    """Say why nothing is answered, or nothing where an answer goes out."""
    if outcome.reference is None or not (outcome.verdict or outcome.kind in _ANSWERED):
        return f"a mail that ends as {outcome.kind} never is."
    person = outcome.reference.person
    if outcome.verdict:
        return ""
    if not person.active:
        return f"the account {person.email} is disabled."
    if not _may_explain(person, now):
        return f"{person.email} got {EXPLANATIONS_A_DAY} explanations within a day already."
    return ""


def _may_explain(person: Person, now: datetime) -> bool:
    since = now - timedelta(days=1)
    return outbox.queued_since("reply_explanation", person.email, since) < EXPLANATIONS_A_DAY
