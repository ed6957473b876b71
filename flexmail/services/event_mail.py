"""The mails about an event: worded once, then made for each of its recipients.

What differs between them is the reason that a mail gives and the link that stops it. All of an
event are stored together, at the end of the caller's transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from markupsafe import escape

from flexmail.mail.compose import OutgoingContent, compose
from flexmail.mail.reference import mask, new_message_id
from flexmail.services import outbox, storing, unsubscribing
from flexmail.services.audience import Recipient
from flexmail.services.storing import Queued

KIND = "event"

# Random, so that neither an event nor a template can hold them.
_WHY, _LINK = f"why-{secrets.token_hex(16)}", f"link-{secrets.token_hex(16)}"


def queue(
    event_id: int,
    type_name: str,
    recipients: Sequence[Recipient],
    content: OutgoingContent,
    *,
    now: datetime,
) -> None:
    """Queue a mail about an event to each; joins the caller's transaction.

    Raises:
        Conflict: there is no SMTP From Address yet.
    """
    if not recipients:
        return
    sender = outbox.sender_of(outbox.from_address())
    domain = sender.addr_spec.rpartition("@")[2]
    link_or_none = _LINK if unsubscribing.link(recipients[0].address, type_name) else ""
    context = {"content": content, "why": _WHY, "unsubscribe": link_or_none}
    form = outbox.render(KIND, context)
    subject = mask(form.subject)[: outbox.MAX_SUBJECT]
    for one in recipients:
        message_id, link = new_message_id(domain), unsubscribing.link(one.address, type_name)
        raw = compose(
            sender=sender,
            recipient=one.address,
            content=_filled(form, one.why, link),
            message_id=message_id,
            date=now,
            reply_to=None,
            in_reply_to=None,
            kind=KIND,
            unsubscribe=link,
        )
        storing.leave(Queued(KIND, one.address, subject, raw, message_id, now, event_id=event_id))


def _filled(form: OutgoingContent, why: str, link: str) -> OutgoingContent:
    text = form.text.replace(_WHY, why).replace(_LINK, link)
    html = form.html.replace(_WHY, str(escape(why))).replace(_LINK, str(escape(link)))
    return replace(form, text=text, html=html)
