"""Process replies as they arrive: watch the folder with IDLE and run the reply job at once.

The interval goes on besides: whatever the watcher misses, the next run finds. A server without
IDLE, or one that is away, is asked again later. A connection that died without a word (a router
that forgot it) is noticed when IDLE is renewed, and mail that came meanwhile is read at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flexmail.db import db
from flexmail.errors import FlexmailError, MailServerError
from flexmail.models import EmailSettings
from flexmail.services import channels, inbox, installation, settings
from flexmail.transport.imap import Folder, open_folder

log = logging.getLogger(__name__)

REARM_SECONDS = 28 * 60
"""Servers may end a connection that idles for 29 minutes (RFC 2177)."""

_RUN_SECONDS = REARM_SECONDS + 60
RENEW_SECONDS = 3 * 60
"""Routers forget a connection on which nothing was said for four or five minutes."""

_REST_SECONDS = 60
"""A server that ends every watch soon is asked no more often."""

_LOOK_SECONDS = 1.0


def watch(
    process: Callable[[datetime], bool],
    keep_going: Callable[[], bool],
    *,
    renew_seconds: float = RENEW_SECONDS,
    step_seconds: float = 10,
) -> None:
    """Watch the reply folder until the settings change or the connection has to be made anew.

    Returns at once where no watch is asked for, or while the server is given a pause.

    Args:
        process: runs the reply job whenever mail is there that was not before; False means that
            another run had the folder, and is asked again.
        keep_going: asked every second; False ends the watch.
        renew_seconds: the longest time in which nothing is said on the connection.
    """
    row, now = settings.load(), datetime.now(UTC)
    revision, name = row.revision, row.email_reply_folder or "INBOX"
    if not _is_wanted(row, now):
        return
    failing = channels.get(inbox.CHANNEL).failing_since is not None
    until = now + timedelta(seconds=REARM_SECONDS)

    def goes_on() -> bool:
        unchanged = settings.load().revision == revision
        db.session.rollback()  # no transaction is open while the network is used
        return unchanged and keep_going() and datetime.now(UTC) < until

    try:
        account = settings.imap_account(row)
        db.session.rollback()
        with open_folder(
            account, name, readonly=True, step_seconds=step_seconds, run_seconds=_RUN_SECONDS
        ) as folder:
            if folder.can_idle:
                _follow(folder, process, goes_on, renew_seconds, at_once=failing)
                return
        log.info("replies: the server has no IDLE, only the interval counts")
        while goes_on():
            time.sleep(_LOOK_SECONDS)
    except FlexmailError as error:
        log.warning("replies: the watch did not begin: %s", error)
        channels.failed(inbox.CHANNEL, error, revision=revision, now=datetime.now(UTC))


def _is_wanted(row: EmailSettings, now: datetime) -> bool:
    if not (row.process_as_they_arrive and row.enable_email_approval):
        return False
    paused = channels.is_paused(inbox.CHANNEL, revision=row.revision, now=now)
    return not (paused or installation.objection())


def _follow(
    folder: Folder,
    process: Callable[[datetime], bool],
    goes_on: Callable[[], bool],
    renew_seconds: float,
    *,
    at_once: bool,
) -> None:
    """Run the job when mail arrives, and once more where the connection is lost.

    Args:
        at_once: whatever there is: a run also tells everybody that the server is back.
    """
    since = time.monotonic()
    arrived = at_once or folder.exists > 0
    try:
        while goes_on():
            while arrived and goes_on() and not process(datetime.now(UTC)):
                time.sleep(_LOOK_SECONDS)
            renew_at = time.monotonic() + renew_seconds
            arrived = folder.idle(lambda: time.monotonic() < renew_at and goes_on())  # noqa: B023
    except MailServerError as error:
        log.warning("replies: the watch ended: %s", error)
        if goes_on():
            # It reads what came while nobody listened, or notes that the server is away.
            process(datetime.now(UTC))
        while goes_on() and time.monotonic() < since + _REST_SECONDS:
            time.sleep(_LOOK_SECONDS)
