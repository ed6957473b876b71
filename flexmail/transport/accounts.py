"""What flexmail is at its mail servers: one account to send with, one to read replies with.

They stand apart from what uses them, for the settings need both and a run only one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flexmail.transport.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """Where mail goes out; an empty user means no login."""

    endpoint: Endpoint
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """Where replies come in; an empty user means no login."""

    endpoint: Endpoint
    user: str
    password: str = field(repr=False)
