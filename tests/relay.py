"""A line to a real Dovecot that counts what goes over it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from contextlib import suppress

from tests.rogue import Peer
from tests.servers import Dovecot


class CountingLine:
    """A script for `RogueServer`: clear on the client's side, TLS on the server's.

    `commands` counts by name, UID commands as one word; `received` is what Dovecot sent, in bytes.
    """

    def __init__(self, dovecot: Dovecot) -> None:
        self._dovecot = dovecot
        self.commands: Counter[str] = Counter()
        self.received = 0

    def __call__(self, peer: Peer) -> None:
        context = ssl.create_default_context(cadata=self._dovecot.ca_pem)
        address = (self._dovecot.host, self._dovecot.imaps_port)
        with (
            socket.create_connection(address) as raw,
            context.wrap_socket(raw, server_hostname=self._dovecot.host) as server,
        ):
            threading.Thread(target=self._answer, args=(server, peer), daemon=True).start()
            for line in iter(peer.line, None):
                self._count(line)
                server.sendall(line + b"\r\n")

    def start_again(self) -> None:
        """Count from nothing."""
        self.commands, self.received = Counter(), 0

    def _count(self, line: bytes) -> None:
        words = line.decode("latin-1").split()
        if len(words) > 1:
            named = words[1:3] if words[1] == "UID" else words[1:2]
            self.commands[" ".join(named)] += 1

    def _answer(self, server: ssl.SSLSocket, peer: Peer) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                self.received += len(data)
                peer.send(data)
