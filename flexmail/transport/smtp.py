"""Hand mails to an SMTP server, one recipient a mail, several mails a connection.

Nothing here is retried and nothing stored.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from flexmail.errors import MailServerError, Refused
from flexmail.transport.accounts import SmtpAccount
from flexmail.transport.opening import open_client
from flexmail.transport.smtp_dialogue import SmtpDialogue
from flexmail.transport.smtp_mail import as_data, end_mail, envelope, open_mail
from flexmail.transport.tls import Deadline
from flexmail.transport.trace import Trace

__all__ = ["STEPS", "Mail", "SmtpAccount", "SmtpSession", "open_session"]

STEPS = ("resolve", "connect", "tls", "login")

_CONTENT_STEPS = 6
"""The end of a mail may take so many times longer than another answer: servers scan it."""

_QUIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient, ready to be sent."""

    recipient: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A mail as it goes over the line: made ready while the server is at the one before."""

    envelope: list[bytes] | Refused
    data: bytes = field(repr=False)

    def commands(self) -> list[bytes]:
        if isinstance(self.envelope, Refused):
            raise self.envelope
        return self.envelope


class SmtpSession:
    """An open connection, logged in where a login was asked for."""

    def __init__(self, dialogue: SmtpDialogue, step_seconds: float) -> None:
        self._dialogue = dialogue
        self._step_seconds = step_seconds

    @property
    def encrypted(self) -> bool:
        return self._dialogue.wire.encrypted

    @property
    def usable(self) -> bool:
        """Whether, as far as is known here, the server listens to another mail."""
        return not self._dialogue.wire.broken

    @property
    def seconds_left(self) -> float:
        return self._dialogue.wire.run_seconds_left

    def send(self, sender: str, recipient: str, message: bytes) -> str:
        """Hand over one mail and return the server's answer in words.

        Raises:
            Refused: the server said no to this mail; while the session is `usable` it can take the
                next one.
            MailServerError: anything else; the session is over, and the mail may or may not
                have arrived.
        """
        [answer] = self.send_each(sender, [Mail(recipient, message)])
        if isinstance(answer, Refused):
            raise answer
        return answer

    def send_each(self, sender: str, mails: Iterable[Mail]) -> Generator[str | Refused, None, None]:
        """Hand over mail after mail; yield the server's answer to each, or its no.

        Where the server takes commands at once, those of the next mail go out along with a content
        (RFC 2920, section 3.1), and the one after that is fetched while the server is at work. So
        whoever stops halfway leaves the connection closed: the next mail was announced.

        Raises:
            MailServerError: the session is over; the mail whose answer was next may or may not
                have arrived, and those after it have not.
        """
        dialogue, source = self._dialogue, (self._prepared(sender, mail) for mail in mails)
        ready = deque(itertools.islice(source, 2))
        announced = False
        try:
            while ready:
                mail = ready.popleft()
                try:
                    commands = mail.commands()
                    was_announced, announced = announced, False
                    open_mail(dialogue, commands, self._begin_answer, announced=was_announced)
                    ahead = self._commands_ahead(ready)
                    announced = bool(ahead)
                    dialogue.wire.begin(self._step_seconds * _CONTENT_STEPS)
                    dialogue.write(mail.data + ahead)
                    ready.extend(itertools.islice(source, 1))
                    answer: str | Refused = end_mail(dialogue)
                except Refused as error:
                    answer = error
                yield answer
                if not self.usable:
                    return
        finally:
            if announced:
                dialogue.wire.close()

    def alive(self) -> bool:
        """Ask with NOOP whether the connection can still be used."""
        try:
            self._begin_answer()
            return self._dialogue.command("NOOP")[0] == 250
        except MailServerError:
            return False

    def _prepared(self, sender: str, mail: Mail) -> _Prepared:
        try:
            envelope_ = envelope(self._dialogue, sender, mail.recipient, mail.content)
        except Refused as error:
            return _Prepared(error, b"")
        return _Prepared(envelope_, as_data(mail.content))

    def _commands_ahead(self, ready: deque[_Prepared]) -> bytes:
        """Return what can be said of the next mail already, or nothing."""
        if not ready or not self._dialogue.offers("pipelining"):
            return b""
        try:
            return b"".join(ready[0].commands())
        except Refused:
            return b""  # told when it is its turn

    def _begin_answer(self) -> None:
        self._dialogue.wire.begin(self._step_seconds)


@contextlib.contextmanager
def open_session(
    account: SmtpAccount,
    *,
    trace: Trace | None = None,
    step_seconds: float = 10,
    run_seconds: float = 240,
) -> Iterator[SmtpSession]:
    """Connect, encrypt and log in; steps `resolve`, `connect`, `tls`, `login`.

    Args:
        step_seconds: wall clock for each step and each answer.
        run_seconds: wall clock for the whole session.
    """
    dialogue = open_client(
        account.endpoint,
        "SMTP",
        lambda wire: SmtpDialogue(wire, account),
        user=account.user,
        trace=trace or Trace(STEPS),
        step_seconds=step_seconds,
        run=Deadline(run_seconds),
    )
    try:
        yield SmtpSession(dialogue, step_seconds)
    finally:
        if not dialogue.wire.broken:
            with contextlib.suppress(MailServerError):
                dialogue.wire.begin(min(_QUIT_SECONDS, step_seconds))
                dialogue.command("QUIT")
        dialogue.wire.close()
