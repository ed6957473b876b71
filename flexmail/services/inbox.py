"""Run the reply job: one owner at a time, on one folder, within a minute by the wall clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from flexmail.db import db, transaction
from flexmail.errors import FlexmailError, OwnershipLost
from flexmail.models import EmailSettings
from flexmail.services import (
    canary,
    channels,
    folder_memory,
    installation,
    leases,
    reply_folders,
    settings,
)
from flexmail.services.moments import iso
from flexmail.services.reply_run import LEASE, Patience, Report, Run
from flexmail.services.taking import take
from flexmail.transport.imap import open_folder

__all__ = ["Patience", "Report", "process_replies", "summary_of"]

log = logging.getLogger(__name__)

CHANNEL = LEASE
LEASE_SECONDS = 12.0
PATIENCE = Patience()


def process_replies(
    *,
    now: datetime,
    at_once: bool = False,
    keep_going: Callable[[], bool] = lambda: True,
    patience: Patience = PATIENCE,
) -> Report:
    """Run the reply job once, on at most `email_reply_process_count` mails; commits as it goes.

    What goes wrong with server or network is in `Report.error` and on the status page, and costs
    no mail anything. Where the settings want a proof of the sender and the mail server has not yet
    shown that it can give one, no reply is read, and `Report.waits_for` says so.

    Args:
        at_once: act whatever pause is running (somebody asked for it by hand).
        keep_going: asked between batches; False ends the run, keeping what was committed.
        patience: how long the mail server may take.
    """
    report = Report(at=now)
    began = time.monotonic()
    row = settings.load()
    report.error = _objection(row, now, at_once=at_once)
    if report.error:
        return report
    db.session.expunge(row)  # what it said stays, and each commit asks whether it still holds
    with leases.hold(LEASE, now=now, seconds=LEASE_SECONDS) as fence:
        if fence is None:
            report.busy = True
            report.error = "Another run is reading the folder right now."
            return report

        def goes_on() -> bool:
            return keep_going() and time.monotonic() - began < patience.run_seconds

        _run(report, row, fence, goes_on, patience)
    report.seconds = round(time.monotonic() - began, 3)
    if not report.error:
        with transaction(durable=False):
            channels.finished(CHANNEL, summary_of(report))
    return report


def _objection(row: EmailSettings, now: datetime, *, at_once: bool) -> str:
    if not row.enable_email_approval:
        return "Email approval is off: nothing was read and nothing deleted."
    if reason := installation.objection():
        log.warning("replies: %s", reason)
        return reason
    if not at_once and channels.is_paused(CHANNEL, revision=row.revision, now=now):
        return "Waiting after a failure: see the status page."
    return ""


def summary_of(report: Report) -> dict[str, object]:
    """Return what is stored about a run, as JSON values."""
    return {
        "at": iso(report.at, timespec="milliseconds"),
        "looked_at": report.looked_at,
        "left": report.left,
        "by_outcome": report.by_outcome,
        "seconds": report.seconds,
    }


def _run(
    report: Report,
    row: EmailSettings,
    fence: int,
    keep_going: Callable[[], bool],
    patience: Patience,
) -> None:
    with transaction(durable=False):  # a note on how the run fares, which the next one writes anew
        channels.started(CHANNEL, now=report.at)
    revision, in_force = row.revision, settings.in_force(row)
    try:
        account = settings.imap_account(row)
        name = reply_folders.account_name(row)
        run = Run(name, in_force, report.at, fence, report, keep_going, patience)
        canary.prepare(run)
        db.session.rollback()  # no transaction is open while the network is used
        with open_folder(
            account,
            in_force.email_reply_folder,
            step_seconds=patience.step_seconds,
            run_seconds=patience.run_seconds,
        ) as folder:
            report.waits_for = canary.settle(folder, run)
            if report.waits_for:
                report.held = folder_memory.recall(folder, run).held.get("count", 0)
                report.left = max(0, folder.exists - report.held)
            else:
                take(folder, run)
        if report.error:
            raise FlexmailError(report.error)
    except OwnershipLost as error:
        report.error = str(error)
    except FlexmailError as error:
        log.warning("replies: %s", error)
        report.error = channels.explain(error)
        channels.failed(CHANNEL, error, revision=revision, now=report.at)
    except Exception as error:
        db.session.rollback()
        broke = FlexmailError(f"The run broke off ({type(error).__name__}): see the log.")
        channels.failed(CHANNEL, broke, revision=revision, now=report.at)
        raise


def interval(row: EmailSettings) -> timedelta:
    """Return the time from the start of one run to the start of the next."""
    return timedelta(minutes=row.email_reply_process_interval)
