"""A program that waits for callbacks, on loopback: it keeps what came and answers by script."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.rogue import Peer, RogueServer

Answer = bytes | Callable[[Peer], None]

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: str, body: str = "", *headers: str) -> bytes:
    """Return an answer with a length, as most servers give."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


@dataclass(frozen=True)
class Heard:
    """One request as it came; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Hook:
    """Takes every callback until `answer` is set to something else."""

    host = "127.0.0.1"

    def __init__(self, answer: Answer = TAKEN, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.heard: list[Heard] = []
        self.connections = 0
        self._tls = tls
        self._server = RogueServer(self._play)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.host}:{self.port}/hook?job=7"

    def start(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _play(self, peer: Peer) -> None:
        self.connections += 1
        if self._tls:
            peer.start_tls(self._tls)
        line = peer.line().decode()
        headers = {}
        while header := peer.line().decode():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = peer.read(int(headers["content-length"]))
        self.heard.append(Heard(line, headers, body))
        if callable(self.answer):
            self.answer(peer)
        else:
            peer.send(self.answer)
