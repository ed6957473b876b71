"""Hand mails to an SMTP server, one recipient a mail, several mails a connection.

Nothing here is retried and nothing stored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flexmail.errors import MailServerError, Refused
from flexmail.transport.opening import open_client
from flexmail.transport.smtp_dialogue import SmtpAccount, SmtpDialogue
from flexmail.transport.smtp_mail import envelope, open_mail, send_content
from flexmail.transport.tls import Deadline
from flexmail.transport.trace import Trace

__all__ = ["STEPS", "SmtpAccount", "SmtpSession", "open_session"]

STEPS = ("resolve", "connect", "tls", "login")

_CONTENT_STEPS = 6
"""The end of a mail may take so many times longer than another answer: servers scan it."""

_QUIT_SECONDS = 2.0


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
        dialogue = self._dialogue
        commands = envelope(dialogue, sender, recipient, message)
        try:
            open_mail(dialogue, commands, self._begin_answer)
            dialogue.wire.begin(self._step_seconds * _CONTENT_STEPS)
            return send_content(dialogue, message)
        except Refused:
            if self.usable:
                with contextlib.suppress(MailServerError):
                    self._begin_answer()
                    dialogue.command("RSET")
            raise

    def alive(self) -> bool:
        """Ask with NOOP whether the connection can still be used."""
        try:
            self._begin_answer()
            return self._dialogue.command("NOOP")[0] == 250
        except MailServerError:
            return False

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
