"""The commands of one IMAP connection up to the open folder, and what the answers mean.

No other folder is ever opened, and a missing one is an error: there is no fall-back. RFC 3501 and
9051, RFC 5530 (response codes).
"""

from __future__ import annotations

import base64
import contextlib

from flexmail.errors import (
    FolderMissing,
    LoginRefused,
    MailServerError,
    ProtocolViolation,
    Refused,
    TlsFailed,
    Unreachable,
)
from flexmail.transport.accounts import ImapAccount
from flexmail.transport.bounds import BoundedImap, response_code, translated
from flexmail.transport.folder import Folder, quoted, quoted_folder, readable_folder
from flexmail.transport.responses import MAX_NUMBER, records
from flexmail.transport.wire import Wire
from flexmail.transport.words import has_control, in_words

_TEMPORARY = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN"}
_LOGOUT_SECONDS = 2.0


class ImapDialogue:
    """What happens on the connection before a folder is open."""

    imap: BoundedImap

    def __init__(self, wire: Wire, account: ImapAccount, step_seconds: float) -> None:
        self.wire = wire
        self._account = account
        self._step_seconds = step_seconds
        token = f"\0{account.user}\0{account.password}".encode()
        self._encoded = base64.b64encode(token).decode()
        self._secrets = (self._encoded, account.password, quoted(account.password)[1:-1])
        self._capabilities: frozenset[str] = frozenset()

    def greet(self) -> None:
        kind = self._judged_greeting(self.wire.first_line())
        with translated(self.wire, self._secrets):
            self.imap = BoundedImap(self.wire, self._secrets)
        # Not as imaplib has it, which takes a code of that name for the greeting itself.
        self.imap.state = "AUTH" if kind == b"PREAUTH" else "NONAUTH"
        self._capabilities = frozenset(name.upper() for name in self.imap.capabilities)

    def offers_starttls(self) -> bool:
        return "STARTTLS" in self._capabilities

    def ask_starttls(self) -> None:
        with self._command():
            typ, data = self.imap._simple_command("STARTTLS")
        if typ != "OK":
            raise TlsFailed(
                f"The server offered STARTTLS and then refused it: {self.imap.say(data)}"
            )

    def ask_again(self) -> None:
        with self._command():
            self._capabilities = self._read_capabilities()

    def login(self) -> None:
        if self.imap.state == "AUTH":
            return
        user, password = self._account.user, self._account.password
        if has_control(user + password):
            raise LoginRefused(
                "IMAP User or IMAP Password holds a control character.", temporary=False
            )
        try:
            with self._command():
                self._send_login(user, password)
                self._capabilities = self._read_capabilities()
        except Refused as error:
            raise self._explain_login(str(error)) from error

    def open(self, name: str, *, readonly: bool) -> Folder:
        if not name or has_control(name):
            raise FolderMissing("The name of the folder is empty or holds a control character.")
        with self._command():
            self.imap.messages = -1
            typ, data = self.imap.select(quoted_folder(name), readonly)
        if typ != "OK":
            raise self._explain_folder(name, self.imap.say(data))
        with translated(self.wire):
            uidvalidity = int(self.imap.response("UIDVALIDITY")[1][0] or 0)
            uidnext = int(self.imap.response("UIDNEXT")[1][0] or 0)
        if not 0 < uidvalidity <= MAX_NUMBER or self.imap.messages < 0:
            raise ProtocolViolation("The server does not say which mails are which (UIDVALIDITY).")
        return Folder(
            self.imap,
            name,
            uidvalidity=uidvalidity,
            uidnext=uidnext if 0 < uidnext <= MAX_NUMBER else 0,
            readonly=readonly,
            uidplus="UIDPLUS" in self._capabilities,
            can_idle="IDLE" in self._capabilities,
            step_seconds=self._step_seconds,
        )

    def close(self) -> None:
        if not self.wire.broken:
            seconds = min(_LOGOUT_SECONDS, self._step_seconds)
            with contextlib.suppress(MailServerError), self.imap.command(seconds):
                self.imap.logout()
        self.wire.close()

    def _judged_greeting(self, line: bytes) -> bytes:
        kind, _, text = line.partition(b" ")[2].partition(b" ")
        kind = kind.upper()
        if kind == b"BYE":
            raise Unreachable(f"The server turns us away: {in_words(text)}")
        if not line.startswith(b"* ") or kind not in (b"OK", b"PREAUTH"):
            raise ProtocolViolation(
                f"{self._account.endpoint} does not answer as IMAP does: {in_words(line)}",
                hint="Check the port: another service may be listening there.",
            )
        wants_more = self._account.endpoint.starttls or self._account.user
        if kind == b"PREAUTH" and not self.wire.encrypted and wants_more:
            raise ProtocolViolation(
                f"{self._account.endpoint} says in clear that we are logged in already (PREAUTH).",
                hint="Tick IMAP SSL/TLS, or look for something that tampers with the connection.",
            )
        return kind

    def _send_login(self, user: str, password: str) -> None:
        if "AUTH=PLAIN" in self._capabilities:
            self._authenticate()
        elif "LOGINDISABLED" in self._capabilities:
            raise Refused("the server takes no password on this connection")
        elif not (user + password).isascii():
            raise Refused("the server takes only ASCII letters in user and password")
        else:
            self.imap.login(quoted(user), password)

    def _authenticate(self) -> None:
        along = [self._encoded] if "SASL-IR" in self._capabilities else []  # RFC 4959
        self.imap.literal = self._when_asked  # type: ignore[assignment]  # typeshed knows no call
        typ, data = self.imap._simple_command("AUTHENTICATE", "PLAIN", *along)
        if typ != "OK":
            raise Refused(f"The server refused: {self.imap.say(data)}")
        self.imap.state = "AUTH"

    def _when_asked(self, _challenge: bytes) -> bytes:
        """Answer a server that asks; some do though they were told."""
        return self._encoded.encode()

    def _read_capabilities(self) -> frozenset[str]:
        data = self.imap.response("CAPABILITY")[1]
        if data == [None]:
            data = self.imap.capability()[1]
        return frozenset((data[-1] or b"").decode("ascii", "replace").upper().split())

    def _explain_login(self, cause: str) -> MailServerError:
        text = cause.removeprefix("The server refused: ")
        if response_code(text) in _TEMPORARY:
            return Unreachable(f"The server cannot log anybody in now: {text}")
        hint = "Check IMAP User and IMAP Password."
        if "LOGINDISABLED" in self._capabilities or response_code(text) == "PRIVACYREQUIRED":
            hint = "Tick IMAP Enable STARTTLS or IMAP SSL/TLS."
        return LoginRefused(f"The server refused the login: {text}", hint=hint, temporary=False)

    def _explain_folder(self, name: str, text: str) -> MailServerError:
        if response_code(text) in _TEMPORARY:
            return Unreachable(f"The server cannot open the folder {name} now: {text}")
        names: list[str] = []
        with contextlib.suppress(MailServerError):
            names = self._folder_names()
        if name in names or (name.upper() == "INBOX" and names):
            return Refused(f"The server does not open the folder {name}: {text}")
        hint = f"Folders that exist: {', '.join(names[:10])}." if names else ""
        return FolderMissing(f"There is no folder {name}: {text}", hint=hint)

    def _folder_names(self) -> list[str]:
        closed = {b"\\NOSELECT", b"\\NONEXISTENT"}
        with self._command():
            data = self.imap.list('""', "*")[1]
            return [
                readable_folder(name)
                for flags, _, name in (row for row in records(data) if len(row) == 3)
                if not closed & {flag.upper() for flag in flags if isinstance(flag, bytes)}
            ]

    def _command(self) -> contextlib.AbstractContextManager[None]:
        return self.imap.command(self._step_seconds)
