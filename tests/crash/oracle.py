"""What must be true in the end, however often processes died, lines broke and servers went away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import func, select

from flexmail.db import db
from flexmail.mail.reference import digest
from flexmail.models import Approval, OutboxMail, Reply
from flexmail.services import audit_check
from flexmail.services.kept_mail import raw_of
from tests.crash.ground import BOB, VERDICTS, Ground, Round, digest_of
from tests.servers import PASSWORD

_ACCEPTED = re.compile(r" <= .* id=(\S+)")
_REFERENCE = re.compile(r"FM-[A-Z2-7]{26}")


def violations(ground: Ground, logs: Iterable[Path]) -> list[str]:
    """Return every promise that was broken, as sentences."""
    db.session.rollback()
    return [
        *_of_the_folder(ground),
        *_of_decisions(ground),
        *_of_outcomes(ground),
        *_of_answers(ground),
        *filter(None, [audit_check.verify().fault]),
        *_of_secrets(logs),
    ]


def unsettled(ground: Ground, made: Round) -> Iterator[str]:
    """Say what of a round is not as it must be once two runs went through."""
    found = ground.folder()
    if found:
        yield f"{sum(map(len, found.values()))} mails are left in the folder after two runs"
    for asked in made.asked:
        status = db.session.get_one(Approval, asked.approval_id).status
        if status != VERDICTS[asked.word]:
            yield f"request {asked.approval_id} is {status} and was answered {asked.word}"


def _of_the_folder(ground: Ground) -> Iterator[str]:
    if found := ground.folder():
        yield f"{sum(map(len, found.values()))} mails are left in the folder"


def _of_decisions(ground: Ground) -> Iterator[str]:
    written = {asked.approval_id: asked.word for made in ground.rounds for asked in made.asked}
    for approval in db.session.scalars(select(Approval)):
        decided = [(one.user.email, one.verdict, one.channel) for one in approval.decisions]
        wanted = [(BOB, written[approval.id].lower(), "email")]
        if decided != wanted or approval.status != VERDICTS[written[approval.id]]:
            yield f"request {approval.id} is {approval.status} by {decided}, not by {wanted}"


def _of_outcomes(ground: Ground) -> Iterator[str]:
    """Every mail has a row of its own with exactly the outcome that was due, and its raw copy."""
    wanted: dict[str, Counter[str]] = {}
    for made in ground.rounds:
        for asked in made.asked:
            answer, stolen, _ = asked.mails
            wanted[digest_of(answer)] = Counter([VERDICTS[asked.word], "duplicate"])
            wanted[digest_of(stolen)] = Counter(["wrong_sender"])
    found: dict[str, Counter[str]] = {}
    for row in db.session.scalars(select(Reply)):
        found.setdefault(row.sha256, Counter())[str(row.outcome)] += 1
        if row.outcome and digest_of(raw_of(row)) != row.sha256:
            yield f"the copy of mail {row.id} is another mail"
    for one in wanted.keys() | found.keys():
        if wanted.get(one) != found.get(one):
            yield f"a mail ended as {found.get(one)}, not as {wanted.get(one)}"


def _of_answers(ground: Ground) -> Iterator[str]:
    """Every answer was accepted at least once, and none that is not in the outbox."""
    accepted = Counter(digest(f"<{found}>") for found in _ACCEPTED.findall(ground.exim.log()))
    mails = list(db.session.scalars(select(OutboxMail)))
    for mail in mails:
        if mail.kind == "approval_request":
            continue  # nobody waits for these: the answers are there at once
        if mail.state != "sent" or not accepted[mail.message_id_digest]:
            yield f"mail {mail.id} is {mail.state}, {accepted[mail.message_id_digest]} arrived"
    if strangers := accepted.keys() - {mail.message_id_digest for mail in mails}:
        yield f"{len(strangers)} mails went out under a Message-ID that is not in the outbox"
    confirmed = sum(mail.kind == "reply_confirmation" for mail in mails)
    decided = sum(len(made.asked) for made in ground.rounds)
    if confirmed != decided:
        yield f"{confirmed} confirmations for {decided} decisions"


def _of_secrets(logs: Iterable[Path]) -> Iterator[str]:
    for log in logs:
        text = log.read_text("utf-8", "replace")
        if PASSWORD in text or _REFERENCE.search(text):
            yield f"a secret stands in {log.name}"


def counts(ground: Ground) -> dict[str, int]:
    """Return what happened, in numbers."""
    by_outcome = select(Reply.outcome, func.count()).group_by(Reply.outcome)
    found = {str(outcome): count for outcome, count in db.session.execute(by_outcome).all()}
    accepted = len(_ACCEPTED.findall(ground.exim.log()))
    return {
        "mails in": sum(found.values()),
        **{f"  {name.replace('_', ' ')}": found[name] for name in sorted(found)},
        "mails out": accepted,
        "  sent again under the same Message-ID": accepted
        - len(set(_ACCEPTED.findall(ground.exim.log()))),
    }
