"""flexmail instances as production has them, with requests that wait for their answers.

An instance folder is made once and copied, so that every round begins with the same rows.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from bench.servers import PASSWORD, Dovecot, Mailboxes
from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.models import OutboxMail
from flexmail.services import accounts, inbox
from tests.services import stage
from tests.story import post

BOB = "bob@corp.test"
SIZE_BYTES = 6 * 1024
_TRACE = "Received: from relay{0}.corp.test (relay{0}.corp.test [192.0.2.{0}])\r\n\tby mx.corp.test"
_FILLER = "; Mon, 02 Nov 2026 09:05:00 +0000"


class Office:
    """An instance folder that is filled once; `open` lends copies of it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-office-")
        self.instance = Path(self._folder.name, "instance")

    def __enter__(self) -> Office:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @contextlib.contextmanager
    def origin(self) -> Iterator[Flask]:
        """Open the instance that is copied, to fill it."""
        with _opened(self.instance) as app:
            yield app

    @contextlib.contextmanager
    def open(self) -> Iterator[Flask]:
        """Open a fresh copy, inside its application context."""
        with tempfile.TemporaryDirectory(prefix="bench-office-") as folder:
            instance = Path(folder, "instance")
            shutil.copytree(self.instance, instance)
            with _opened(instance) as app:
                yield app


@contextlib.contextmanager
def office() -> Iterator[Flask]:
    """Open a new instance for a while, inside its application context."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-office-") as folder,
        _opened(Path(folder)) as app,
    ):
        yield app


@contextlib.contextmanager
def _opened(instance: Path) -> Iterator[Flask]:
    for name in [name for name in os.environ if name.startswith("FLEXMAIL_")]:
        del os.environ[name]  # this machine's own flexmail is none of our business
    os.environ["FLEXMAIL_INSTANCE_PATH"] = str(instance)
    app = create_app()
    gc.collect()
    gc.freeze()  # as in each worker of gunicorn
    with app.app_context():
        try:
            yield app
        finally:
            gc.unfreeze()
            db.session.rollback()
            db.engine.dispose()


def requests(count: int) -> list[bytes]:
    """Ask Bob for so many approvals; return his answers, 6 KB each, as a mail program makes them.

    His requests count as sent: nothing waits in the outbox.
    """
    stage.set_up()
    accounts.add(BOB, role="approver", name="Bob", password=PASSWORD, now=_now())
    answers = []
    for number in range(count):
        asked = stage.ask(BOB, title=f"Deploy billing 4.{number}", now=_now())
        answers.append(padded(post.multipart(asked.raw, BOB, "Approve")))
    with transaction():
        db.session.query(OutboxMail).update({"state": "sent", "sent_at": _now()})
    return answers


def padded(raw: bytes, size: int = SIZE_BYTES) -> bytes:
    """Put trace headers above a mail, as the servers on its way do, until it has its size."""
    lines: list[str] = []
    while (room := size - len(raw) - sum(map(len, lines)) - 2 * len(lines)) > 200:
        line = _TRACE.format(len(lines) + 1)
        lines.append(f"{line} with ESMTPS id {'q' * 40}\r\n\tfor <approvals@corp.test>{_FILLER}")
        if room < len(lines[-1]):
            lines.pop()
            break
    return "".join(f"{line}\r\n" for line in lines).encode() + raw


def point_to(dovecot: Dovecot, user: str, **given: object) -> None:
    """Lead the reply job to a mailbox: STARTTLS and login, certificates verified."""
    stage.set_up(
        **{
            "imap_host_name": dovecot.host,
            "imap_host_port": dovecot.imap_port,
            "imap_user": user,
            "imap_password": PASSWORD,
            "tls_ca_certificates": dovecot.ca_pem,
            **given,
        }
    )


def warm_up(boxes: Mailboxes) -> None:
    """Let the first run be over, as it is in a service: it starts the process that reads mails."""
    user = boxes.copy()
    point_to(boxes.dovecot, user)
    report = inbox.process_replies(now=_now())
    assert not report.error, report.error
    assert report.by_outcome == {"approved": report.looked_at}
    boxes.remove(user)


def _now() -> datetime:
    return datetime.now(UTC)
