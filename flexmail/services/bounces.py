"""Whether mail of ours arrived: what reports say of it, and how the mails of a request fared.

The digest of a returned Message-ID finds the mail and is the only proof: 130 random bits that only
those know who carried it or got it. What a report says changes nothing but how the delivery shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from flexmail.db import db
from flexmail.mail.delivery_report import MAX_DIAGNOSTIC, MAX_REPORTS, Action, DeliveryReport
from flexmail.mail.reference import MAX_FOUND, digest, mask
from flexmail.models import Approval, OutboxMail

_WORST_FIRST: tuple[Action, ...] = ("failed", "delayed", "delivered", "relayed", "expanded")
_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_LEFT = frozenset({"sending", "sent"})


@dataclass(frozen=True, slots=True)
class Noted:
    """What a report was about, as a sentence, and the request whose mail it was."""

    reason: str
    approval_id: int | None


def note(reports: Iterable[DeliveryReport], *, now: datetime) -> Noted | None:
    """Note what became of a mail of ours; None where no mail, or more than one, is found.

    Joins the caller's write transaction. A failure makes a mail that left `failed`; a delay is no
    failure, and all else changes nothing. Noting a report again changes nothing either.
    """
    known = sorted(reports, key=lambda report: _WORST_FIRST.index(report.action))[:MAX_REPORTS]
    mail = _mail_of(known)
    if mail is None:
        return None
    worst = known[0]
    code = worst.status_code if _CODE.fullmatch(worst.status_code) else ""
    because = " ".join(filter(None, [code, mask(worst.diagnostic)[:MAX_DIAGNOSTIC]]))
    if worst.action == "failed":
        _fail(mail, code, because, now)
        what = "could not be delivered"
    elif worst.action == "delayed":
        if mail.state == "sent":
            mail.answer = f"Not delivered yet: {because}" if because else "Not delivered yet."
        what = "is not delivered yet"
    else:
        what = f"was {worst.action}"
    ending = f": {because}" if because and worst.action in ("failed", "delayed") else ""
    reason = f"Mail {mail.id} to {mail.recipient} {what}{ending}".rstrip(".") + "."
    return Noted(reason, mail.approval_id)


def deliveries(approval_id: int) -> Sequence[OutboxMail]:
    """Return the mails that ask for an approval, one an approver, the oldest first."""
    wanted = select(OutboxMail).where(
        OutboxMail.approval_id == approval_id, OutboxMail.kind == "approval_request"
    )
    return db.session.scalars(wanted.order_by(OutboxMail.id)).all()


def undelivered() -> int:
    """Count the mails that ask for an approval which is still open and that did not arrive."""
    found = (
        select(func.count(OutboxMail.id))
        .join(Approval, Approval.id == OutboxMail.approval_id)
        .where(
            OutboxMail.kind == "approval_request",
            OutboxMail.state == "failed",
            Approval.status == "pending",
        )
    )
    return db.session.scalar(found) or 0


def _mail_of(reports: list[DeliveryReport]) -> OutboxMail | None:
    """Find the one mail that the returned Message-IDs lead to."""
    message_ids = {message_id for report in reports for message_id in report.message_ids}
    if not message_ids or len(message_ids) >= MAX_FOUND:
        return None
    found = db.session.scalars(
        select(OutboxMail)
        .where(OutboxMail.message_id_digest.in_([digest(each) for each in message_ids]))
        .limit(2)
        .with_for_update()
    ).all()
    return found[0] if len(found) == 1 else None


def _fail(mail: OutboxMail, code: str, because: str, now: datetime) -> None:
    """Mark a mail that left as failed, once.

    A mail that waits was not under way by the last we know: the report is about an earlier try.
    """
    if mail.state in _LEFT:
        mail.state, mail.bounced_at = "failed", now
        mail.status_code, mail.answer = code, because or "The mail was returned."
