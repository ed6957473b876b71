"""The commands of one SMTP connection and what their replies mean.

smtplib writes and reads; whether trying again helps is decided on the code: 4xx yes, 5xx no.
RFC 5321, RFC 3207 (STARTTLS), RFC 4954 (AUTH).
"""

from __future__ import annotations

import base64
import contextlib
import smtplib
from collections.abc import Iterator

from flexmail.errors import LoginRefused, ProtocolViolation, TlsFailed, Unreachable
from flexmail.transport.accounts import SmtpAccount
from flexmail.transport.wire import Wire
from flexmail.transport.words import has_control, in_words

_MAX_LINE = 4096


class SmtpDialogue:
    """smtplib over a `Wire`, with every reply judged by its code."""

    def __init__(self, wire: Wire, account: SmtpAccount) -> None:
        self.wire = wire
        self._account = account
        token = f"\0{account.user}\0{account.password}"
        self._plain = base64.b64encode(token.encode()).decode()
        encoded = base64.b64encode(account.password.encode()).decode()
        self._secrets = (self._plain, encoded, account.password)
        self._smtp = smtplib.SMTP(local_hostname=wire.local_name)
        self._smtp.sock = wire  # type: ignore[assignment]

    def greet(self) -> None:
        code, text = self._reply()
        if code != 220:
            raise Unreachable(f"The server does not take mail now: {code} {text}", code=code)
        self.ask_again()

    def offers_starttls(self) -> bool:
        return self.offers("starttls")

    def offers(self, extension: str) -> bool:
        return extension in self._smtp.esmtp_features

    def ask_starttls(self) -> None:
        code, text = self.command("STARTTLS")
        if code != 220:
            raise TlsFailed(f"The server offered STARTTLS and then refused it: {code} {text}")

    def ask_again(self) -> None:
        self._smtp.ehlo_resp = self._smtp.helo_resp = None
        self._smtp.does_esmtp = False
        with self._translated():
            code, raw = self._smtp.ehlo()
            if 500 <= code <= 599:
                self._smtp.esmtp_features = {}
                code, raw = self._smtp.helo()
        self._judge(code)
        if code != 250:
            raise Unreachable(f"The server refused EHLO: {code} {self.say(raw)}", code=code)

    def login(self) -> None:
        if has_control(self._account.user + self._account.password):
            raise LoginRefused(
                "SMTP User or SMTP Password holds a control character.", temporary=False
            )
        mechanisms = self._smtp.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in mechanisms:
            code, text = self.command("AUTH PLAIN", self._plain)
            if code == 334:  # some servers pass over what comes along (qmail's patches)
                code, text = self.command(self._plain)
        elif "LOGIN" in mechanisms:
            code, text = self._login_in_two_steps()
        else:
            raise self._no_mechanism(mechanisms)
        if code != 235:
            hint = "Check SMTP User and SMTP Password."
            if code in (530, 538):
                hint = "Tick SMTP Enable STARTTLS or SMTP SSL/TLS."
            raise LoginRefused(
                f"The server refused the login: {code} {text}",
                hint=hint,
                code=code,
                temporary=code < 500,
            )

    def command(self, verb: str, argument: str = "") -> tuple[int, str]:
        self.write(f"{verb} {argument}".rstrip().encode() + b"\r\n")
        return self._reply()

    def write(self, commands: bytes) -> None:
        self.wire.sendall(commands)

    def reply(self) -> tuple[int, bytes]:
        """Read one reply; raises `Unreachable` when it is the server's farewell (421)."""
        line = self._line()
        raw = line[4:].strip()
        while line[3:4] == b"-":
            line = self._line()
            raw += b"\n" + line[4:].strip()
        code = int(line[:3]) if line[:3].isdigit() else -1
        self._judge(code)
        if code == 421:
            self.wire.close()
            raise Unreachable(f"The server closes down: 421 {self.say(raw)}", code=421)
        return code, raw

    def say(self, raw: bytes) -> str:
        return in_words(raw, self._secrets)

    def _login_in_two_steps(self) -> tuple[int, str]:
        code, text = self.command("AUTH LOGIN")
        for answer in (self._account.user, self._account.password):
            if code != 334:
                break
            code, text = self.command(base64.b64encode(answer.encode()).decode())
        return code, text

    def _no_mechanism(self, offered: list[str]) -> LoginRefused:
        if not offered:
            return LoginRefused(
                "The server offers no login here.",
                hint="Leave SMTP User empty, or use the port meant for submission (587 or 465).",
                temporary=False,
            )
        names = in_words(", ".join(offered))
        return LoginRefused(f"The server takes no password (it offers {names}).", temporary=False)

    def _reply(self) -> tuple[int, str]:
        code, raw = self.reply()
        return code, self.say(raw)

    def _line(self) -> bytes:
        line = self.wire.readline(_MAX_LINE)
        if line[-1:] != b"\n":
            self.wire.close()
            raise ProtocolViolation(f"{self._account.endpoint} sent an answer that is too long.")
        return line

    def _judge(self, code: int) -> None:
        if not 200 <= code <= 599:
            self.wire.close()
            raise ProtocolViolation(f"{self._account.endpoint} does not answer as SMTP does.")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except smtplib.SMTPResponseException as error:
            self.wire.close()
            raise ProtocolViolation(
                f"{self._account.endpoint} sent an answer that is too long."
            ) from error
        except smtplib.SMTPException as error:
            self.wire.close()
            raise Unreachable(f"The connection to {self._account.endpoint} is closed.") from error
