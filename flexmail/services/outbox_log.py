"""What the outbox holds, for people: lists, one mail, and how one recipient fares. Reads only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from flexmail.crypto import key_ring
from flexmail.db import db
from flexmail.errors import InvalidInput, NotFound, SecretUnreadable
from flexmail.mail.address import normalise
from flexmail.mail.compose import texts_of
from flexmail.mail.reference import mask
from flexmail.models import MAIL_STATES, Event, EventSkip, OptOut, OutboxMail, User
from flexmail.services import sealed_mail
from flexmail.services.paging import Page, page_of

COUNTED = 100_000
"""So many mails in a state are counted, and no more."""
SKIPS_SHOWN = 20
_STOP = re.compile(r"(/unsubscribe/)[\w.-]+")
"""What whoever holds it can switch off the recipient's mail with."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail as people may see it, references masked."""

    headers: str
    text: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody wants to hear of: account, how often, and the types that are switched off."""

    user_id: int | None
    active: bool
    digest: str
    off: tuple[str, ...]


def listing(
    *,
    state: str | None = None,
    kind: str | None = None,
    recipient: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[OutboxMail]:
    """Return one page, the newest first, of what meets all that is asked for.

    Raises:
        InvalidInput: the recipient is no address, or the cursor none of ours.
    """
    wanted = select(OutboxMail)
    given = [(OutboxMail.state, state), (OutboxMail.kind, kind)]
    if recipient:
        wanted = wanted.where(OutboxMail.recipient == address(recipient))
    for column, value in given:
        if value:
            # SQLite takes two bounds for better than one, and would look through half of all mails
            # for those of one recipient: so it is shown no other way than that.
            wanted = wanted.where((column.concat("") if recipient else column) == value)
    return page_of(wanted, OutboxMail.id, cursor=cursor, limit=limit)


def counts() -> dict[str, int]:
    """Return how many mails are in each state; from `COUNTED` on it is that number."""
    found = {
        state: select(func.count()).select_from(
            select(OutboxMail.id).where(OutboxMail.state == state).limit(COUNTED).subquery()
        )
        for state in MAIL_STATES
    }
    wanted = select(*(each.scalar_subquery().label(state) for state, each in found.items()))
    return dict(db.session.execute(wanted).one()._mapping)


def went_in_clear() -> int:
    """Count approval mails that left over an unencrypted connection."""
    found = select(func.count(OutboxMail.id)).where(
        OutboxMail.kind == "approval_request", OutboxMail.encrypted.is_(False)
    )
    return db.session.scalar(found) or 0


def get(mail_id: int) -> OutboxMail:
    """Return a mail, its event with it.

    Raises:
        NotFound
    """
    mail = db.session.get(OutboxMail, mail_id)
    if mail is None:
        raise NotFound(f"There is no mail {mail_id} in the outbox.")
    return mail


def shown(mail: OutboxMail) -> Shown:
    """Return headers and text of a mail, references, Message-IDs and links to stop it masked.

    Raises:
        SecretUnreadable: no key opens it, or it is missing.
    """
    if not mail.sealed_content:
        raise SecretUnreadable("What this mail said is missing in the database.")
    raw = sealed_mail.opened(mail.sealed_content, key_ring())
    head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n")
    text = texts_of(raw).get("plain", "")
    return Shown(*(_STOP.sub(r"\1…(masked)", mask(shown)) for shown in (head, text)))


def event_of(mail: OutboxMail) -> Event | None:
    """Return what a mail tells of, with those who do not hear of it."""
    return db.session.get(Event, mail.event_id) if mail.event_id else None


def skips_of(recipient: str) -> Sequence[EventSkip]:
    """Return of which events somebody did not hear at once, and why; the newest few first."""
    wanted = select(EventSkip).where(EventSkip.recipient == recipient)
    wanted = wanted.options(joinedload(EventSkip.event)).order_by(EventSkip.id.desc())
    return db.session.scalars(wanted.limit(SKIPS_SHOWN)).all()


def wishes_of(recipient: str) -> Wishes:
    """Return what an address wants to hear of, with an account or without."""
    account = db.session.execute(
        select(User.id, User.active, User.digest).where(User.email == recipient)
    ).one_or_none()
    switched = db.session.scalars(
        select(OptOut.type).where(OptOut.address == recipient).order_by(OptOut.type)
    )
    off = tuple(switched)
    if account is None:
        return Wishes(None, True, "at_once", off)
    return Wishes(account.id, account.active, account.digest, off)


def address(text: str) -> str:
    """Return an address as recipients are stored.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return normalise(text.strip())
    except ValueError as error:
        raise InvalidInput({"recipient": [str(error)]}) from error
