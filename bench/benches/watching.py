"""How long a reply takes from its delivery to the committed decision, with the watcher on.

The mail goes through a real MTA (Exim), LMTP and Dovecot, which tells the jobs by IDLE; all jobs
run in threads of their own, as in production. Dovecot tells of mail half a second after it came.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from datetime import UTC, datetime

from bench.measuring import Fact, Row, Size, median, say
from bench.offices import office
from flexmail import jobs
from flexmail.crypto import key_ring
from flexmail.db import db
from flexmail.forms import values_from
from flexmail.models import OutboxMail
from flexmail.services import accounts, approval_requests, approvals, sealed_mail, settings
from flexmail.services.approval_requests import NewApproval
from tests.servers import PASSWORD, Dovecot, Exim, program
from tests.story import post

APPROVALS, BOB = "approvals@example.test", "bob@example.test"
_PATIENCE_SECONDS = 30.0


def measure(size: Size) -> list[Row | Fact]:
    if program("dovecot") is None or program("exim4") is None:
        return [Row("delivery → decision", "missing: dovecot, exim4", "", None, 1.0, False)]
    with Dovecot() as dovecot, Exim(dovecot) as exim, office() as app:
        _set_up(dovecot, exim)
        owner = jobs.JobOwner(app)
        owner.start()
        try:
            took = [_decide(exim) for _ in range(size.of(quick=2, full=12) + 1)][1:]
        finally:
            owner.stop()
    return [
        Row("delivery → decision", f"{median(took):.2f} s", "1 s", median(took), 1.0, False),
        Fact("slowest of", f"{len(took)}: {max(took):.2f} s"),
    ]


def _set_up(dovecot: Dovecot, exim: Exim) -> None:
    accounts.add(BOB, role="approver", name="Bob", now=datetime.now(UTC))
    given = {
        "smtp_host_name": exim.host,
        "smtp_host_port": exim.smtp_port,
        "smtp_user": APPROVALS,
        "smtp_password": PASSWORD,
        "smtp_from_address": APPROVALS,
        "enable_email_approval": True,
        "imap_host_name": dovecot.host,
        "imap_host_port": dovecot.imap_port,
        "tls_ca_certificates": dovecot.ca_pem,
        "process_as_they_arrive": True,
        "email_reply_process_interval": 1440,
    }
    settings.save(values_from(settings.stored_values(settings.load()), given))


def _decide(exim: Exim) -> float:
    """Ask Bob, have him answer, and return the seconds until that is decided."""
    wanted = NewApproval(title="Deploy", approvers=(BOB,))
    approval_id = approval_requests.request(wanted, now=datetime.now(UTC)).id
    found = db.select(OutboxMail).filter_by(approval_id=approval_id)
    raw = sealed_mail.opened(db.session.scalars(found).one().sealed_content, key_ring())
    db.session.rollback()
    answer = post.top_posted(raw, BOB, "Approve")
    context = ssl.create_default_context(cadata=exim.ca_pem)
    with smtplib.SMTP(exim.host, exim.smtp_port, timeout=20) as client:
        client.starttls(context=context)
        client.login(BOB, PASSWORD)
        began = time.perf_counter()
        client.sendmail(BOB, [APPROVALS], answer)
        while approvals.get(approval_id).status == "pending":
            db.session.rollback()
            if time.perf_counter() - began > _PATIENCE_SECONDS:
                raise RuntimeError("The reply was not decided.")
            time.sleep(0.01)
    took = time.perf_counter() - began
    db.session.rollback()
    say(f"  {took:.3g}")
    return took
