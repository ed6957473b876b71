"""imaplib within bounds: over a `Wire`, with caps on lines and literals, failures in words.

imaplib reads whatever a server announces and keeps whatever it says; here a number over the cap is
refused before a byte of it is read. What it says is taken apart in `responses`.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from flexmail.errors import MailServerError, ProtocolViolation, Refused, Unreachable
from flexmail.transport.responses import PARSER_ERRORS
from flexmail.transport.wire import Wire
from flexmail.transport.words import in_words

MAX_LINE = 1 << 20
MAX_LITERAL = (2 << 20) + (64 << 10)
MAX_COMMAND = 16 << 20

_RESPONSE_CODE = re.compile(r"\[([A-Z-]+)[ \]]", re.IGNORECASE)


class BoundedImap(imaplib.IMAP4):
    """An IMAP connection.

    `messages` is the folder's size as last told, or -1; `arrived` counts the mails that came while
    it was open.
    """

    def __init__(self, wire: Wire, secrets: Iterable[str]) -> None:
        self.wire = wire
        self.messages = -1
        self.arrived = 0
        self._secrets = tuple(secrets)
        self._ended_by: MailServerError | None = None
        super().__init__(wire.endpoint.host, wire.endpoint.port)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        if size > MAX_LITERAL:
            self.wire.close()
            raise ProtocolViolation(f"The server announced {size} bytes at once: refused.")
        return self.wire.read(size)

    def readline(self) -> bytes:
        line = self.wire.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            self.wire.close()
            raise ProtocolViolation("The server sent a line without end: refused.")
        return line

    def send(self, data: Any) -> None:
        self.wire.sendall(data)

    def shutdown(self) -> None:
        self.wire.close()

    def say(self, answer: Any) -> str:
        """Return the text of an answer, as imaplib hands it over, in words."""
        last = answer[-1] if isinstance(answer, list) and answer else answer
        return in_words(last if isinstance(last, bytes | str) else "", self._secrets)

    @contextlib.contextmanager
    def command(
        self,
        seconds: float,
        *,
        idle_seconds: float | None = None,
        max_bytes: int = MAX_COMMAND,
    ) -> Iterator[None]:
        """Bound what one command may take, and turn every failure into a `MailServerError`.

        On a connection that is lost already, that is the failure that ended it.
        """
        if self._ended_by:
            raise self._ended_by
        self.wire.begin(seconds, max_bytes=max_bytes, idle_seconds=idle_seconds)
        self.untagged_responses.clear()
        try:
            with translated(self.wire, self._secrets):
                yield
        except MailServerError as error:
            self._ended_by = error if self.wire.broken else None
            raise

    def _get_capabilities(self) -> None:
        """Ask what the server can do, unless its greeting told (RFC 9051 7.1)."""
        told: Any = (self.untagged_responses.get("CAPABILITY") or [b""])[-1]
        names = told.decode("ascii", "replace").upper().split()
        if "IMAP4REV1" in names:
            self.capabilities = tuple(names)
        else:
            super()._get_capabilities()  # type: ignore[misc]  # typeshed leaves it out

    def _append_untagged(self, typ: str, dat: Any) -> None:
        """Count instead of keeping: a folder that others work on changes at any moment."""
        if typ == "EXISTS":
            self.arrived += max(0, int(dat) - self.messages) if self.messages >= 0 else 0
            self.messages = int(dat)
        elif typ == "EXPUNGE":
            self.messages = max(0, self.messages - 1)
        elif typ != "RECENT":
            self.untagged_responses.setdefault(typ, []).append(dat or b"")

    def _command_complete(self, name: str, tag: bytes) -> tuple[str, list[Any]]:
        """Wait for the end of a command; a BAD is told in the server's words."""
        typ, data = self._get_tagged_response(tag, expect_bye=name == "LOGOUT")
        if name != "LOGOUT":
            self._check_bye()
        if typ == "BAD":
            raise Refused(f"The server does not understand {name}: {self.say(data)}")
        return typ, data

    def _check_bye(self) -> None:
        if "BYE" in self.untagged_responses:
            self.wire.close()
            text = self.say(self.untagged_responses["BYE"])
            raise Unreachable(f"The server ended the connection: {text}")

    def _log(self, line: str) -> None:
        """Keep no history of the commands: the login is one of them."""


@contextlib.contextmanager
def translated(wire: Wire, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turn what imaplib and the parser raise into a `MailServerError`."""
    try:
        yield
    except imaplib.IMAP4.readonly as error:
        raise Refused(
            "The folder can only be read.",
            hint="Give the IMAP User the right to delete mail in it.",
            temporary=False,
        ) from error
    except PARSER_ERRORS as error:
        wire.close()
        raise ProtocolViolation(f"{wire.endpoint} does not answer as IMAP does.") from error
    except imaplib.IMAP4.error as error:
        answer = error.args[0] if error.args else ""
        text = in_words(answer if isinstance(answer, bytes | str) else "", secrets)
        raise Refused(f"The server refused: {text}") from error


def response_code(text: str) -> str:
    """Return the code in brackets at the start of an answer (RFC 5530), or an empty text."""
    match = _RESPONSE_CODE.match(text)
    return match[1].upper() if match else ""
