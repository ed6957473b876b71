"""Mail that goes out: rendered once, stored sealed, tried again or given up by hand.

`queue` joins the caller's transaction: the mail exists exactly if what it tells of happened.
`delivery` sends what is due, at least once, with the same bytes and Message-ID on every try.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from flexmail.config import time_zone
from flexmail.db import db, transaction
from flexmail.errors import Conflict, NotFound
from flexmail.mail.address import Mailbox, parse_mailbox
from flexmail.mail.compose import OutgoingContent, compose, header_lines
from flexmail.mail.reference import mask, new_message_id
from flexmail.models import OutboxMail
from flexmail.services import audit, settings, storing
from flexmail.services.storing import Queued

MAX_SUBJECT = 400
AFTER_CANCEL = defaultdict(
    lambda: "It is not tried again.",
    approval_request="The request stays open: its approver can decide on its page.",
)
"""What to know once a mail of a kind is cancelled."""
_TOO_LATE = {
    "sending": "is being sent at this moment: look again in some minutes.",
    "sent": "was sent already: nobody can take it back.",
    "cancelled": "was cancelled already.",
}


@dataclass(frozen=True, slots=True)
class Threading:
    """Where a mail stands in a conversation (RFC 5322, section 3.6.4)."""

    message_id: str = field(default="", repr=False)
    reply_to: str | None = None
    in_reply_to: str | None = None


def queue(
    kind: str,
    to: str,
    context: Mapping[str, Any],
    *,
    now: datetime,
    threading: Threading | None = None,
    sent_from: str = "",
    approval_id: int | None = None,
    unsubscribe: str = "",
    above: Iterable[tuple[str, str]] = (),
) -> None:
    """Render `templates/email/<kind>/` and add the mail to the caller's transaction.

    All mails of a transaction are stored together, at its end.

    Args:
        to: one addr-spec.
        context: what the templates see; `site` (base URL, "" when unknown) and `zone` are added.
        sent_from: `InForce.sent_from`, where the caller has it; it takes asking otherwise.
        unsubscribe: where such mail is stopped by a POST, if anywhere.
        above: headers to stand above those of the mail, as servers on its way put them there.

    Raises:
        Conflict: there is no SMTP From Address yet.
        ValueError: a header would hold a line break or another control character.
    """
    threading = threading or Threading()
    sent_from = sent_from or from_address()
    message_id = threading.message_id or own_message_id(sent_from)
    content = render(kind, context)
    raw = compose(
        sender=sender_of(sent_from),
        recipient=to,
        content=content,
        message_id=message_id,
        date=now,
        reply_to=threading.reply_to,
        in_reply_to=threading.in_reply_to,
        kind=kind,
        unsubscribe=unsubscribe,
    )
    subject = mask(content.subject)[:MAX_SUBJECT]
    raw = header_lines(above) + raw
    storing.leave(Queued(kind, to, subject, raw, message_id, now, approval_id=approval_id))


def own_message_id(from_address: str) -> str:
    """Return a fresh Message-ID in the domain that our mail comes from."""
    return new_message_id(sender_of(from_address).addr_spec.rpartition("@")[2])


@lru_cache(maxsize=8)
def sender_of(from_address: str) -> Mailbox:
    """Return an address that mail comes from, as it was typed, as a mailbox."""
    return parse_mailbox(from_address)


def queued_since(kind: str, to: str, since: datetime) -> int:
    """Count the mails of a kind to one address since a moment, those of this transaction too."""
    storing.store()
    found = select(func.count(OutboxMail.id)).where(
        OutboxMail.kind == kind, OutboxMail.recipient == to, OutboxMail.created_at >= since
    )
    return db.session.scalar(found) or 0


def retry(mail_id: int, *, now: datetime) -> OutboxMail:
    """Queue a failed mail once more, or a waiting one for now; commits.

    Raises:
        NotFound
        Conflict: it was sent already, or is being sent.
    """
    with transaction():
        mail = _locked(mail_id)
        if mail.state not in ("queued", "failed"):
            raise Conflict(f"Mail {mail_id} is {mail.state}: there is nothing to try again.")
        if mail.state == "failed":
            mail.attempts, mail.created_at = 0, now
            mail.bounced_at, mail.status_code, mail.sent_at = None, "", None
        mail.state, mail.retry_at = "queued", now
        audit.record("mail_retried", f"mail {mail_id}", proof={"recipient": mail.recipient})
    return mail


def cancel(mail_id: int) -> OutboxMail:
    """Have a mail that waits or failed never tried again; commits.

    A request that it asks about stays open: its approver can decide on the page, and by any mail
    about it that went out before.

    Raises:
        NotFound
        Conflict: it was sent already, is being sent, or was cancelled before.
    """
    with transaction():
        mail = _locked(mail_id)
        if mail.state not in ("queued", "failed"):
            raise Conflict(f"Mail {mail_id} {_TOO_LATE[mail.state]}")
        said = f" Before that: {mail.answer}" if mail.answer else ""
        mail.state = "cancelled"
        mail.answer = f"Cancelled by {audit.actor().name}.{said}"
        proof = {"recipient": mail.recipient, "kind": mail.kind}
        audit.record("mail_cancelled", f"mail {mail_id}", proof=proof)
    return mail


def _locked(mail_id: int) -> OutboxMail:
    """Return a mail to change it: whoever sends it just now goes first, or waits."""
    mail = db.session.get(OutboxMail, mail_id, with_for_update=True)
    if mail is None:
        raise NotFound(f"There is no mail {mail_id} in the outbox.")
    return mail


def from_address() -> str:
    """Return whom mail comes from, as it was typed.

    Raises:
        Conflict: e-mail is not set up yet.
    """
    row = settings.load()
    if not row.smtp_from_address or not row.smtp_host_name:
        raise Conflict("E-mail is not set up yet: fill in the email settings first.")
    return row.smtp_from_address


def render(kind: str, context: Mapping[str, Any]) -> OutgoingContent:
    """Return subject, text and HTML of `templates/email/<kind>/`."""
    known = {
        "site": current_app.config["BASE_URL"],
        "zone": time_zone(current_app.config["TIMEZONE"]),
        **context,
    }
    subject, text, html = (
        _rendered(f"email/{kind}/{name}", known)
        for name in ("subject.txt", "body.txt", "body.html")
    )
    return OutgoingContent(subject=subject.strip(), text=text.strip() + "\n", html=html)


def _rendered(name: str, known: dict[str, Any]) -> str:
    """Render a template of a mail, which sees what it is given and nothing of a page."""
    template = current_app.jinja_env.get_template(name)
    return "".join(template.root_render_func(template.new_context(known, shared=True)))
