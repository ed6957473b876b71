"""The servers that a bench drives, on loopback: those of the tests, with mail in them.

`office` is a flexmail of its own, with a database as production has it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from flask import Flask
from imapclient import IMAPClient

from flexmail import create_app
from tests.servers import PASSWORD, Dovecot, Exim, program

__all__ = ["PASSWORD", "Dovecot", "Exim", "office", "program", "refill"]


@contextlib.contextmanager
def office(folder: Path | None = None) -> Iterator[Flask]:
    """Provide a flexmail with a fresh database (`synchronous=FULL`), inside its context."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        for name in [name for name in os.environ if name.startswith("FLEXMAIL_")]:
            del os.environ[name]  # this machine's own flexmail is none of our business
        os.environ["FLEXMAIL_INSTANCE_PATH"] = str(folder / "instance")
        app = create_app()
        stack.enter_context(app.app_context())
        yield app


def refill(client: IMAPClient, mails: Iterable[bytes], folder: str = "INBOX") -> None:
    """Empty the folder and put these mails into it, oldest first."""
    client.select_folder(folder)
    if client.search("ALL"):
        client.delete_messages("1:*")
        client.expunge()
    for raw in mails:
        client.append(folder, raw)
