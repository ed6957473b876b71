"""The stage of the services: two accounts without passwords, and a mail server of one's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.services import accounts
from tests.conftest import NOW
from tests.services.stage import ADA, APPROVALS, BOB, SECRET


@pytest.fixture
def people(context: Flask) -> Flask:
    """Ada (admin) and Bob (approver), who only write mail: without passwords this is quick."""
    accounts.add(ADA, role="admin", name="Ada", now=NOW)
    accounts.add(BOB, role="approver", name="Bob", now=NOW)
    return context


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server with the mailboxes of Ada, Bob and the replies; `SECRET` opens each."""
    with MailServer(dict.fromkeys((ADA, BOB, APPROVALS), SECRET)) as started:
        yield started
