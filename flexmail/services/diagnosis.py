"""Test Email Configuration: try the values as typed, step by step, and change nothing.

It goes the very way that sending and reading go; only the folder is opened read-only and nothing
is deleted but the probe that a round trip sent itself.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flexmail.db import db
from flexmail.errors import MailServerError, Refused, Unreachable
from flexmail.mail.address import parse_mailbox
from flexmail.mail.compose import OutgoingContent, compose
from flexmail.services import outbox, settings
from flexmail.services.settings import Values
from flexmail.transport.imap import Folder, ImapAccount, open_folder
from flexmail.transport.smtp import SmtpAccount, open_session
from flexmail.transport.trace import Trace

SMTP_STEPS = ("resolve", "connect", "tls", "login", "send")
IMAP_STEPS = ("resolve", "connect", "tls", "login", "folder")
STEP_SECONDS = 10.0
WHOLE_SECONDS = 28.0
ROUND_TRIP_SECONDS = 20.0
_PROBE_PAUSE_SECONDS = 0.5
_COUNTS = 5


def test_email(values: Values, *, to: str, round_trip: bool, now: datetime) -> dict[str, Any]:
    """Try SMTP and IMAP side by side with values as typed; returns within half a minute.

    Args:
        values: every field of the form, validated.
        to: who gets the test mail.
        round_trip: also send a probe to the Approval Reply Address and await it in the folder.

    Returns:
        `{"smtp": {"ok", "steps"}, "imap": {"ok", "waiting", "steps"} | None}`; a step is
        `{"name", "ok", "seconds", "detail", "hint"}`, its `ok` None when it was not reached.

    Raises:
        InvalidInput: a password has to be typed first; nothing was connected with.
    """
    deadline = time.monotonic() + WHOLE_SECONDS
    smtp, imap = settings.typed_accounts(settings.load(), values)
    db.session.rollback()  # no transaction is open while the network is used
    mail = _test_mail(values, to, now)
    probe = _probe(values, now) if round_trip and imap else None
    smtp_trace = Trace(SMTP_STEPS)
    imap_trace = Trace((*IMAP_STEPS, "round_trip") if probe else IMAP_STEPS)
    probe_left = Future[bool]()
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="email-test") as pool:
        sending = pool.submit(
            _try_smtp, smtp, smtp_trace, [mail, *filter(None, [probe])], probe_left
        )
        waiting = None
        if imap:
            name = str(values["email_reply_folder"])
            reading = pool.submit(_try_imap, imap, imap_trace, name, probe, probe_left, deadline)
            waiting = reading.result()
        sending.result()
    return {
        "smtp": _result(smtp_trace),
        "imap": {**_result(imap_trace), "waiting": waiting} if imap else None,
    }


@dataclass(frozen=True, slots=True)
class _Message:
    sender: str
    recipient: str
    message_id: str
    raw: bytes


def _try_smtp(
    account: SmtpAccount, trace: Trace, mails: list[_Message], probe_left: Future[bool]
) -> None:
    """Send the test mail, and the probe after it; the trace holds what happened."""
    sent = False
    try:
        with (
            suppress(MailServerError),  # cause and hint stand in the trace
            open_session(
                account, trace=trace, step_seconds=STEP_SECONDS, run_seconds=WHOLE_SECONDS
            ) as session,
            trace.step("send") as step,
        ):
            for mail in mails:
                step.detail = session.send(mail.sender, mail.recipient, mail.raw)
            sent = True
    finally:
        probe_left.set_result(sent)


def _try_imap(
    account: ImapAccount,
    trace: Trace,
    folder_name: str,
    probe: _Message | None,
    probe_left: Future[bool],
    deadline: float,
) -> int | None:
    """Open the folder read-only; return how many mails wait in it, None when it did not open."""
    waiting = None
    with suppress(MailServerError):  # cause and hint stand in the trace
        with open_folder(
            account,
            folder_name,
            readonly=True,
            trace=trace,
            step_seconds=STEP_SECONDS,
            run_seconds=deadline - time.monotonic(),
        ) as folder:
            waiting = _count_others(folder, probe) if probe else folder.exists
        if probe:
            _await_probe(account, trace, folder_name, probe, probe_left, deadline)
    return waiting


def _count_others(folder: Folder, probe: _Message) -> int:
    """Count without the probe, which may arrive at any moment: also during the search."""
    ours: list[int] = []
    for _ in range(_COUNTS):
        seen = folder.exists
        ours = folder.find_header("Message-ID", probe.message_id)
        if folder.exists == seen:
            break
    return max(0, folder.exists - len(ours))


def _await_probe(
    account: ImapAccount,
    trace: Trace,
    folder_name: str,
    probe: _Message,
    probe_left: Future[bool],
    deadline: float,
) -> None:
    """Look for the probe until it arrives; remove it, and it alone."""
    with trace.step("round_trip") as step:
        if not probe_left.result(timeout=max(0.1, deadline - time.monotonic())):
            raise Unreachable("The probe could not be sent.", hint="See the steps of SMTP.")
        until = min(deadline, time.monotonic() + ROUND_TRIP_SECONDS)
        with open_folder(account, folder_name, run_seconds=until - time.monotonic()) as folder:
            found: list[int] = []
            while not found:
                found = folder.find_header("Message-ID", probe.message_id)
                if not found and time.monotonic() > until - 1:
                    raise Refused(
                        f"A probe sent to {probe.recipient} did not appear in the reply folder.",
                        hint="Approval Reply Address and IMAP User have to be the same mailbox, or"
                        " the address has to deliver into this folder.",
                    )
                if not found:
                    time.sleep(_PROBE_PAUSE_SECONDS)
            folder.delete(found)
        step.detail = "The probe arrived in the reply folder and was removed."


def _test_mail(values: Values, to: str, now: datetime) -> _Message:
    return _message(values, to, outbox.render("test", {}), now)


def _probe(values: Values, now: datetime) -> _Message:
    address = str(values["approval_reply_address"] or values["smtp_from_address"])
    text = "flexmail looks whether this mail reaches the reply folder, and removes it.\n"
    content = OutgoingContent("flexmail round trip", text, f"<p>{text}</p>")
    return _message(values, parse_mailbox(address).addr_spec, content, now)


def _message(values: Values, to: str, content: OutgoingContent, now: datetime) -> _Message:
    sender = parse_mailbox(str(values["smtp_from_address"]))
    message_id = outbox.own_message_id(str(values["smtp_from_address"]))
    raw = compose(
        sender=sender,
        recipient=to,
        content=content,
        message_id=message_id,
        date=now,
        reply_to=None,
        in_reply_to=None,
        kind="test",
    )
    return _Message(sender.addr_spec, to, message_id, raw)


def _result(trace: Trace) -> dict[str, Any]:
    steps = [
        {**asdict(step), "seconds": None if step.seconds is None else round(step.seconds, 3)}
        for step in trace.steps
    ]
    return {"ok": all(step["ok"] for step in steps), "steps": steps}
