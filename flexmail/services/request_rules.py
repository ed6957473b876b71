"""The rules about the request that a mail leads to, in words: whose it is, and if it is open.

Each says what it found, also below the rule that decides the outcome; nothing is decided here.
"""

from __future__ import annotations

from datetime import datetime

from flexmail.mail.authenticate import authenticate
from flexmail.models import Approval, ApprovalReference
from flexmail.services.cases import Case, Person
from flexmail.services.evidence import NOT_REACHED, Facts, Found

_MAX_NAMED = 5


def reference(facts: Facts) -> Found:
    """Say where references stand and where they lead."""
    leads = facts.leads
    if leads.too_many:
        return False, "There are more references than are looked at: whether they agree is unknown."
    if not leads.count:
        return False, "There is none: not in the text, and no Message-ID of ours in the headers."
    where = f"Found in {_listed(leads.places)}"
    if facts.bound:
        return True, f"{where}: it leads to {_named(facts.bound)}."
    if not leads.rows:
        return False, f"{where}, but flexmail made no such reference."
    named = [_named(row) for row in leads.rows[:_MAX_NAMED]]
    if leads.strange:
        named.append("one that flexmail did not make")
    return False, f"{where}, but they disagree: {_listed(named)}."


def sender(facts: Facts) -> Found:
    """Say whether the author is who the reference was made for."""
    if facts.bound is None:
        return None, NOT_REACHED
    author, to = facts.parsed.author, facts.bound.user.email
    if author is None:
        return None, f"The reference was given to {to}; who wrote the mail is not known."
    if not facts.is_theirs:
        return False, f"The reference was given to {to}, not to {author.addr_spec}."
    return True, f"The reference was given to {to}, who wrote the mail."


def authentication(facts: Facts) -> Found:
    """Say whether a mail server vouches for the author, if the settings ask that."""
    author, settings = facts.parsed.author, facts.settings
    if settings.reply_trust != "authenticated_sender":
        return True, "The settings do not ask that a mail server vouches for the sender."
    if author is None:
        return None, "Not reached: who wrote the mail is not known."
    proof = authenticate(
        facts.parsed.authentication_results,
        authserv_id=settings.trusted_authserv_id,
        from_domain=author.addr_spec.rpartition("@")[2],
        ends_differ=facts.parsed.ends_differ,
    )
    return proof.passed, proof.reason


def account(facts: Facts) -> Found:
    """Say whether the account may decide the request."""
    if facts.bound is None:
        return None, NOT_REACHED
    user = facts.bound.user
    if not user.active:
        return False, f"The account {user.email} is disabled."
    if not Case.of(facts.bound.approval).is_for(Person.of(user)):
        return False, f"The request is not addressed to {user.email} any more."
    return True, f"{user.email} is active and an approver of the request."


def still_open(facts: Facts) -> Found:
    """Say whether the request can still be decided."""
    if facts.bound is None:
        return None, NOT_REACHED
    approval, user = facts.bound.approval, facts.bound.user
    closed = _closed(approval, facts.now)
    if closed:
        return False, closed
    if any(decision.user_id == user.id for decision in approval.decisions):
        return False, f"{user.email} has decided already."
    return True, f"The request is pending until {_moment(approval.expires_at)}."


def mail_decision(facts: Facts) -> Found:
    """Say whether mail may decide the request like this."""
    if facts.bound is None:
        return None, NOT_REACHED
    if facts.bound.approval.mail_decision == "allow":
        return True, "The request may be decided by mail."
    sentence = "The request can be rejected by mail, but approved only on its page."
    return facts.mail.reading.verdict != "approve", sentence


def comment(facts: Facts) -> Found:
    """Say whether there is a comment where one is needed."""
    reading = facts.mail.reading
    if reading.comment:
        return True, "There is a comment."
    if reading.verdict == "reject":
        if facts.bound is None:
            return None, NOT_REACHED
        if facts.bound.approval.comment_required:
            return False, "A comment is required to reject this request."
    return True, "There is no comment, and none is needed."


def _closed(approval: Approval, now: datetime) -> str:
    if approval.status in ("approved", "rejected", "cancelled"):
        return f"The request was {approval.status} already."
    if approval.status == "expired" or approval.expires_at <= now:
        return f"The request expired on {_moment(approval.expires_at)}."
    return ""


def _named(row: ApprovalReference) -> str:
    return f"request {row.approval_id} (“{row.approval.title}”), made for {row.user.email}"


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _moment(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
