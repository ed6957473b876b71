"""An SMTP server that takes everything and keeps nothing: python -m bench.smtp_sink CERT_CHAIN KEY

STARTTLS, AUTH and PIPELINING as a submission server offers them. It prints its port and serves on
loopback until it is ended. What it costs is small and the same for all who send to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

HOST = "127.0.0.1"
_OFFERS = b"250-sink.test\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
_ANSWERS = {b"AUTH": b"235 welcome\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._transport: asyncio.Transport
        self._encrypted = self._in_mail = False
        self._heard = bytearray()
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._heard += data
        said = []
        while not self._upgrade or self._encrypted:
            end = self._heard.find(b"\r\n.\r\n" if self._in_mail else b"\r\n")
            if end < 0:
                break
            if self._in_mail:
                del self._heard[: end + 5]
                self._in_mail = False
                said.append(b"250 2.0.0 taken\r\n")
                continue
            line = bytes(self._heard[:end])
            del self._heard[: end + 2]
            said.append(self._answer(line[:4].upper()))
        if said:
            self._transport.write(b"".join(said))

    def _answer(self, verb: bytes) -> bytes:
        self._in_mail = verb == b"DATA"
        if verb == b"EHLO":
            return _OFFERS + (b"250 AUTH PLAIN\r\n" if self._encrypted else b"250 STARTTLS\r\n")
        if verb == b"STAR":
            self._transport.pause_reading()  # what comes next belongs to TLS
            self._upgrade = asyncio.get_running_loop().create_task(self._encrypt())
            return b"220 go on\r\n"
        return _ANSWERS.get(verb, b"250 fine\r\n")

    async def _encrypt(self) -> None:
        loop = asyncio.get_running_loop()
        upgraded = await loop.start_tls(self._transport, self, self._context, server_side=True)
        assert upgraded is not None
        self._transport, self._encrypted = upgraded, True
        self.data_received(b"")


async def serve(chain: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    server = await asyncio.get_running_loop().create_server(lambda: Conversation(context), HOST, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@dataclass(frozen=True, slots=True)
class Sink:
    """Where it listens, and whom it is certified by."""

    host: str
    port: int
    ca_pem: str


@contextlib.contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Start it in a process of its own, and end it."""
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    with TemporaryDirectory(prefix="sink-") as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
        key.write_bytes(certificate.private_key_pem.bytes())
        command = [sys.executable, "-m", "bench.smtp_sink", str(chain), str(key)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                port = int(process.stdout.readline())
                yield Sink(HOST, port, authority.cert_pem.bytes().decode("ascii"))
            finally:
                process.terminate()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
