"""From a host name to a connection that is logged in: one order of steps for SMTP and IMAP.

The order is a promise: the addresses are judged before they are dialled, TLS comes before any
login, and no password crosses a clear connection that leaves this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol as Interface
from typing import TypeVar

from flexmail.errors import LoginRefused
from flexmail.transport.tls import (
    Address,
    Deadline,
    Endpoint,
    Protocol,
    all_loopback,
    dial,
    resolve,
)
from flexmail.transport.trace import Trace
from flexmail.transport.wire import Wire

_TLS_PORTS = {"SMTP": 465, "IMAP": 993}


class Client(Interface):
    """The protocol's own part of the opening; raises nothing but `MailServerError`."""

    def greet(self) -> None:
        """Read the greeting and ask what the server can do."""

    def offers_starttls(self) -> bool: ...

    def ask_starttls(self) -> None:
        """Send STARTTLS and read the consent."""

    def ask_again(self) -> None:
        """Ask once more what the server can do; what it said in clear is forgotten."""

    def login(self) -> None: ...


AnyClient = TypeVar("AnyClient", bound=Client)


def open_client(
    endpoint: Endpoint,
    protocol: Protocol,
    make_client: Callable[[Wire], AnyClient],
    *,
    user: str,
    trace: Trace,
    step_seconds: float,
    run: Deadline,
) -> AnyClient:
    """Go through the steps `resolve`, `connect`, `tls` and `login`.

    1. Resolve; what is dialled and judged later are these addresses.
    2. Connect, and read the greeting unless TLS comes first.
    3. TLS: from the first byte, or by STARTTLS where it is asked for and offered.
    4. Log in, if there is a user, and only where nobody can listen.
    """
    with trace.step("resolve") as step:
        addresses = resolve(endpoint.host, endpoint.port, min(step_seconds, run.check()))
        step.detail = ", ".join(str(address.ip) for address in addresses[:5])
    with trace.step("connect") as step:
        sock = dial(endpoint, addresses, min(step_seconds, run.check()))
        step.detail = f"connected to {sock.getpeername()[0]}"
        wire = Wire(sock, endpoint, protocol, run)
        client = make_client(wire)
        if not endpoint.implicit_tls:
            _greet(client, wire, addresses, step_seconds)
    try:
        with trace.step("tls") as step:
            step.detail = _secure(client, wire, addresses, step_seconds)
        with trace.step("login") as step:
            step.detail = "not asked for"
            if user:
                _refuse_clear_login(client, wire, addresses)
                wire.begin(step_seconds)
                client.login()
                step.detail = "logged in"
    except BaseException:
        wire.close()
        raise
    return client


def _greet(client: Client, wire: Wire, addresses: Sequence[Address], step_seconds: float) -> None:
    wire.begin(step_seconds)
    try:
        wire.await_greeting(addresses)
        client.greet()
    except BaseException:
        wire.close()
        raise


def _secure(client: Client, wire: Wire, addresses: Sequence[Address], step_seconds: float) -> str:
    wire.begin(step_seconds)
    if wire.endpoint.implicit_tls:
        wire.start_tls()
        wire.await_greeting(addresses)
        client.greet()
        return "TLS from the first byte"
    if not wire.endpoint.starttls:
        return "not asked for"
    if not client.offers_starttls():
        return "not offered by the server: the connection stays in clear"
    client.ask_starttls()
    wire.start_tls()
    client.ask_again()
    return "STARTTLS"


def _refuse_clear_login(client: Client, wire: Wire, addresses: Sequence[Address]) -> None:
    if wire.encrypted or all_loopback(addresses):
        return
    protocol, starttls = wire.protocol, wire.endpoint.starttls
    implicit = f"tick {protocol} SSL/TLS (usually port {_TLS_PORTS[protocol]})"
    if starttls:
        cause = "The server does not offer STARTTLS"
        hint = f"To log in, {implicit} or use a server that offers STARTTLS."
    elif client.offers_starttls():
        cause, hint = "STARTTLS is switched off", f"To log in, tick {protocol} Enable STARTTLS."
    else:
        cause, hint = "The connection has no TLS", f"To log in, {implicit}."
    raise LoginRefused(f"{cause}: the password would travel in clear.", hint=hint, temporary=False)
