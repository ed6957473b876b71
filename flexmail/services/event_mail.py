"""The mails about an event: worded once, then made for each of its recipients.

What differs between them is the reason that a mail gives and the link that stops it. All of an
event are stored by two statements of the caller's transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from markupsafe import escape
from sqlalchemy import LargeBinary, Table, bindparam, insert, select

from flexmail.crypto import key_ring
from flexmail.db import db
from flexmail.mail.address import parse_mailbox
from flexmail.mail.compose import OutgoingContent, compose
from flexmail.mail.reference import digest, mask, new_message_id
from flexmail.models import OutboxContent, OutboxMail
from flexmail.services import outbox, sealed_mail, unsubscribing
from flexmail.services.audience import Recipient

KIND = "event"

# Random, so that neither an event nor a template can hold them.
_WHY, _LINK = f"why-{secrets.token_hex(16)}", f"link-{secrets.token_hex(16)}"
_MAILS = cast(Table, OutboxMail.__table__)
_NEW_CONTENT = insert(cast(Table, OutboxContent.__table__)).from_select(
    ["id", "sealed_content"],
    select(_MAILS.c.id, bindparam("sealed", type_=LargeBinary)).where(
        _MAILS.c.message_id_digest == bindparam("digest")
    ),
)


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
    sender, ring = parse_mailbox(outbox.from_address()), key_ring()
    domain = sender.addr_spec.rpartition("@")[2]
    link_or_none = _LINK if unsubscribing.link(recipients[0].address, type_name) else ""
    context = {"content": content, "why": _WHY, "unsubscribe": link_or_none}
    form = outbox.render(KIND, context)
    rows, contents = [], []
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
        rows.append({"recipient": one.address, "message_id_digest": digest(message_id)})
        contents.append(sealed_mail.seal(raw, ring))
    same = {
        "kind": KIND,
        "subject": mask(form.subject)[: outbox.MAX_SUBJECT],
        "retry_at": now,
        "created_at": now,
        "event_id": event_id,
    }
    _store([same | row for row in rows], contents)


def _store(rows: list[dict[str, Any]], contents: list[bytes]) -> None:
    connection = db.session.connection()
    connection.execute(insert(_MAILS), rows)
    found = [
        {"digest": row["message_id_digest"], "sealed": sealed}
        for row, sealed in zip(rows, contents, strict=True)
    ]
    connection.execute(_NEW_CONTENT, found)


def _filled(form: OutgoingContent, why: str, link: str) -> OutgoingContent:
    text = form.text.replace(_WHY, why).replace(_LINK, link)
    html = form.html.replace(_WHY, str(escape(why))).replace(_LINK, str(escape(link)))
    return replace(form, text=text, html=html)
