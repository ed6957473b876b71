"""Send notifications over one connection with STARTTLS and a login.

Beside it the limit: the same bytes to the same server, three commands at once, nothing looked up
and nothing noted; and Flask-Mail with `connect()`, which notes nothing either and verifies no
certificate.
"""

from __future__ import annotations

import base64
import email
import email.policy
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parseaddr

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from bench.measuring import Fact, Row, Size, interleave, median, seconds
from bench.offices import office
from bench.smtp_sink import Sink, smtp_sink
from flexmail.crypto import key_ring
from flexmail.db import db, transaction
from flexmail.forms import values_from
from flexmail.models import OutboxMail
from flexmail.services import accounts, approval_requests, delivery, sealed_mail, settings
from flexmail.services.approval_requests import NewApproval

FROM, BOB, USER, SECRET = "approvals@corp.test", "bob@corp.test", "deploy", "s3cret"
DETAILS = "Billing 4.2 with the new tax rates.\n" * 20


def measure(size: Size) -> list[Row | Fact]:
    number = size.of(quick=20, full=400)
    with office() as app, smtp_sink() as sink:
        _set_up(sink, number)
        mails = [
            (mail.recipient, sealed_mail.opened(mail.sealed_content, key_ring()))
            for mail in _queued()
        ]
        peer = _flask_mail(app, sink, mails)
        candidates = {
            "flexmail": lambda: _deliver(number),
            "raw": lambda: seconds(lambda: _raw(sink, mails)),
        }
        if peer:
            candidates["Flask-Mail"] = lambda: seconds(peer)
        took = {
            name: median(found)
            for name, found in interleave(candidates, rounds=size.rounds).items()
        }
    shown = {name: f"{number / took[name]:.0f}/s" for name in took}
    other = took.get("Flask-Mail")
    ours = took["flexmail"]
    return [
        Row("raw, pipelined", shown["flexmail"], shown["raw"], took["raw"] / ours, 0.75),
        Row(
            "Flask-Mail with connect()",
            shown["flexmail"],
            shown.get("Flask-Mail", "missing"),
            other and other / ours,
            2.0,
        ),
        Fact("size of a mail", f"{sum(len(raw) for _, raw in mails) // number} bytes"),
    ]


def _set_up(sink: Sink, number: int) -> None:
    now = datetime.now(UTC)
    accounts.add(BOB, role="approver", name="Bob", now=now)
    given = {
        "smtp_host_name": sink.host,
        "smtp_host_port": sink.port,
        "smtp_user": USER,
        "smtp_password": SECRET,
        "smtp_from_address": f"Deployments <{FROM}>",
        "tls_ca_certificates": sink.ca_pem,
    }
    settings.save(values_from(settings.stored_values(settings.load()), given))
    for count in range(number):
        wanted = NewApproval(title=f"Deploy {count}", details=DETAILS, approvers=(BOB,))
        approval_requests.request(wanted, now=now)


def _queued() -> list[OutboxMail]:
    wanted = select(OutboxMail).options(joinedload(OutboxMail.content))
    return list(db.session.scalars(wanted))


def _deliver(number: int) -> float:
    now = datetime.now(UTC)
    with transaction():
        for mail in db.session.scalars(select(OutboxMail)):
            mail.state, mail.attempts, mail.retry_at = "queued", 0, now
    reports: list[delivery.Report] = []
    took = seconds(lambda: reports.append(delivery.deliver_due(now=now)))
    assert reports[0].sent == number, reports[0]
    return took


def _raw(sink: Sink, mails: list[tuple[str, bytes]]) -> None:
    """The least that can be said: a connection, and for each mail two writes and four replies."""
    sock = socket.create_connection((sink.host, sink.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    replies = sock.makefile("rb")

    def expect(code: bytes) -> None:
        while (line := replies.readline())[3:4] == b"-":
            pass
        assert line.startswith(code), line

    expect(b"220")
    sock.sendall(b"EHLO raw.test\r\n")
    expect(b"250")
    sock.sendall(b"STARTTLS\r\n")
    expect(b"220")
    context = ssl.create_default_context(cadata=sink.ca_pem)
    with context.wrap_socket(sock, server_hostname=sink.host) as tls:
        replies = tls.makefile("rb")
        tls.sendall(b"EHLO raw.test\r\n")
        expect(b"250")
        token = base64.b64encode(f"\0{USER}\0{SECRET}".encode())
        tls.sendall(b"AUTH PLAIN " + token + b"\r\n")
        expect(b"235")
        for recipient, raw in mails:
            envelope = f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
            tls.sendall(envelope.encode())
            expect(b"250")
            expect(b"250")
            expect(b"354")
            tls.sendall(raw.replace(b"\n.", b"\n..") + b".\r\n")
            expect(b"250")
        tls.sendall(b"QUIT\r\n")
        expect(b"221")


def _flask_mail(
    app: Flask, sink: Sink, mails: list[tuple[str, bytes]]
) -> Callable[[], None] | None:
    try:
        import flask_mail
    except ImportError:
        return None
    app.config |= {
        "MAIL_SERVER": sink.host,
        "MAIL_PORT": sink.port,
        "MAIL_USE_TLS": True,
        "MAIL_USERNAME": USER,
        "MAIL_PASSWORD": SECRET,
    }
    peer = flask_mail.Mail(app)
    messages = []
    for recipient, raw in mails:
        read = email.message_from_bytes(raw, policy=email.policy.default)
        text, html = (_part(read, kind) for kind in ("plain", "html"))
        messages.append(
            flask_mail.Message(
                str(read["Subject"]),
                recipients=[recipient],
                body=text,
                html=html,
                sender=parseaddr(str(read["From"])),
            )
        )

    def send() -> None:
        with peer.connect() as connection:
            for message in messages:
                connection.send(message)

    return send


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())
