"""What can go wrong, as one tree.

    FlexmailError
    ├── ConfigError            the start stops; the sentence names the setting
    ├── InvalidInput           what a person or program gave; `.errors` by field
    ├── NotFound               no such approval, reply, mail, account or token
    ├── Conflict               right in itself, but not in the present state
    ├── TooMany                right in itself, but too often; `.seconds` until it may be again
    ├── SecretUnreadable       a sealed value and no key that opens it
    ├── OwnershipLost          another process owns the jobs now: commit nothing
    ├── ReadingFailed          a mail that exhausts or ends the process that reads it
    ├── ReaderUnavailable      that process cannot be started: no mail's fault
    └── MailServerError        `.temporary`, `.step`, `.hint`, `.code`
        ├── Unreachable        resolve, connect, time-out, connection lost
        ├── TlsFailed          no TLS where it is due, or a certificate that fails
        ├── LoginRefused       wrong user or password, or no way to log in safely
        ├── Refused            the server answered no (SMTP 4xx/5xx, IMAP NO)
        ├── FolderMissing      the reply folder does not exist
        └── ProtocolViolation  more, or other, than the protocol allows

Expected refusals of a reply are no errors: they are values (`Outcome`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class FlexmailError(Exception):
    """Base of everything flexmail raises on purpose; `str()` is a sentence for people."""


class ConfigError(FlexmailError):
    """A value from the environment or a key file that flexmail cannot work with."""


class InvalidInput(FlexmailError):
    """Values that do not validate.

    `errors` maps a field's name to its sentences; the empty name holds what concerns the whole.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]] | str) -> None:
        by_field = {"": [errors]} if isinstance(errors, str) else errors
        self.errors = {field: list(sentences) for field, sentences in by_field.items()}
        super().__init__(
            " ".join(
                f"{field}: {sentence}" if field else sentence
                for field, sentences in self.errors.items()
                for sentence in sentences
            )
        )


class NotFound(FlexmailError):
    """What was asked for does not exist, or is not for this person to see."""


class Conflict(FlexmailError):
    """The present state does not allow it; the sentence says which state that is."""


class TooMany(FlexmailError):
    """What may happen so often in a time and no more; it may again in `seconds`."""

    def __init__(self, sentence: str, *, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class SecretUnreadable(FlexmailError):
    """A sealed value that none of the configured keys opens."""


class OwnershipLost(FlexmailError):
    """The lease went to another process; whatever was not committed must not be."""


class ReadingFailed(FlexmailError):
    """A mail that took too long, too much memory, or ended the process that read it."""


class ReaderUnavailable(FlexmailError):
    """The process that reads mails cannot be started; trying again later may help."""


class MailServerError(FlexmailError):
    """A mail server that could not be used.

    Args:
        cause: what happened, in words, without any secret.
        hint: what to change, as one sentence; empty when there is nothing to advise.
        code: SMTP reply code, if there was one.
        temporary: whether trying again later can help without anybody changing a setting.
    """

    temporary_by_default = True

    def __init__(
        self, cause: str, *, hint: str = "", code: int | None = None, temporary: bool | None = None
    ) -> None:
        super().__init__(cause)
        self.hint = hint
        self.code = code
        self.temporary = self.temporary_by_default if temporary is None else temporary
        self.step = ""


class Unreachable(MailServerError):
    """No connection, or a connection that died or fell silent."""


class TlsFailed(MailServerError):
    """TLS was due and did not come about, or the certificate did not verify."""


class LoginRefused(MailServerError):
    """The server refused the login, or a login would have travelled in clear."""


class Refused(MailServerError):
    """The server understood and said no; `temporary` follows the code."""


class FolderMissing(MailServerError):
    """The reply folder does not exist; flexmail never falls back to another."""

    temporary_by_default = False


class ProtocolViolation(MailServerError):
    """An answer over the caps, or none that the protocol knows."""
