"""An SMTP server for the tests of sending that answers as it is told, and the outbox beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from flexmail.db import db, transaction
from flexmail.services import outbox
from tests.conftest import NOW
from tests.rogue import Answer, Peer, RogueServer, smtp_script
from tests.services.stage import queued, set_up


class Sink:
    """An SMTP server that answers as it is told and keeps what it was sent."""

    def __init__(
        self, answers: dict[str, Answer] | None = None, *, extensions: Iterable[bytes] | None = None
    ) -> None:
        self.answers: dict[str, Answer] = answers or {}
        self.heard: list[bytes] = []
        offered = extensions or (b"AUTH PLAIN LOGIN", b"PIPELINING")
        self._server = RogueServer(smtp_script(self.answers, extensions=offered, heard=self.heard))

    def __enter__(self) -> Sink:
        self._server.start()
        set_up(
            smtp_host_name=self._server.host,
            smtp_host_port=self._server.port,
            smtp_enable_starttls=False,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def commands(self, verb: bytes) -> int:
        return sum(line.upper().startswith(verb) for line in self.heard)

    def recipients(self) -> list[str]:
        """Return to whom a mail was sent, in order."""
        return [
            line.partition(b"<")[2].partition(b">")[0].decode()
            for line in self.heard
            if line.upper().startswith(b"RCPT")
        ]

    def mails(self) -> list[bytes]:
        """Return the contents that were sent, with CRLF line ends."""
        found: list[bytes] = []
        inside: list[bytes] | None = None
        for line in self.heard:
            if inside is None:
                inside = [] if line.upper() == b"DATA" else None
            elif line == b".":
                found += [b"".join(inside)] if inside else []  # empty: nobody was to get it
                inside = None
            else:
                inside.append(line.removeprefix(b".") + b"\r\n")
        return found


def to_recipients(answers: dict[bytes, bytes]) -> Callable[[Peer, bytes], None]:
    """Answer RCPT by what its line contains."""

    def answer(peer: Peer, line: bytes) -> None:
        said = [text for part, text in answers.items() if part in line]
        peer.send(said[0] if said else b"250 2.1.5 fine\r\n")

    return answer


def cut(peer: Peer, line: bytes) -> None:
    peer.close()


def queue(*recipients: str, now: datetime = NOW) -> None:
    with transaction():
        for recipient in recipients:
            outbox.queue("test", recipient, {}, now=now)


def states() -> list[tuple[str, str, int]]:
    db.session.rollback()
    return [(mail.recipient, mail.state, mail.attempts) for mail in queued()]


def change(**values: object) -> None:
    with transaction():
        for mail in queued():
            for name, value in values.items():
                setattr(mail, name, value)
