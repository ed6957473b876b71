"""What the tests of the services share: settings that hold, mails, and hands to deliver them."""

from __future__ import annotations

import email
import hashlib
import itertools
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from flexmail.crypto import key_ring
from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.forms import values_from
from flexmail.models import OutboxMail, Reply, ReplyFolder
from flexmail.services import (
    accounts,
    approval_requests,
    cases,
    reply_folders,
    sealed_mail,
    settings,
)
from flexmail.services.approval_requests import NewApproval
from flexmail.services.bindings import Entry
from flexmail.services.receiving import receive
from flexmail.services.understood import understand
from tests.conftest import NOW

ADA, BOB, CHARLIE = "ada@corp.test", "bob@corp.test", "charlie@evil.test"
APPROVALS = "approvals@corp.test"
SECRET = "s3cret-of-the-mailbox"
REFERENCE = re.compile(r"FM-[A-Z2-7]{26}")

BASICS: dict[str, object] = {
    "smtp_host_name": "mail.corp.test",
    "smtp_from_address": f"Deployments <{APPROVALS}>",
    "enable_email_approval": True,
    "imap_host_name": "mail.corp.test",
}

Result = TypeVar("Result")
_numbers = itertools.count(1)


def fill_in(**given: object) -> dict[str, str | int | bool]:
    """Return every field as a form would give it; what is not given keeps its stored value."""
    return values_from(settings.stored_values(settings.load()), given)


def set_up(**given: object) -> list[str]:
    """Save what is given over what is stored, at first over `BASICS`; return the notices."""
    basics = {} if settings.load().revision else BASICS
    notices = settings.save(fill_in(**(basics | given)))
    own_folder()
    return notices


def own_folder() -> None:
    """Have an admin confirm that the folder of the settings is flexmail's, so that it may be read.

    What happens without that is told in `test_first_run`.
    """
    with transaction():
        row = settings.load()
        folder = reply_folders.of(row)
        if folder is None:
            folder = ReplyFolder(
                account=reply_folders.account_name(row),
                folder=settings.in_force(row).email_reply_folder,
                uidvalidity=0,
            )
            db.session.add(folder)
        folder.held_below_uid, folder.held, folder.confirmed_at = None, None, NOW


def connect(server: MailServer, **given: object) -> None:
    """Save settings that lead to the mail server of a test."""
    set_up(
        **{
            "smtp_host_name": server.host,
            "smtp_host_port": server.smtp_port,
            "smtp_user": APPROVALS,
            "smtp_password": SECRET,
            "imap_host_name": server.host,
            "imap_host_port": server.imap_port,
            "tls_ca_certificates": server.ca_pem,
            **given,
        }
    )


@dataclass(frozen=True)
class Asked:
    """What one approver was sent: the request's id, the secrets, the text and the bytes."""

    approval_id: int
    to: str
    reference: str
    message_id: str
    text: str
    raw: bytes


def ask(
    *approvers: str,
    now: datetime = NOW,
    title: str = "Deploy billing 4.2",
    comment_required: bool = False,
    mail_decision: str = "allow",
    expires_in: int | None = None,
    callback_url: str = "",
) -> Asked:
    """Request an approval; return what the first approver was sent."""
    wanted = NewApproval(
        title=title,
        approvers=approvers or (BOB,),
        comment_required=comment_required,
        mail_decision=mail_decision,
        expires_in=expires_in,
        callback_url=callback_url,
    )
    return asked(approval_requests.request(wanted, now=now).id)


def asked(approval_id: int, to: str | None = None) -> Asked:
    """Return what an approver was sent about a request; without `to` the first one."""
    mail = next(
        mail
        for mail in queued("approval_request")
        if mail.approval_id == approval_id and to in (None, mail.recipient)
    )
    raw = opened(mail)
    text = text_of(raw)
    found = REFERENCE.search(text)
    return Asked(
        approval_id=approval_id,
        to=mail.recipient,
        reference=found.group() if found else "",
        message_id=str(read(raw)["Message-ID"]),
        text=text,
        raw=raw,
    )


def held(approval_id: int, to: str = BOB) -> tuple[cases.Case, cases.Person]:
    """Inside a write transaction: return what a decision is judged by."""
    user_id = accounts.get(to).id
    found, people = cases.hold([approval_id], [user_id])
    return found[approval_id], people[user_id]


def queued(kind: str = "", to: str = "") -> list[OutboxMail]:
    """Return the mails of the outbox, the oldest first."""
    wanted = select(OutboxMail).order_by(OutboxMail.id).options(joinedload(OutboxMail.content))
    return [
        mail
        for mail in db.session.scalars(wanted.execution_options(populate_existing=True))
        if kind in ("", mail.kind) and to in ("", mail.recipient)
    ]


def opened(mail: OutboxMail) -> bytes:
    return sealed_mail.opened(mail.sealed_content, key_ring())


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(raw: bytes, kind: str = "plain") -> str:
    body = read(raw).get_body((kind,))
    assert body is not None
    return str(body.get_content())


def reply(
    to: Asked | None,
    said: str = "Approve",
    *,
    sender: str = f"Bob <{BOB}>",
    history: bool = True,
    threaded: bool = True,
    headers: tuple[str, ...] = (),
    body: str | None = None,
) -> bytes:
    """Return a reply as a mail program writes it: the words, then the quoted request."""
    number = next(_numbers)
    lines = [
        f"From: {sender}",
        f"To: {APPROVALS}",
        "Subject: Re: Approval requested: Deploy billing 4.2",
        f"Message-ID: <answer{number}@client.test>",
        "Date: Mon, 02 Nov 2026 09:05:00 +0000",
    ]
    if to and threaded:
        lines += [f"In-Reply-To: {to.message_id}", f"References: {to.message_id}"]
    lines += headers
    if not any(header.lower().startswith("content-type:") for header in headers):
        lines += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
    if body is None:
        quoted = [f"> {line}".rstrip() for line in to.text.splitlines()] if to and history else []
        body = "\r\n".join([said, "", *quoted])
    return ("\r\n".join(lines) + "\r\n\r\n" + body + "\r\n").encode()


def hand_in(raw: bytes, *, now: datetime = NOW, partial: bool = False) -> Reply:
    """Receive one mail as the reply job does, without a mail server; return its row."""
    with transaction():
        return receive_in(raw, now=now, partial=partial)


def receive_in(raw: bytes, *, now: datetime = NOW, partial: bool = False) -> Reply:
    """Do the same inside the write transaction of a test."""
    in_force = settings.in_force(settings.load())
    mail = understand(raw, partial=partial, settings=in_force)
    row = Reply(
        account="approvals@mail.corp.test:143",
        folder="INBOX",
        uidvalidity=1,
        uid=next(_numbers),
        sha256=hashlib.sha256(raw).hexdigest(),
        tries=1,
        first_seen_at=now,
    )
    db.session.add(row)
    db.session.flush()
    receive(mail, Entry.of(row), settings=in_force, now=now).fill_in(row)
    return row


def together(app: Flask, *calls: Callable[[], Result]) -> list[Result | Exception]:
    """Make the calls at the same moment, each in a thread and context of its own."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result | Exception:
        with app.app_context():
            barrier.wait(10)
            try:
                return call()
            except Exception as error:
                return error

    db.session.rollback()
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def locked_database(app: Flask) -> Iterator[None]:
    """Hold the write lock as another process would, and let nobody wait long for it."""
    db.session.rollback()
    db.session.connection().exec_driver_sql("PRAGMA busy_timeout=1")
    db.session.rollback()
    other = sqlite3.connect(Path(app.instance_path, "flexmail.db"), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()
