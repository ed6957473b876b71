"""A whole mail server in one thread: SMTP submission in, IMAP out, mail in memory.

For the demo and for quick tests, on loopback only. STARTTLS, implicit TLS for IMAP, AUTH, IDLE,
UIDPLUS; a certificate from an authority of its own (`ca_pem`). Everything is gone when it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import ssl
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from proxyprotocol.result import ProxyResultLocal
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Identity
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement
from pymap.parsing.specials.flag import Flag

from flexmail.demo.accounts import make_login

_SECONDS = 15.0
_Result = TypeVar("_Result")


class MailServer:
    """Start with `with`; the ports are known from then on.

    Args:
        users: addresses and their passwords; each has one mailbox, and mail to others is refused.
        host: a loopback address.
        smtp_port: 0 takes any free port, as for the other two.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        host: str = "127.0.0.1",
        smtp_port: int = 0,
        imap_port: int = 0,
        imaps_port: int = 0,
    ) -> None:
        self.host = host
        self.smtp_port, self.imap_port, self.imaps_port = smtp_port, imap_port, imaps_port
        self._users = dict(users)
        authority = trustme.CA()
        self.ca_pem = authority.cert_pem.bytes().decode("ascii")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", host).configure_cert(self._tls)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._main, args=(ready,), name="mail server", daemon=True
        )
        self._thread.start()
        if not ready.wait(_SECONDS) or self._failure:
            raise RuntimeError(f"The mail server did not start: {self._failure}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_SECONDS)

    def deliver(self, user: str, raw: bytes, *, flags: Iterable[str] = ()) -> None:
        """Put a mail into a user's mailbox, as if it had come in."""
        self._in_thread(self._append(user, raw, flags))

    def mailbox(self, user: str) -> list[tuple[int, bytes]]:
        """Return the mails of a user with their UIDs, oldest first."""
        return self._in_thread(self._read(user))

    def _in_thread(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_SECONDS)
        except FutureTimeout:
            future.cancel()
            raise

    def _main(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:
            self._failure = error
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self._login = make_login(self._users, self._tls)
        async with contextlib.AsyncExitStack() as stack:
            for name, server in {
                "imap_port": await asyncio.start_server(self._imap, self.host, self.imap_port),
                "imaps_port": await asyncio.start_server(
                    self._imap, self.host, self.imaps_port, ssl=self._tls
                ),
                "smtp_port": await self._loop.create_server(self._smtp, self.host, self.smtp_port),
            }.items():
                stack.callback(server.close)
                setattr(self, name, server.sockets[0].getsockname()[1])
            ready.set()
            await self._stopping.wait()

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # pymap's own start goes through a reader whose task nothing refers to: from Python 3.13
        # on, live connections are collected with it.
        server = IMAPServer(self._login, self._login.config)
        await server(reader, writer, SocketInfo.get(writer, ProxyResultLocal()))

    def _smtp(self) -> SMTP:
        return SMTP(
            self,
            hostname="mail.localhost",
            tls_context=self._tls,
            auth_require_tls=False,
            authenticator=self._authenticate,
            enable_SMTPUTF8=True,
            loop=self._loop,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        known = None
        if isinstance(data, LoginPassword):
            known = self._users.get(data.login.decode("utf-8", "replace"))
        matches = known is not None and hmac.compare_digest(known.encode(), data.password)
        return AuthResult(success=matches, handled=False)

    async def handle_RCPT(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        """aiosmtpd asks here for each recipient."""
        if not session.authenticated:
            return "530 5.7.0 Log in first"
        user = address.lower()
        if user not in self._users:
            return "550 5.1.1 There is no such mailbox"
        envelope.rcpt_tos.append(user)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """aiosmtpd hands over a complete mail here."""
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        for user in envelope.rcpt_tos:
            await self._append(user, raw, ())
        return "250 2.0.0 Delivered"

    async def _append(self, user: str, raw: bytes, flags: Iterable[str]) -> None:
        marks = frozenset(Flag(flag.encode("ascii")) for flag in flags)
        async with self._identity(user).new_session() as session:
            await session.append_messages("INBOX", [AppendMessage(raw, datetime.now(UTC), marks)])

    async def _read(self, user: str) -> list[tuple[int, bytes]]:
        async with self._identity(user).new_session() as session:
            inbox = await session.mailbox_set.get_mailbox("INBOX")
            found = [message async for message in inbox.messages()]
        loaded = [(mail, await mail.load_content(FetchRequirement.CONTENT)) for mail in found]
        return [(mail.uid, bytes(content.get_body())) for mail, content in loaded]

    def _identity(self, user: str) -> Identity:
        return Identity(user, self._login, None, frozenset())
