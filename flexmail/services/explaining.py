"""What a mail would do, rule by rule, without doing it.

The outcome is that of the reply job itself: `receive` runs in a write transaction that is rolled
back whatever happens, so that no second opinion can differ from it, and nothing stays. What is
given back shows no open reference.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from flexmail.db import db, savepoint, transaction
from flexmail.errors import Conflict, ReadingFailed
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reference import mask
from flexmail.mail.reply import Reading
from flexmail.mail.sizes import MAX_BYTES
from flexmail.models import Reply
from flexmail.services import answers, reply_log, rules, settings, storing, trust
from flexmail.services.answers import Outcome
from flexmail.services.apart import Apart
from flexmail.services.bindings import Entry
from flexmail.services.evidence import Facts, Found, Leads, leads_of, same_bytes
from flexmail.services.explanation import Answer, Bound, Explanation, Rule
from flexmail.services.in_force import InForce
from flexmail.services.kept_mail import raw_of
from flexmail.services.receiving import receive
from flexmail.services.reply_run import identity_of, text_is_behind
from flexmail.services.storing import Queued
from flexmail.services.tries import MAX_TRIES
from flexmail.services.understood import Understood, understand

__all__ = ["Explanation", "explain", "explain_kept"]

log = logging.getLogger(__name__)


class _Undone(Exception):
    """Ends the transaction of an explanation, which never commits."""


def explain(raw: bytes, *, now: datetime) -> Explanation:
    """Tell what a mail would do if it lay in the reply folder now.

    Args:
        raw: with LF or CRLF; of more than 1 MiB the first counts, as in the folder.

    Raises:
        ReaderUnavailable: no process can be started that reads it.
    """
    whole = raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")
    return _explain(whole[:MAX_BYTES], len(whole) > MAX_BYTES, aside=False, now=now)


def explain_kept(reply_id: int, *, now: datetime) -> Explanation:
    """Tell what a processed mail would do if it came now for the first time.

    Raises:
        NotFound
        Conflict: no copy is kept any more.
        SecretUnreadable: no key opens the copy.
    """
    reply = reply_log.get(reply_id)
    raw, partial = raw_of(reply), reply.raw_partial
    if not raw:
        raise Conflict(f"No copy of mail {reply_id} is kept any more: it cannot be explained.")
    behind = text_is_behind(reply)
    return _explain(raw, partial, text_behind=behind, aside=True, now=now)


def _explain(
    raw: bytes, partial: bool, *, text_behind: bool = False, aside: bool, now: datetime
) -> Explanation:
    stored = settings.load()
    in_force, trusted = settings.in_force(stored), trust.of(stored)
    mail, trouble = _read(raw, partial, in_force)
    mail = replace(mail, text_behind=text_behind)
    told: list[Explanation] = []
    try:
        with transaction():
            row = _row(raw, now)
            facts = Facts(
                mail=mail,
                leads=leads_of(mail),
                earlier=same_bytes(row, all_of_them=aside),
                aside=aside,
                settings=in_force,
                held="" if trusted.lets_decide else trusted.reason,
                now=now,
            )
            if aside:
                _put_aside(row)
            told.append(_tell_unread(facts, trouble) if trouble else _tell(facts, row))
            raise _Undone
    except _Undone:
        return told[0]


def _read(raw: bytes, partial: bool, in_force: InForce) -> tuple[Understood, str]:
    """Read a mail in a process of its own; return also what it did to that process, if anything."""
    try:
        with Apart() as desk:
            return understand(raw, partial=partial, settings=in_force, desk=desk), ""
    except ReadingFailed as error:
        reading = Reading(None, "", str(error), "")
        return Understood(raw, partial, Parsed(problem=str(error)), (), reading), str(error)
    finally:
        db.session.rollback()  # what was looked up is read again in the transaction


def _row(raw: bytes, now: datetime) -> Reply:
    """Add a row like that of a mail which was just seen."""
    place = {"account": "", "folder": "", "uidvalidity": 0, "uid": 0}
    row = Reply(**place, sha256=identity_of(raw), size_bytes=len(raw), tries=1, first_seen_at=now)
    db.session.add(row)
    db.session.flush()
    return row


def _put_aside(row: Reply) -> None:
    """Let the mails of the same bytes look unprocessed; what was read about them stays as it is."""
    same = update(Reply).where(Reply.sha256 == row.sha256, Reply.id != row.id).values(outcome=None)
    db.session.execute(same, execution_options={"synchronize_session": False})


def _tell(facts: Facts, row: Reply) -> Explanation:
    found = rules.found_by_all(facts)
    reference = _bound(facts.leads)
    outcome, answer = _receive(facts, row)
    if outcome.kind == "bounce":
        found["bounce"] = False, outcome.reason  # it says which mail did not arrive
    if answer:
        found["answer"] = True, f"{answer.to} gets the answer “{answer.subject}”."
    else:
        found["answer"] = None, f"Nothing is answered: {answers.silence(outcome, now=facts.now)}"
    reading = facts.mail.reading
    return Explanation(
        outcome=outcome.kind,
        reason=mask(outcome.reason),
        decision=reading.verdict,
        comment=mask(reading.comment),
        words_read=mask(reading.words_read),
        cut_off=mask(reading.cut_off),
        reference=reference,
        rules=_shown(found),
        answer=answer,
        own_text=mask(reading.own_text),
        rest=mask(reading.rest),
    )


def _tell_unread(facts: Facts, trouble: str) -> Explanation:
    reason = f"{trouble} After {MAX_TRIES} tries the mail is put aside with its copy kept."
    found = rules.found_unread(facts)
    found["answer"] = (
        None,
        f"Nothing is answered: {answers.silence(_failed(reason), now=facts.now)}",
    )
    return Explanation(outcome="failed", reason=mask(reason), rules=_shown(found))


def _receive(facts: Facts, row: Reply) -> tuple[Outcome, Answer | None]:
    """Let the reply job judge the mail; return its outcome and what it queued."""
    try:
        with savepoint():
            entry = Entry.of(row)
            outcome = receive(facts.mail, entry, settings=facts.settings, now=facts.now).outcome
            queued = storing.left_to_store()
            return outcome, _answer(queued[0]) if queued else None
    except (OperationalError, OSError):
        raise  # the database or this machine is in trouble, not this mail
    except Exception as error:
        log.exception("A mail could not be explained")
        return _failed(f"Processing this mail breaks off ({type(error).__name__})."), None


def _failed(reason: str) -> Outcome:
    return Outcome("failed", reason)


def _shown(found: dict[str, Found]) -> tuple[Rule, ...]:
    return tuple(Rule(name, ok, mask(finding)) for name, (ok, finding) in found.items())


def _answer(mail: Queued) -> Answer:
    text = parse(mail.raw).plain or ""
    return Answer(mail.kind, mail.recipient, mask(mail.subject), mask(text))


def _bound(leads: Leads) -> Bound:
    bound = leads.bound
    if bound is None:
        return Bound(leads.count, leads.places)
    return Bound(leads.count, leads.places, bound.approval_id, bound.user.email)
