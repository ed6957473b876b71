"""Give the mails of one batch their outcomes, inside the caller's write transaction.

All are judged by what was looked up for them at once. Where one of them breaks that, each is judged
by itself: it is this mail's trouble then, and no other's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlalchemy.exc import OperationalError

from flexmail.db import savepoint
from flexmail.errors import ReadingFailed
from flexmail.models import Reply
from flexmail.services import bindings
from flexmail.services.bindings import Bindings
from flexmail.services.receiving import receive
from flexmail.services.reply_run import Run
from flexmail.services.tries import MAX_TRIES
from flexmail.services.understood import Understood, sealed_copy
from flexmail.transport.imap import Fetched

log = logging.getLogger(__name__)

Said = Mapping[int, Understood | Exception]
"""What each mail says or what it did, by UID."""


def conclude(batch: list[Fetched], rows: Mapping[int, Reply], said: Said, run: Run) -> None:
    """Give each row its outcome, or leave it open for another try."""
    understood = {uid: mail for uid, mail in said.items() if isinstance(mail, Understood)}
    troubles: dict[int, Exception] = {
        uid: trouble for uid, trouble in said.items() if not isinstance(trouble, Understood)
    }
    try:
        with savepoint():
            bound = bindings.look_up(
                set().union(*(mail.digests for mail in understood.values())),
                [rows[uid] for uid in understood],
            )
            for uid, mail in understood.items():
                _receive(mail, rows[uid], run, bound)
    except (OperationalError, OSError):
        raise  # the database or this machine is in trouble, not a mail
    except Exception:
        troubles |= _conclude_singly(understood, rows, run)
    for fetched in batch:
        if fetched.uid in troubles:
            _try_again(rows[fetched.uid], fetched, troubles[fetched.uid], run)


def _conclude_singly(
    understood: Mapping[int, Understood], rows: Mapping[int, Reply], run: Run
) -> dict[int, Exception]:
    """Conclude mail by mail; return what went wrong, by UID."""
    troubles: dict[int, Exception] = {}
    for uid, mail in understood.items():
        try:
            with savepoint():
                _receive(mail, rows[uid], run, None)
        except (OperationalError, OSError):
            raise  # the database or this machine is in trouble, not this mail
        except Exception as error:
            log.exception("A mail could not be processed: UID %d", uid)
            troubles[uid] = error
    return troubles


def _receive(mail: Understood, row: Reply, run: Run, bound: Bindings | None) -> None:
    receive(mail, row, settings=run.settings, now=run.clock(), bound=bound)


def _try_again(row: Reply, mail: Fetched, trouble: Exception, run: Run) -> None:
    """Note what went wrong; after the last try the mail is given up, its copy kept."""
    what = str(trouble) if isinstance(trouble, ReadingFailed) else type(trouble).__name__
    row.reason = f"Try {row.tries} to process this mail broke off: {what.rstrip('.')}."
    if row.tries >= MAX_TRIES:
        # What lies behind the copy is told by the outcome alone: see `text_is_behind`.
        row.outcome = "too_large" if mail.text_behind else "failed"
        row.processed_at = run.now
        row.raw_partial, row.sealed_raw = mail.partial, sealed_copy(mail.raw)
