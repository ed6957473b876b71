"""The settings with every fall-back applied: what flexmail works with, without any secret."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from flexmail.db import execute
from flexmail.mail.word_list import Words, parse_words
from flexmail.models import EmailSettings

_REVISION = select(EmailSettings.revision).where(EmailSettings.id == 1)


@dataclass(frozen=True, slots=True)
class InForce:
    """What flexmail works with, every fall-back applied; without any secret."""

    revision: int
    imap_user: str
    email_reply_folder: str
    approval_reply_address: str
    sent_from: str
    """Whom mail comes from, as it was typed; "" where e-mail is not set up."""
    imap_password: str
    """Where it comes from: `set`, `SMTP Password` or `not set`."""
    enable_email_approval: bool
    email_reply_process_interval: int
    email_reply_process_count: int
    words: Words
    reply_trust: str
    trusted_authserv_id: str
    process_as_they_arrive: bool
    keep_processed_days: int


def revision() -> int:
    """Return by how many saves the settings came about, as they are now."""
    return execute(_REVISION).scalar() or 0


def in_force(row: EmailSettings) -> InForce:
    """Apply the fall-backs: IMAP user and password, reply address, folder."""
    imap_password = "set" if row.sealed_imap_password else "not set"
    if row.imap_inherits_password and row.sealed_smtp_password:
        imap_password = "SMTP Password"
    return InForce(
        revision=row.revision,
        imap_user=row.imap_user or row.smtp_user,
        email_reply_folder=row.email_reply_folder or "INBOX",
        approval_reply_address=row.approval_reply_address or row.smtp_from_address,
        sent_from=row.smtp_from_address if row.smtp_host_name else "",
        imap_password=imap_password,
        enable_email_approval=row.enable_email_approval,
        email_reply_process_interval=row.email_reply_process_interval,
        email_reply_process_count=row.email_reply_process_count,
        words=Words(
            frozenset(parse_words(row.approve_words)), frozenset(parse_words(row.reject_words))
        ),
        reply_trust=row.reply_trust,
        trusted_authserv_id=row.trusted_authserv_id,
        process_as_they_arrive=row.process_as_they_arrive,
        keep_processed_days=row.keep_processed_days,
    )
