"""Process replies as they arrive: watch the folder with IDLE and run the reply job at once.

The interval goes on besides: whatever the watcher misses, the next run finds. A server without
IDLE, or one that is away, is asked again later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flexmail.db import db
from flexmail.errors import FlexmailError
from flexmail.services import settings
from flexmail.transport.imap import open_folder

log = logging.getLogger(__name__)

REARM_SECONDS = 28 * 60
"""Servers may end a connection that idles for 29 minutes (RFC 2177)."""

_SOON = timedelta(seconds=2)
_AFTER_TROUBLE = timedelta(seconds=60)
_WITHOUT_IDLE = timedelta(hours=1)


def watch(process: Callable[[datetime], object], keep_going: Callable[[], bool]) -> timedelta:
    """Watch the reply folder until it is time to look at the settings again.

    Args:
        process: runs the reply job; called whenever there is mail that was not there before.
        keep_going: asked every second; False ends the watch.

    Returns:
        How long to wait before the next call.
    """
    row = settings.load()
    if not (row.process_as_they_arrive and row.enable_email_approval):
        return _SOON
    revision, name = row.revision, row.email_reply_folder or "INBOX"

    def goes_on() -> bool:
        unchanged = settings.load().revision == revision
        db.session.rollback()  # no transaction is open while the network is used
        return unchanged and keep_going()

    try:
        account = settings.imap_account(row)
        db.session.rollback()
        with open_folder(account, name, readonly=True, run_seconds=REARM_SECONDS + 60) as folder:
            if not folder.can_idle:
                log.info("replies: the server has no IDLE, only the interval counts")
                return _WITHOUT_IDLE
            if folder.exists:
                process(datetime.now(UTC))
            rearm_at = datetime.now(UTC) + timedelta(seconds=REARM_SECONDS)
            while goes_on() and datetime.now(UTC) < rearm_at:
                if folder.idle(lambda: goes_on() and datetime.now(UTC) < rearm_at):
                    process(datetime.now(UTC))
    except FlexmailError as error:
        log.warning("replies: the watch ended: %s", error)
        return _AFTER_TROUBLE
    return _SOON
