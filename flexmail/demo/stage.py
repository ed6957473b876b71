"""What the demo plays with: its people, their mailboxes, the settings, an event, an open approval.

The passwords are no secrets: they are printed, and open nothing beyond this machine's loopback.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from flexmail.demo.mailserver import MailServer
from flexmail.forms import values_from
from flexmail.models import Approval
from flexmail.services import (
    accounts,
    approval_requests,
    delivery,
    events,
    settings,
    subscriptions,
)

FLEXMAIL = "approvals@demo.test"
"""The mailbox that flexmail reads, and deletes from."""

_MAIL_PASSWORD = "demo-approvals"


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and a mailbox of the same address and password."""

    name: str
    email: str
    role: str
    password: str = field(repr=False)


ADA = Person("Ada", "ada@demo.test", "admin", "demo-ada-password")
BOB = Person("Bob", "bob@demo.test", "approver", "demo-bob-password")
PEOPLE = {person.email: person for person in (ADA, BOB)}
MAILBOXES = {BOB.email: BOB.password, FLEXMAIL: _MAIL_PASSWORD, ADA.email: ADA.password}
"""Every mailbox with its password, in the order that they are shown."""

_FAILURE = events.NewEvent(
    "failed",
    "shop/prod",
    data={
        "title": "Deploy shop 2.3 to production",
        "submitter": BOB.email,
        "error": "The health check did not answer within 60 s; version 2.2 is back in place.",
    },
)


def set_up(server: MailServer) -> None:
    """Make the accounts, store the settings, tell of an event and ask for approval; commits."""
    now = datetime.now(UTC)
    for person in PEOPLE.values():
        accounts.add(
            person.email, role=person.role, name=person.name, password=person.password, now=now
        )
    given = {
        "smtp_host_name": server.host,
        "smtp_host_port": server.smtp_port,
        "smtp_user": FLEXMAIL,
        "smtp_password": _MAIL_PASSWORD,
        "smtp_from_address": f"flexmail demo <{FLEXMAIL}>",
        "enable_email_approval": True,
        "imap_host_name": server.host,
        "imap_host_port": server.imap_port,
        "email_reply_process_interval": 1,
        "tls_ca_certificates": server.ca_pem,
    }
    settings.save(values_from(settings.stored_values(settings.load()), given))
    subscriptions.add("failed", "shop", ADA.email, now=now)
    events.send(_FAILURE, now=now)
    ask_bob()


def ask_bob() -> Approval:
    """Ask Bob for an approval and send the mail at once; commits."""
    now = datetime.now(UTC)
    approval = approval_requests.request(
        approval_requests.NewApproval(
            title="Deploy shop 2.4 to production",
            details="Tests are green, and the change window is tonight from 22:00 to 23:00.",
            approvers=(BOB.email,),
            submitter=ADA.email,
        ),
        now=now,
    )
    delivery.deliver_due(now=now, at_once=True)
    return approval
