"""The servers that a bench drives, on loopback: those of the tests, and mailboxes made once.

Whoever empties a mailbox gets a copy of its own, index files and all, so that every candidate of
every round finds the very same folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.servers import PASSWORD, Dovecot, Exim, program

__all__ = ["PASSWORD", "Dovecot", "Exim", "Mailboxes", "exists", "program"]


class Mailboxes:
    """Mailboxes of a Dovecot that are copies of one that was filled once."""

    def __init__(self, dovecot: Dovecot, mails: Iterable[bytes], name: str = "template") -> None:
        self.dovecot = dovecot
        self._name = name
        self._copies = 0
        with dovecot.client(name) as client:
            client.select_folder("INBOX")  # it is made at the first look
            for raw in mails:
                client.append("INBOX", raw)

    def copy(self) -> str:
        """Return the user of a fresh copy."""
        self._copies += 1
        user = f"{self._name}-{self._copies}"
        origin, home = self._home(self._name), self._home(user)
        shutil.copytree(origin, home)
        owner = origin.stat()
        for path in (home, *home.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        return user

    def remove(self, user: str) -> None:
        """Remove a copy, so that a long bench does not fill the disk."""
        shutil.rmtree(self._home(user))

    def _home(self, user: str) -> Path:
        return self.dovecot.directory / "mail" / user


def exists(dovecot: Dovecot, user: str) -> int:
    """Return how many mails are in the inbox of a user."""
    with dovecot.client(user) as client:
        return int(client.select_folder("INBOX", readonly=True)[b"EXISTS"])
