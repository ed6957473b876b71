"""A mail server that misbehaves, on loopback, by script."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self


class Peer:
    """The rogue's end of one connection."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def line(self) -> bytes:
        """Return the client's next line without its end; raise OSError when it is gone."""
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = self._sock.recv(1)
            if not byte:
                raise ConnectionResetError
            line += byte
        return bytes(line.rstrip(b"\r\n"))

    def sends_more(self, *, within_seconds: float) -> bool:
        """Tell whether the client says something before it is answered."""
        return bool(select.select([self._sock], [], [], within_seconds)[0])

    def read(self, size: int) -> bytes:
        """Return so many bytes; raise OSError when the client is gone before."""
        data = bytearray()
        while len(data) < size:
            chunk = self._sock.recv(size - len(data))
            if not chunk:
                raise ConnectionResetError
            data += chunk
        return bytes(data)

    def send_slowly(self, data: bytes, *, size: int = 7, every_seconds: float = 0.0) -> None:
        """Send in small segments, with pauses between them."""
        for start in range(0, len(data), size):
            self._stopping.wait(every_seconds)
            self.send(data[start : start + size])

    def drip(self, data: bytes, *, every_seconds: float = 0.05) -> None:
        """Send the same bytes again and again until the client or the test gives up."""
        while not self._stopping.wait(every_seconds):
            self.send(data)

    def flood(self, data: bytes) -> None:
        while not self._stopping.is_set():
            self.send(data)

    def keep_silent(self) -> None:
        """Read whatever comes and never answer."""
        while self._sock.recv(1 << 16):
            pass

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._sock = context.wrap_socket(self._sock, server_side=True)

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()


class RogueServer:
    """A server on loopback that does whatever the script says, once for each connection."""

    host = "127.0.0.1"

    def __init__(self, script: Callable[[Peer], None]) -> None:
        self._script = script
        self._stopping = threading.Event()
        self._listener = socket.create_server((self.host, 0))
        self.port = int(self._listener.getsockname()[1])
        self._peers: list[Peer] = []
        self._thread = threading.Thread(target=self._accept, name="rogue", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            peer.close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, self._stopping)
            self._peers.append(peer)
            threading.Thread(
                target=self._play, args=(peer,), name="rogue peer", daemon=True
            ).start()

    def _play(self, peer: Peer) -> None:
        try:
            self._script(peer)
        except (OSError, ValueError):
            pass
        finally:
            peer.close()


Answer = bytes | Callable[[Peer, bytes], None]


def imap_script(
    answers: dict[str, Answer] | None = None,
    *,
    greeting: bytes = b"* OK ready\r\n",
    capability: bytes = b"IMAP4rev1 UIDPLUS",
    heard: list[bytes] | None = None,
) -> Callable[[Peer], None]:
    """Return an IMAP server that behaves, but for the answers given.

    Args:
        answers: by the command's name (`UID FETCH` for a UID command); in bytes, `TAG` stands for
            the client's tag; a function is called with the peer and the line.
        heard: takes up the lines that the client sends.
    """
    usual: dict[str, Answer] = {
        "CAPABILITY": b"* CAPABILITY " + capability + b"\r\nTAG OK done\r\n",
        "SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\nTAG OK [READ-WRITE] open\r\n",
        "EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\nTAG OK [READ-ONLY] open\r\n",
        "LOGOUT": b"* BYE bye\r\nTAG OK done\r\n",
    }

    def play(peer: Peer) -> None:
        peer.send(greeting)
        for line in iter(peer.line, None):
            if heard is not None:
                heard.append(line)
            tag, *words = line.split() or [b""]
            if not words:
                continue
            name = b" ".join(words[: 2 if words[0].upper() == b"UID" else 1]).decode().upper()
            answer = (usual | (answers or {})).get(name, b"TAG OK done\r\n")
            if callable(answer):
                answer(peer, line)
            else:
                peer.send(answer.replace(b"TAG", tag))

    return play


def smtp_script(
    answers: dict[str, Answer] | None = None,
    *,
    greeting: bytes = b"220 rogue.test ESMTP\r\n",
    extensions: Iterable[bytes] = (b"AUTH PLAIN LOGIN",),
    heard: list[bytes] | None = None,
) -> Callable[[Peer], None]:
    """Return an SMTP server that behaves, but for the answers given; `.` is the end of a mail."""
    capabilities = b"".join(b"250-" + extension + b"\r\n" for extension in extensions)
    usual: dict[str, Answer] = {
        "EHLO": b"250-rogue.test\r\n" + capabilities + b"250 HELP\r\n",
        "AUTH": b"235 2.7.0 welcome\r\n",
        "DATA": b"354 go on\r\n",
        "QUIT": b"221 bye\r\n",
    }

    def play(peer: Peer) -> None:
        peer.send(greeting)
        inside = False
        for line in iter(peer.line, None):
            if heard is not None:
                heard.append(line)
            if inside and line != b".":
                continue
            name = line.split(b" ")[0].decode("ascii", "replace").upper()
            answer = (usual | (answers or {})).get(name, b"250 2.0.0 fine\r\n")
            inside = name == "DATA" and not callable(answer) and answer.startswith(b"354")
            if callable(answer):
                answer(peer, line)
            else:
                peer.send(answer)

    return play
