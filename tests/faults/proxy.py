"""A line between flexmail and a real mail server on which faults can be put.

The proxy speaks TLS with the server and verifies it; towards flexmail it speaks in clear, TLS from
the first byte, or STARTTLS, which it then offers itself. So it sees every line and may cut, stall,
change, answer or make up any. A fault counts how often it fired; `lift` takes all of them off.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from contextlib import suppress
from typing import Literal

from tests.faults.acts import WHOLE, Fault, Shape, Side

Tls = Literal["clear", "implicit", "starttls"]

_TAG = re.compile(rb"([A-Z]{4}\d+) ")
_STARTTLS = re.compile(rb"(?i)(\S+ )?STARTTLS\r\n")


class Link:
    """One connection through the proxy; `tag` is that of flexmail's last IMAP command."""

    def __init__(self, proxy: Proxy, flexmail: socket.socket, server: ssl.SSLSocket) -> None:
        self.proxy, self.tag, self.encrypted = proxy, b"", False
        self.over = threading.Event()
        self._socks: dict[Side, socket.socket] = {"flexmail": flexmail, "server": server}
        self._buffers: dict[Side, bytearray] = {"flexmail": bytearray(), "server": bytearray()}
        self._writing = threading.Lock()

    def run(self) -> None:
        try:
            if self.proxy.tls == "implicit":
                self._encrypt()
            threading.Thread(target=self._pump, args=("server",), daemon=True).start()
            self._pump("flexmail")
        except OSError:
            self.cut()  # a handshake that flexmail broke off

    def tell_flexmail(self, data: bytes) -> None:
        """Send as the server; `TAG` stands for the tag of flexmail's last command."""
        shape, sock = self.proxy.shape, self._socks["flexmail"]
        data = data.replace(b"TAG", self.tag) if data.startswith(b"TAG") else data
        with self._writing:
            for start in range(0, len(data), shape.segment):
                piece = data[start : start + shape.segment]
                if shape.cut_after is not None and shape.sent + len(piece) > shape.cut_after:
                    shape.fired += 1
                    sock.sendall(piece[: shape.cut_after - shape.sent])
                    self.cut()
                    raise ConnectionResetError
                shape.sent += len(piece)
                if shape.bytes_per_second:
                    self.over.wait(len(piece) / shape.bytes_per_second)
                sock.sendall(piece)
                shape.fired += shape.segment < WHOLE

    def tell_server(self, data: bytes) -> None:
        self._socks["server"].sendall(data)

    def cut(self) -> None:
        self.over.set()
        for sock in self._socks.values():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for sock in self._socks.values():
            sock.close()

    def _encrypt(self) -> None:
        clear = self._socks["flexmail"]
        self._socks["flexmail"] = self.proxy.context.wrap_socket(clear, server_side=True)
        self.encrypted = True

    def _pump(self, side: Side) -> None:
        try:
            while line := self._read_line(side):
                self.proxy.heard.append((side, self.encrypted, line))
                on = self._from_server(line) if side == "server" else self._from_flexmail(line)
                if on is not None:
                    (self.tell_flexmail if side == "server" else self.tell_server)(on)
        except (OSError, ValueError):
            pass  # one of the sides, or a fault, has cut the line
        finally:
            self.cut()

    def _from_server(self, line: bytes) -> bytes | None:
        if self.proxy.tls == "starttls" and not self.encrypted:  # what both servers say in clear
            line = re.sub(rb"(CAPABILITY.*?)AUTH=PLAIN AUTH=LOGIN", rb"\1LOGINDISABLED", line)
            line = line.replace(b"CAPABILITY IMAP4rev1", b"CAPABILITY IMAP4rev1 STARTTLS")
            line = re.sub(rb"^250-AUTH[^\r]*", b"250-STARTTLS", line)
        return self._meet_faults("server", line)

    def _from_flexmail(self, line: bytes) -> bytes | None:
        self.tag = found[1] if (found := _TAG.match(line)) else self.tag
        on = self._meet_faults("flexmail", line)
        if on is None or self.encrypted or not (asked := _STARTTLS.match(on)):
            return on
        self.tell_flexmail(b"TAG OK begin\r\n" if asked[1] else b"220 begin\r\n")
        self._encrypt()
        return None

    def _meet_faults(self, side: Side, line: bytes) -> bytes | None:
        on: bytes | None = line
        for fault in self.proxy.faults:
            if on is not None and fault.side == side:
                on = fault.meet(self, on)
        return on

    def _read_line(self, side: Side) -> bytes:
        buffer = self._buffers[side]
        while (end := buffer.find(b"\n")) < 0:
            if not (data := self._socks[side].recv(WHOLE)):
                return b""
            buffer += data
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        return line


class Proxy:
    """Listens on loopback while the block lasts; `heard` holds (side, encrypted, line).

    Args:
        context: the certificate that flexmail is shown.
    """

    host = "127.0.0.1"

    def __init__(
        self, server: tuple[str, int], ca_pem: str, context: ssl.SSLContext, tls: Tls
    ) -> None:
        self.context, self.tls = context, tls
        self.faults: list[Fault] = []
        self.shape = Shape()
        self.heard: list[tuple[Side, bool, bytes]] = []
        self._server = server
        self._trust = ssl.create_default_context(cadata=ca_pem)
        self.port = 0
        self._links: list[Link] = []

    def listen(self) -> None:
        """Take connections, on the same port as before."""
        self._listener = socket.create_server((self.host, self.port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self) -> None:
        """Take no connection any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def put(self, *faults: Fault) -> None:
        self.faults = [*self.faults, *faults]

    def lift(self) -> None:
        self.faults, self.shape = [], Shape()

    def said(self, side: Side) -> list[bytes]:
        return [line for speaker, _, line in list(self.heard) if speaker == side]

    def cut(self) -> None:
        """End every connection."""
        for link in self._links:
            link.cut()

    def stop(self) -> None:
        self.refuse()
        for link in self._links:
            link.close()

    def _accept(self) -> None:
        listener = self._listener
        with suppress(OSError):
            while True:
                flexmail, _ = listener.accept()
                flexmail.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if (server := self._server_side()) is None:
                    flexmail.close()
                    continue
                self._links.append(link := Link(self, flexmail, server))
                threading.Thread(target=link.run, daemon=True).start()

    def _server_side(self) -> ssl.SSLSocket | None:
        """Connect to the server; while it is away, flexmail's connection is closed at once."""
        try:
            raw = socket.create_connection(self._server)
        except OSError:
            return None
        try:
            return self._trust.wrap_socket(raw, server_hostname=self._server[0])
        except OSError:
            raw.close()
            return None
