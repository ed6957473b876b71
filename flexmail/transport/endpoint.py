"""Where a mail server is, and how long anybody waits for it.

Names are resolved once: the addresses that were judged are the ones that are connected to.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from flexmail.errors import Unreachable

Protocol = Literal["SMTP", "IMAP", "HTTP"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server as the settings name it; `implicit_tls` wins over `starttls`."""

    host: str
    port: int
    starttls: bool
    implicit_tls: bool
    ca_certificates: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """One resolved address, ready to be connected to."""

    family: int
    sockaddr: tuple[Any, ...]

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        ip = ipaddress.ip_address(str(self.sockaddr[0]).partition("%")[0])
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return mapped or ip


class Deadline:
    """A moment on the monotonic clock; what drips does not move it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, 0 when over."""
        return max(0.0, self._end - monotonic())

    def check(self) -> float:
        """Return the seconds left; raise `Unreachable` when there are none."""
        left = self.remaining()
        if not left:
            raise Unreachable(f"The mail server took longer than {self.seconds:.3g} seconds.")
        return left


def resolve(host: str, port: int, timeout_seconds: float = 10) -> tuple[Address, ...]:
    """Return every address of the host, in the system's order.

    The system's resolver knows no time-out of ours, so it runs in a thread of its own.
    """
    answers: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_seconds)
    except queue.Empty:
        raise Unreachable(
            f"The name {host} was not resolved within {timeout_seconds:.3g} seconds.",
            hint="Check the name servers of this machine.",
        ) from None
    if not isinstance(answer, list):
        raise Unreachable(
            f"The host name {host} is not known.", hint="Check the spelling of the host name."
        ) from answer
    addresses = tuple(dict.fromkeys(Address(family, addr) for family, _, _, _, addr in answer))
    if any(address.ip.is_link_local for address in addresses):
        raise Unreachable(
            f"The host name {host} leads to a link-local address.",
            hint="Use a host name that leads to a mail server.",
            temporary=False,
        )
    return addresses


def all_loopback(addresses: Sequence[Address]) -> bool:
    return bool(addresses) and all(address.ip.is_loopback for address in addresses)


def dial(endpoint: Endpoint, addresses: Sequence[Address], timeout_seconds: float) -> socket.socket:
    """Connect to the first address that answers; an address that is silent costs its share only."""
    deadline = Deadline(timeout_seconds)
    failure: OSError = TimeoutError()
    for tried, address in enumerate(addresses):
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.01, deadline.remaining() / (len(addresses) - tried)))
            sock.connect(address.sockaddr)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise _explain_dial(failure, endpoint) from failure


def _explain_dial(error: OSError, endpoint: Endpoint) -> Unreachable:
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{endpoint} did not answer in time.",
            hint="Check the port, and whether a firewall is in between.",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{endpoint} refused the connection: nothing listens there.",
            hint="Check the host name and the port.",
        )
    return Unreachable(
        f"{endpoint} cannot be reached ({error.strerror or type(error).__name__}).",
        hint="Check the host name, the port and the network.",
    )
