"""A connection that ends by the wall clock, and the one order in which it becomes usable.

smtplib and imaplib count their time-outs per read and bound little of what they read; they are
given this instead of a socket. What a server said before TLS is never believed after it
(RFC 3207, RFC 9051 11.1).
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Sequence

from flexmail.errors import MailServerError, ProtocolViolation, TlsFailed, Unreachable
from flexmail.transport.tls import (
    Address,
    Deadline,
    Endpoint,
    Protocol,
    explain_tls,
    speaks_tls,
    verifying_context,
)
from flexmail.transport.words import in_words

_CHUNK = 1 << 16
_GREETING_PATIENCE = 4.0


class Wire:
    """A byte stream with a budget of time and bytes for each step, and one of time for all.

    smtplib takes it for a socket and for the file over it; imaplib is led to it by its hooks.
    """

    def __init__(
        self, sock: socket.socket, endpoint: Endpoint, protocol: Protocol, run: Deadline
    ) -> None:
        self.endpoint = endpoint
        self.protocol = protocol
        self.encrypted = False
        self.broken = False
        self._sock = sock
        self._buffer = bytearray()
        self._run = self._step = run
        self._idle_seconds = run.seconds
        self._bytes_left = _CHUNK

    def begin(
        self, seconds: float, *, max_bytes: int = _CHUNK, idle_seconds: float | None = None
    ) -> None:
        """Start the next step: all of it within `seconds` and `max_bytes`.

        Args:
            idle_seconds: the longest silence within the step; `seconds` when not given.
        """
        self._step = Deadline(seconds)
        self._idle_seconds = seconds if idle_seconds is None else idle_seconds
        self._bytes_left = max_bytes

    @property
    def local_name(self) -> str:
        """How SMTP names this side: as an address literal, without asking a name server."""
        ip = str(self._sock.getsockname()[0]).partition("%")[0]
        return f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"

    @property
    def run_seconds_left(self) -> float:
        return self._run.remaining()

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self._seconds_left())
            try:
                sent = self._sock.send(rest[:_CHUNK])
            except OSError as error:
                raise self._lost(error) from error
            rest = rest[sent:]

    def stays_quiet(self, seconds: float) -> bool:
        """Wait for something to read, without reading it; tell whether nothing came."""
        if self.broken or self._buffer or getattr(self._sock, "pending", int)():
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            return not selector.select(seconds)

    def readline(self, limit: int) -> bytes:
        """Return a line with its end, or `limit` bytes of a longer one."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched, limit)) < 0:
            if len(self._buffer) >= limit:
                return self._take(limit)
            searched = len(self._buffer)
            self._receive()
        return self._take(end + 1)

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        return self._take(size)

    def first_line(self) -> bytes:
        """Return the line that `await_greeting` found, without taking it."""
        return bytes(self._buffer.partition(b"\n")[0].rstrip(b"\r"))

    def makefile(self, _mode: str = "rb") -> Wire:
        return self

    def close(self) -> None:
        self.broken = True
        with contextlib.suppress(OSError):
            self._sock.close()

    def start_tls(self) -> None:
        """Verify the server and encrypt from here on; what came before in clear is refused."""
        if self._buffer:
            self.close()
            raise ProtocolViolation(
                f"{self.endpoint} sent more in clear than its answer to STARTTLS.",
                hint="Something between here and the server may be tampering with the connection.",
            )
        context = verifying_context(self.endpoint.ca_certificates)
        self._sock.settimeout(self._seconds_left())
        try:
            self._sock = context.wrap_socket(self._sock, server_hostname=self.endpoint.host)
        except (OSError, ValueError) as error:
            self.close()
            raise explain_tls(error, self.endpoint, self.protocol) from error
        self.encrypted = True

    def await_greeting(self, addresses: Sequence[Address]) -> None:
        """Wait for the server's first line; it stays to be read.

        A server that wants TLS from the first byte says nothing, so silence is looked into.
        """
        patience = Deadline(min(_GREETING_PATIENCE, self._step.remaining() * 0.4))
        silence: MailServerError | None = None
        try:
            while b"\n" not in self._buffer and patience.remaining():
                self._receive(patience)
        except Unreachable as error:
            silence = error
        if b"\n" in self._buffer or len(self._buffer) >= _CHUNK:
            return
        probe_seconds = min(patience.seconds, self._step.remaining(), self._run.remaining())
        if not self.encrypted and speaks_tls(self.endpoint, addresses, probe_seconds):
            self.close()
            raise TlsFailed(
                f"{self.endpoint} waits for TLS and sends no greeting.",
                hint=f"This port speaks TLS from the first byte: tick {self.protocol} SSL/TLS.",
                temporary=False,
            )
        if silence:
            raise silence
        while b"\n" not in self._buffer:
            self._receive()

    def _receive(self, patience: Deadline | None = None) -> None:
        seconds = self._seconds_left()
        if not self._bytes_left:
            self.close()
            raise ProtocolViolation(f"{self.endpoint} sent more than an answer may hold.")
        self._sock.settimeout(min(seconds, patience.remaining() + 0.001) if patience else seconds)
        try:
            chunk = self._sock.recv(min(_CHUNK, self._bytes_left))
        except TimeoutError as error:
            if patience:
                return
            raise self._lost(error) from error
        except OSError as error:
            raise self._lost(error) from error
        if not chunk:
            raise self._lost(ConnectionResetError())
        self._bytes_left -= len(chunk)
        self._buffer += chunk

    def _seconds_left(self) -> float:
        if self.broken:
            raise Unreachable(f"The connection to {self.endpoint} is closed.")
        left = min(self._step.remaining(), self._run.remaining())
        if not left:
            raise self._lost(TimeoutError())
        return min(left, self._idle_seconds)

    def _lost(self, error: OSError) -> Unreachable:
        self.close()
        if isinstance(error, TimeoutError):
            return Unreachable(f"{self.endpoint} did not answer in time.")
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return Unreachable(f"{self.endpoint} closed the connection.")
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        return Unreachable(f"The connection to {self.endpoint} was lost ({in_words(reason)}).")

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
