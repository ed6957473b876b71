"""An event told to many, through a real submission server with STARTTLS and a login."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from flexmail.services import events, settings
from flexmail.services.delivery import deliver_due
from flexmail.services.events import NewEvent
from tests.servers import PASSWORD, Dovecot, Exim
from tests.services import stage
from tests.services.stage import queued, read
from tests.story.waiting import wait_for

pytestmark = [pytest.mark.dovecot, pytest.mark.exim]

SENDER, BOB, JUERGEN = "events@example.test", "bob.events@example.test", "jürgen@example.test"
NOBODY, LATER = "nobody@example.test", "later@example.test"
SUBJECT = "Störung: 数据库"


def mailbox(dovecot: Dovecot) -> bytes:
    """Return the mail that lies in Bob's INBOX, nothing while there is none."""
    with dovecot.client(BOB) as client:
        client.select_folder("INBOX", readonly=True)
        found = client.fetch(client.search(), ["BODY.PEEK[]"])
        return next((bytes(mail[b"BODY[]"]) for mail in found.values()), b"")


def test_each_recipient_fares_as_the_server_says_and_no_other_waits(
    context: Flask, exim: Exim, dovecot: Dovecot
) -> None:
    given = {
        "smtp_host_name": exim.host,
        "smtp_host_port": exim.smtp_port,
        "smtp_user": SENDER,
        "smtp_password": PASSWORD,
        "smtp_from_address": f'"Überwachung" <{SENDER}>',
        "tls_ca_certificates": exim.ca_pem,
        "enable_email_approval": False,
        "imap_host_name": "",
    }
    settings.save(stage.fill_in(**given))
    now = datetime.now(UTC)
    told = NewEvent("failed", subject=SUBJECT, recipients=(BOB, NOBODY, LATER, JUERGEN, SENDER))
    assert events.send(told, now=now).queued == 5

    report = deliver_due(now=now)

    assert (report.sent, report.deferred, report.failed, report.error) == (3, 1, 1, "")
    mails = {mail.recipient: mail for mail in queued("event")}
    assert {to: mail.state for to, mail in mails.items()} == {
        BOB: "sent",
        NOBODY: "failed",
        LATER: "queued",
        JUERGEN: "sent",
        SENDER: "sent",
    }
    assert "550" in mails[NOBODY].answer
    assert "451" in mails[LATER].answer
    assert mails[LATER].retry_at > now + timedelta(seconds=50)
    assert mails[BOB].encrypted is True
    wait_for(lambda: JUERGEN in exim.log(), seconds=20, what="Exim's word about Jürgen's mail")
    arrived = wait_for(lambda: mailbox(dovecot), seconds=20, what="the mail in Bob's mailbox")
    assert read(arrived)["Subject"] == f"Failed: {SUBJECT}"
    assert read(arrived)["From"].addresses[0].display_name == "Überwachung"
