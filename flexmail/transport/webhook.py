"""Hand one signed announcement to a program over HTTP, and hear whether it took it.

Who may ask for a callback chooses where it goes, so an address inside the network is refused before
anything is sent there. The name is resolved once: the address that was judged is the one that is
connected to. No redirect is followed, no proxy of the environment used, and all of it ends by the
wall clock. https://www.standardwebhooks.com/, RFC 9112.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from flexmail.errors import InvalidInput, MailServerError, ProtocolViolation, Unreachable
from flexmail.transport.endpoint import Address, Deadline, Endpoint, dial, resolve
from flexmail.transport.public import Ip, is_link_local, is_public
from flexmail.transport.wire import Wire
from flexmail.transport.words import in_words

TIMEOUT_SECONDS = 10.0
MAX_URL = 2000
SECRET_PREFIX = "whsec_"

_MAX_ANSWER_BYTES = 1 << 16
_MAX_TEXT_BYTES = 2048
_VISIBLE = re.compile(r"[!-\[\]-~]+")  # but no backslash: browsers take it for a slash
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?")
_SECONDS = re.compile(r"\d{1,6}", re.ASCII)
_PORTS = {"https": 443, "http": 80}

Resolver = Callable[[str, int, float], Sequence[Address]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a callback goes, taken apart; `path` holds the query too."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Return what all addresses of one server have in common (RFC 6454)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def ip(self) -> Ip | None:
        """Return the address that stands where a host name could; None for a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program said; `retry_after_seconds` is 0 where it did not ask for a pause."""

    status: int
    text: str
    retry_after_seconds: int = 0


def target_of(url: str) -> Target:
    """Take an address apart.

    Raises:
        InvalidInput: it is none that could be called.
    """
    if len(url) > MAX_URL or not _VISIBLE.fullmatch(url):
        raise InvalidInput(f"Give at most {MAX_URL} characters, all of them visible ASCII.")
    try:
        parts = urlsplit(url)
        host, port = _host(parts.hostname or ""), parts.port
        port = _PORTS[parts.scheme] if port is None else port
    except (ValueError, KeyError):
        raise InvalidInput("Give an address like https://ci.example.com/hook.") from None
    if port == 0:
        raise InvalidInput("Give a port from 1 to 65535, or none.")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidInput("Leave out user and password, and whatever follows a #.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def _host(name: str) -> str:
    if ":" in name and "%" not in name:
        return ipaddress.IPv6Address(name).compressed
    if not _HOST.fullmatch(name):
        raise ValueError
    return name


def signed(webhook_id: str, body: bytes, *, secret: str, at: datetime) -> dict[str, str]:
    """Return the headers that identify and prove one try."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    seconds = str(int(at.timestamp()))
    proven = f"{webhook_id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, proven, hashlib.sha256)).decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{signature}",
    }


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    ca_certificates: str = "",
    may_lead_inside: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
    resolver: Resolver = resolve,
) -> Answer:
    """Send one POST request and return the answer, whatever its status.

    Args:
        may_lead_inside: the operator listed this host and port; link-local is refused even so.
        timeout_seconds: wall clock for everything from the name to the end of the answer.

    Raises:
        MailServerError: there was no answer; the program may have taken the request even so.
    """
    run = Deadline(timeout_seconds)
    tls = target.scheme == "https"
    endpoint = Endpoint(target.host, target.port, False, tls, ca_certificates)
    addresses = resolver(target.host, target.port, run.remaining())
    _judge(endpoint, addresses, may_lead_inside)
    wire = Wire(dial(endpoint, addresses, run.remaining()), endpoint, "HTTP", run)
    try:
        wire.begin(timeout_seconds, max_bytes=_MAX_ANSWER_BYTES)
        if tls:
            wire.start_tls()
        return _exchange(target, body, headers, wire)
    except (http.client.HTTPException, ValueError) as error:
        raise ProtocolViolation(f"{endpoint} does not answer as HTTP does.") from error
    finally:
        wire.close()


def _judge(endpoint: Endpoint, addresses: Sequence[Address], may_lead_inside: bool) -> None:
    """Refuse a host when any of its addresses lies inside: half a good answer is a trick."""
    for address in addresses:
        ip = ipaddress.ip_address(str(address.sockaddr[0]).partition("%")[0])
        if is_link_local(ip) or not (may_lead_inside or is_public(ip)):
            raise Unreachable(
                f"{endpoint} leads to an address inside the network: nothing was sent.",
                temporary=False,
            )


def _exchange(target: Target, body: bytes, headers: Mapping[str, str], wire: Wire) -> Answer:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.default_port = _PORTS[target.scheme]
    connection.sock = stream = _Stream(wire)
    connection.request("POST", target.path, body, dict(headers))
    while True:  # past those that only say that an answer will come (RFC 9110, section 15.2)
        response = http.client.HTTPResponse(stream, method="POST")  # type: ignore[arg-type]
        response.begin()
        if response.status >= 200:
            break
    text = b""
    if not 200 <= response.status < 300:
        with suppress(MailServerError, http.client.HTTPException):  # the status says enough
            text = response.read(_MAX_TEXT_BYTES)
    said = in_words(f"{response.status} {response.reason} {text.decode('utf-8', 'replace')}")
    pause = response.headers.get("Retry-After", "").strip()
    seconds = int(pause) if _SECONDS.fullmatch(pause) else 0
    return Answer(response.status, said, seconds)


class _Stream:
    """What http.client wants of a socket; it may not close the connection, `post` does."""

    def __init__(self, wire: Wire) -> None:
        self.sendall, self.readline, self.read = wire.sendall, wire.readline, wire.read

    def makefile(self, _mode: str) -> _Stream:
        return self

    def flush(self) -> None: ...

    def close(self) -> None: ...
