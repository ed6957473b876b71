"""A pair of real mail servers, and settings that make flexmail use them."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers import PASSWORD, Dovecot, Exim
from tests.story.waiting import wait_for


@dataclass(frozen=True)
class PostOffice:
    """Exim takes mail in and hands it by LMTP to Dovecot, where it is read."""

    exim: Exim
    dovecot: Dovecot

    def settings(self, user: str) -> dict[str, str | int | bool]:
        """Return settings with STARTTLS and login on both sides; approval is on."""
        return {
            "smtp_host_name": self.exim.host,
            "smtp_host_port": self.exim.smtp_port,
            "smtp_user": user,
            "smtp_password": PASSWORD,
            "smtp_from_address": f"Deployments <{user}>",
            "enable_email_approval": True,
            "imap_host_name": self.dovecot.host,
            "imap_host_port": self.dovecot.imap_port,
            "tls_ca_certificates": self.dovecot.ca_pem,
        }

    def send(self, sender: str, recipient: str, raw: bytes) -> None:
        """Send a mail through Exim, as the sender's mail program does."""
        context = ssl.create_default_context(cadata=self.exim.ca_pem)
        with smtplib.SMTP(self.exim.host, self.exim.smtp_port, timeout=10) as client:
            client.starttls(context=context)
            client.login(sender, PASSWORD)
            client.sendmail(sender, [recipient], raw)

    def mails(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """Return what is in a folder, the oldest first; nothing in it changes."""
        with self.dovecot.client(user) as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search("ALL"), ["BODY.PEEK[]"])
            return [found[uid][b"BODY[]"] for uid in sorted(found)]

    def await_mails(self, user: str, count: int, *, seconds: float = 15) -> list[bytes]:
        """Return the mails of a user once there are so many."""
        return wait_for(
            lambda: found if len(found := self.mails(user)) >= count else [],
            seconds=seconds,
            what=f"{count} mails for {user}",
        )


class Interruptible(Dovecot):
    """A Dovecot that can be down for a while and keeps its mail."""

    @contextmanager
    def down(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.start()
