"""Delivery reports as mail servers send them (RFC 3464)."""

from __future__ import annotations

SYSTEM = "MAILER-DAEMON@mx.corp.test"


def delivery_report(
    message_id: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 user unknown",
    recipient: str = "bob@corp.test",
    said: str = "Approve? No such user.",
) -> bytes:
    """Return a report about the mail with that Message-ID."""
    return "\r\n".join(
        [
            f"From: Mail Delivery System <{SYSTEM}>",
            "Subject: Undelivered Mail Returned to Sender",
            "Auto-Submitted: auto-replied",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            said,
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.corp.test",
            "",
            f"Final-Recipient: rfc822; {recipient}",
            f"Action: {action}",
            f"Status: {status}",
            f"Diagnostic-Code: {diagnostic}",
            "",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {message_id}",
            "Subject: Approval requested",
            "",
            "--b--",
            "",
        ]
    ).encode()
