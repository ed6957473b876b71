"""The limit: what a program costs that only moves bytes, with imaplib and nothing parsed."""

from __future__ import annotations

import imaplib
import ssl

from bench.servers import PASSWORD, Dovecot

BATCH = 30


def connect(dovecot: Dovecot, user: str) -> imaplib.IMAP4:
    """Return a connection with STARTTLS and login, certificates verified, the inbox open."""
    context = ssl.create_default_context(cadata=dovecot.ca_pem)
    imap = imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60)
    imap.starttls(context)
    imap.login(user, PASSWORD)
    imap.select("INBOX")
    return imap


def fetched(imap: imaplib.IMAP4, count: int) -> list[bytes]:
    """Return the first mails of the folder."""
    _, data = imap.fetch(f"1:{count}", "(UID BODY.PEEK[])")
    return [piece[1] for piece in data if isinstance(piece, tuple)]


def delete(imap: imaplib.IMAP4, count: int) -> None:
    """Mark and expunge the first mails of the folder."""
    imap.store(f"1:{count}", "+FLAGS.SILENT", r"(\Deleted)")
    imap.expunge()


def take(imap: imaplib.IMAP4, count: int) -> int:
    """Take the first mails out of the folder; return how many there were."""
    mails = fetched(imap, count)
    delete(imap, count)
    return len(mails)


def drain(dovecot: Dovecot, user: str, count: int) -> None:
    """Empty the inbox over one connection, in batches of 30."""
    imap = connect(dovecot, user)
    for start in range(0, count, BATCH):
        assert take(imap, min(BATCH, count - start))
    imap.logout()


def drain_anew(dovecot: Dovecot, user: str, count: int) -> None:
    """Empty the inbox with a new connection for each batch of 30."""
    for start in range(0, count, BATCH):
        imap = connect(dovecot, user)
        assert take(imap, min(BATCH, count - start))
        imap.logout()
