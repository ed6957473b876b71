"""The mail servers that tests share, one of each for the whole run.

Every test takes a mailbox of its own on them (`new_address`), so none sees another's mail. Where
a server program is missing the tests that need it are skipped, which CI does not allow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from flexmail.demo.mailserver import MailServer
from tests.servers import PASSWORD, Dovecot, Exim, program

EMBEDDED_USERS = ("ada@example.test", "bob@example.test", "charlie@example.test")

_numbers = itertools.count(1)


@pytest.fixture
def embedded() -> Iterator[MailServer]:
    """The demo's mail server, new for each test; `EMBEDDED_USERS` log in with `PASSWORD`."""
    with MailServer(dict.fromkeys(EMBEDDED_USERS, PASSWORD)) as server:
        yield server


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    need("dovecot", "dovecot-imapd")
    with Dovecot() as server:
        yield server


@pytest.fixture(scope="session")
def exim(dovecot: Dovecot) -> Iterator[Exim]:
    need("exim4", "exim4-daemon-light")
    with Exim(dovecot) as server:
        yield server


@pytest.fixture
def new_address() -> Callable[[], str]:
    """Return a function that makes up an address nobody has used; Dovecot knows them all."""
    return lambda: f"person{next(_numbers)}@example.test"


def need(name: str, package: str) -> None:
    """Skip the test where a server program is missing."""
    if program(name) is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
