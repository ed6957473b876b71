"""Where processes are killed: real servers behind proxies, a database, requests and answers."""

from __future__ import annotations

import hashlib
import itertools
import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from imapclient.exceptions import IMAPClientError
from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.models import Channel, Lease, OutboxMail, Reply
from flexmail.services import accounts, approval_requests, settings
from flexmail.services.approval_requests import NewApproval
from tests.faults.proxy import Proxy
from tests.servers import PASSWORD, Dovecot, Exim
from tests.services import stage

BOB, CHARLIE = "bob@example.test", "charlie@example.test"
OURS = "approvals@example.test"
VERDICTS = {"Approve": "approved", "Reject": "rejected"}


@dataclass(frozen=True)
class Asked:
    """A request, what Bob answers (twice, the same bytes), and what Charlie tries."""

    approval_id: int
    outbox_id: int
    word: str
    mails: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True)
class Round:
    """The mails that are in flight together; `began` is when the folder held them all."""

    asked: tuple[Asked, ...]
    began: datetime
    first_outbox_id: int

    @property
    def mails(self) -> list[bytes]:
        return [raw for asked in self.asked for raw in asked.mails]

    @property
    def digests(self) -> set[str]:
        return {digest_of(raw) for raw in self.mails}


@dataclass
class Ground:
    """Everything that outlives a kill."""

    app: Flask
    instance: Path
    dovecot: Dovecot
    exim: Exim
    imap: Proxy
    smtp: Proxy
    client: Any
    rounds: list[Round] = field(default_factory=list)

    def ask(self, requests: int, *, sent: bool = True) -> Round:
        """Make requests, and put the answers into the folder: three mails for each.

        Args:
            sent: take it that the requests were sent before.
        """
        asked = tuple(self._ask(word) for word in itertools.islice(_words, requests))
        last = max(one.outbox_id for one in asked)
        if sent:
            with transaction():
                waiting = OutboxMail.kind == "approval_request"
                db.session.execute(update(OutboxMail).where(waiting).values(state="sent"))
        made = Round(asked, datetime.now(UTC), last + 1)
        self.append(made.mails)
        self.rounds.append(made)
        return made

    def append(self, mails: list[bytes]) -> None:
        """Put mails into the folder, over a new connection where the last one was lost."""
        try:
            self.client.multiappend("INBOX", mails)
        except (IMAPClientError, OSError):
            self.connect()
            self.client.multiappend("INBOX", mails)

    def connect(self) -> None:
        """Log in anew."""
        with suppress(IMAPClientError, OSError):
            self.client.shutdown()
        self.client = self.dovecot.client(OURS)

    def _ask(self, word: str) -> Asked:
        now = datetime.now(UTC)
        wanted = NewApproval(title="Deploy billing 4.2", approvers=(BOB,))
        approval_id = approval_requests.request(wanted, now=now).id
        found = select(OutboxMail).where(OutboxMail.approval_id == approval_id)
        mail = db.session.scalars(found.options(joinedload(OutboxMail.content))).one()
        asked, outbox_id = question_of(stage.opened(mail), approval_id), mail.id
        db.session.rollback()
        answer = stage.reply(asked, f"{word} as discussed", sender=f"Bob <{BOB}>")
        stolen = stage.reply(asked, "Approve", sender=f"Charlie <{CHARLIE}>")
        return Asked(approval_id, outbox_id, word, (answer, stolen, answer))

    def folder(self) -> dict[str, list[bool]]:
        """Return what is in the folder: by digest, whether each copy is marked deleted."""
        self.client.select_folder("INBOX", readonly=True)
        found: dict[str, list[bool]] = {}
        uids = self.client.search()
        for items in (self.client.fetch(uids, ["FLAGS", "BODY.PEEK[]"]) if uids else {}).values():
            if (raw := items.get(b"BODY[]")) is None:
                continue  # expunged meanwhile
            marked = b"\\Deleted" in items[b"FLAGS"]
            found.setdefault(digest_of(raw), []).append(marked)
        return found

    def rows(self, digests: set[str]) -> list[Reply]:
        db.session.rollback()
        wanted = select(Reply).where(Reply.sha256.in_(digests)).order_by(Reply.id)
        return list(db.session.scalars(wanted.execution_options(populate_existing=True)))

    def answers(self, made: Round) -> list[OutboxMail]:
        """Return the mails that were queued since the round began."""
        db.session.rollback()
        wanted = select(OutboxMail).where(OutboxMail.id >= made.first_outbox_id)
        return list(db.session.scalars(wanted.execution_options(populate_existing=True)))

    def has_begun(self, made: Round) -> bool:
        """Tell whether a run has begun since."""
        db.session.rollback()
        channel = db.session.get(Channel, "replies")
        return bool(channel and channel.started_at and channel.started_at >= made.began)

    def let_time_pass(self) -> None:
        """Let leases and claims of dead processes run out, as if that time had gone by."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with transaction():
            db.session.execute(update(Lease).values(expires_at=past))
            sending = OutboxMail.state == "sending"
            db.session.execute(update(OutboxMail).where(sending).values(claimed_until=past))


def question_of(raw: bytes, approval_id: int) -> stage.Asked:
    """Return what Bob is sent."""
    text = stage.text_of(raw)
    (reference,) = set(stage.REFERENCE.findall(text))
    return stage.Asked(approval_id, BOB, reference, stage.read(raw)["Message-ID"], text, raw)


def digest_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@contextmanager
def ground(folder: Path, **more: object) -> Iterator[Ground]:
    """Start servers and proxies; settings lead through the proxies, encrypted."""
    os.environ["FLEXMAIL_INSTANCE_PATH"] = str(folder / "instance")
    app = create_app({"TESTING": True})
    with ExitStack() as stack:
        dovecot = stack.enter_context(Dovecot())
        exim = stack.enter_context(Exim(dovecot))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        dovecot.authority.issue_cert(Proxy.host).configure_cert(context)
        imap, smtp = (
            Proxy(server, dovecot.ca_pem, context, "implicit")
            for server in ((dovecot.host, dovecot.imaps_port), (exim.host, exim.smtps_port))
        )
        for proxy in (imap, smtp):
            stack.callback(proxy.stop)
            proxy.listen()
        stack.enter_context(app.app_context())
        now = datetime.now(UTC)
        accounts.add(BOB, role="approver", name="Bob", now=now)
        settings.save(stage.fill_in(**connection(imap, smtp, dovecot.ca_pem), **more))
        where = Ground(app, folder / "instance", dovecot, exim, imap, smtp, dovecot.client(OURS))
        yield where
        with suppress(IMAPClientError, OSError):
            where.client.logout()
        db.session.remove()
        db.engine.dispose()


def connection(imap: Proxy, smtp: Proxy, ca_pem: str) -> dict[str, object]:
    """Return settings that lead through the proxies."""
    return {
        "smtp_host_name": smtp.host,
        "smtp_host_port": smtp.port,
        "smtp_implicit_tls": True,
        "smtp_user": OURS,
        "smtp_password": PASSWORD,
        "smtp_from_address": f"Deployments <{OURS}>",
        "enable_email_approval": True,
        "imap_host_name": imap.host,
        "imap_host_port": imap.port,
        "imap_implicit_tls": True,
        "tls_ca_certificates": ca_pem,
    }


_words = itertools.cycle(VERDICTS)
