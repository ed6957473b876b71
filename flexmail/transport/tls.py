"""TLS that verifies certificate and host name always: there is no switch for it.

What goes wrong is told in words, with what to change. RFC 8314, RFC 6125.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from flexmail.errors import MailServerError, TlsFailed
from flexmail.transport.endpoint import (
    Address,
    Deadline,
    Endpoint,
    Protocol,
    all_loopback,
    dial,
    resolve,
)

__all__ = [
    "Address",
    "Deadline",
    "Endpoint",
    "Protocol",
    "all_loopback",
    "dial",
    "explain_tls",
    "resolve",
    "speaks_tls",
    "verifying_context",
]

_NAMED_BY_HASH = re.compile(r"[0-9a-f]{8}\.\d+")
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}
_WRONG_NAME = {62, 64}
_NOT_YET_VALID, _EXPIRED = 9, 10
_NO_TLS_HERE = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "HTTP_REQUEST",
)


@lru_cache(maxsize=16)
def verifying_context(ca_certificates: str) -> ssl.SSLContext:
    """Trust the system's authorities and the PEM text given; TLS 1.2 or newer."""
    context = ssl.create_default_context(capath=_authorities_by_name())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_certificates.strip():
        try:
            context.load_verify_locations(cadata=ca_certificates)
        except (ssl.SSLError, ValueError) as error:
            raise TlsFailed(
                "The extra CA certificates cannot be read.",
                hint="Paste whole certificates in PEM form under Extra CA certificates.",
                temporary=False,
            ) from error
    return context


def _authorities_by_name() -> str | None:
    """Return the folder in which OpenSSL finds each authority of the system by its name.

    Loading all of them takes longer than anything else that a connection needs, and at most one is
    asked for. None where that folder is missing or not all in it can be read, or the file that is
    loaded otherwise is elsewhere or holds others: then they are loaded.
    """
    known = ssl.get_default_verify_paths()
    if not known.capath or not known.cafile:
        return None
    folder, file = Path(known.capath).resolve(), Path(known.cafile).resolve()
    if file.parent != folder:
        return None
    try:
        in_file = file.read_bytes().count(b"-----BEGIN ")
        named = [path for path in folder.iterdir() if _NAMED_BY_HASH.fullmatch(path.name)]
        in_folder = sum(os.access(path, os.R_OK) for path in named)
    except OSError:
        return None
    return known.capath if in_file == in_folder else None


def speaks_tls(endpoint: Endpoint, addresses: Sequence[Address], timeout_seconds: float) -> bool:
    """Tell whether the port expects TLS from the first byte, by a handshake of its own.

    A handshake that fails on the certificate, or that the server ends with an alert, proves it.
    """
    deadline = Deadline(timeout_seconds)
    try:
        context = verifying_context(endpoint.ca_certificates)
        with dial(endpoint, addresses, timeout_seconds) as sock:
            sock.settimeout(deadline.check())
            with context.wrap_socket(sock, server_hostname=endpoint.host):
                return True
    except ssl.SSLCertVerificationError:
        return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (OSError, ValueError, MailServerError):
        return False


def explain_tls(error: Exception, endpoint: Endpoint, protocol: Protocol = "SMTP") -> TlsFailed:
    """Say in words what a failed handshake means and what to change."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, endpoint)
    if isinstance(error, TimeoutError):
        return TlsFailed(
            f"{endpoint} did not finish the TLS handshake in time.",
            hint=f"Check that the port and {protocol} SSL/TLS belong together.",
        )
    if isinstance(error, ConnectionError | ssl.SSLEOFError):
        return TlsFailed(
            f"{endpoint} closed the connection during the TLS handshake.",
            hint=f"Check that the port and {protocol} SSL/TLS belong together.",
        )
    reason = getattr(error, "reason", None) or type(error).__name__
    if endpoint.implicit_tls and reason in _NO_TLS_HERE:
        return TlsFailed(
            f"{endpoint} answered in clear.",
            hint="This port does not speak TLS from the first byte: "
            f"untick {protocol} SSL/TLS and tick {protocol} Enable STARTTLS.",
            temporary=False,
        )
    return TlsFailed(
        f"The TLS handshake with {endpoint} failed ({reason.replace('_', ' ').lower()}).",
        hint="The server must offer TLS 1.2 or newer.",
    )


def _explain_certificate(error: ssl.SSLCertVerificationError, endpoint: Endpoint) -> TlsFailed:
    code = error.verify_code
    if code in _UNKNOWN_ISSUER:
        return TlsFailed(
            f"The certificate of {endpoint} is self-signed or comes from an unknown authority.",
            hint="If you trust this server, add its CA under Extra CA certificates.",
        )
    if code in _WRONG_NAME:
        return TlsFailed(
            f"The certificate of {endpoint} was made for another name.",
            hint="Use the host name that stands in the server's certificate.",
        )
    if code in (_EXPIRED, _NOT_YET_VALID):
        state = "has expired" if code == _EXPIRED else "is not valid yet"
        return TlsFailed(
            f"The certificate of {endpoint} {state}.",
            hint="The server needs a new certificate; check the clock of this machine, too.",
        )
    return TlsFailed(f"The certificate of {endpoint} does not verify ({error.verify_message}).")
