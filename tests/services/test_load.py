"""Many replies at once: each decides once, nothing stays behind, and memory stays flat."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from flexmail.db import db
from flexmail.models import Approval, Decision, OutboxMail, Reply
from flexmail.services import approval_requests
from flexmail.services.approval_requests import NewApproval
from flexmail.services.inbox import process_replies
from tests.conftest import NOW
from tests.servers import PASSWORD, Dovecot
from tests.services.stage import BOB, REFERENCE, Asked, opened, queued, read, reply, set_up, text_of

REPLIES = int(os.environ.get("FLEXMAIL_LOAD", "500"))
"""So many in the suite; `FLEXMAIL_LOAD=10000` takes some minutes."""
VERDICTS = {"Approve": "approved", "Reject": "rejected"}
MAX_GROWTH_BYTES = 15 << 20


def ask_all() -> list[tuple[Asked, str]]:
    """Ask Bob for so many approvals; return what he was sent, and what he answers."""
    for number in range(REPLIES):
        wanted = NewApproval(title=f"Deploy billing {number}", approvers=(BOB,))
        approval_requests.request(wanted, now=NOW)
    asked = []
    for number, mail in enumerate(queued("approval_request")):
        raw = opened(mail)
        text, message_id = text_of(raw), str(read(raw)["Message-ID"])
        (reference,) = set(REFERENCE.findall(text))
        sent = Asked(mail.approval_id or 0, BOB, reference, message_id, text, raw)
        asked.append((sent, [*VERDICTS][number % 2]))
    db.session.rollback()
    return asked


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.dovecot
@pytest.mark.timeout(900)
def test_many_replies_at_once_are_each_decided_once(
    people: Flask, dovecot: Dovecot, new_address: Callable[[], str]
) -> None:
    user = new_address()
    set_up(
        imap_host_name=dovecot.host,
        imap_host_port=dovecot.imaps_port,
        imap_implicit_tls=True,
        imap_enable_starttls=False,
        imap_user=user,
        imap_password=PASSWORD,
        tls_ca_certificates=dovecot.ca_pem,
        email_reply_process_count=min(1000, REPLIES // 5),
    )
    asked = ask_all()
    dovecot.fill(user, (reply(request, word) for request, word in asked))
    left, runs, resident = REPLIES, 0, []
    while left:
        report = process_replies(now=NOW + timedelta(minutes=runs), at_once=True)
        assert report.error == ""
        assert report.left < left
        left, runs = report.left, runs + 1
        resident.append(resident_bytes())
    db.session.rollback()
    found = db.session.execute(select(Approval.id, Approval.status))
    statuses = {row[0]: row[1] for row in found}
    assert statuses == {request.approval_id: VERDICTS[word] for request, word in asked}
    made = Counter(db.session.scalars(select(Decision.approval_id)))
    assert made == dict.fromkeys(statuses, 1)
    assert db.session.scalar(select(func.count(Reply.id))) == REPLIES
    told = select(OutboxMail.approval_id).where(OutboxMail.kind == "reply_confirmation")
    assert Counter(db.session.scalars(told)) == dict.fromkeys(statuses, 1)
    with dovecot.client(user) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search() == []
    assert max(resident) - resident[1] < MAX_GROWTH_BYTES
