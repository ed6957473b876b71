"""Give the mails of one batch their outcomes, inside the caller's write transaction.

All are judged by what was looked up for them at once. Where one of them breaks that, each is judged
by itself: it is this mail's trouble then, and no other's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import BindParameter, Table, Update, bindparam, update
from sqlalchemy.exc import OperationalError

from flexmail.db import db, savepoint
from flexmail.errors import OwnershipLost, ReadingFailed
from flexmail.models import Reply
from flexmail.services import bindings, closing, kept_mail, storing
from flexmail.services.bindings import Bindings, Entry
from flexmail.services.receiving import receive
from flexmail.services.reply_run import Run
from flexmail.services.tries import MAX_TRIES
from flexmail.services.understood import Understood
from flexmail.transport.imap import Fetched

log = logging.getLogger(__name__)

_REPLIES = cast(Table, Reply.__table__)

Said = Mapping[int, Understood | Exception]
"""What each mail says or what it did, by UID."""


def conclude(
    batch: list[Fetched], entries: Mapping[int, Entry], said: Said, run: Run
) -> dict[int, str]:
    """Give each mail its outcome, or leave it open for another try.

    Returns:
        The outcomes, by UID.

    Raises:
        OwnershipLost: somebody else gave one of them an outcome.
    """
    now = run.clock()
    understood = {uid: mail for uid, mail in said.items() if isinstance(mail, Understood)}
    troubles: dict[int, Exception] = {
        uid: trouble for uid, trouble in said.items() if not isinstance(trouble, Understood)
    }
    outcomes: dict[int, str] = {}
    try:
        with savepoint():
            bound = bindings.look_up(
                set().union(*(mail.digests for mail in understood.values())),
                [entries[uid] for uid in understood],
            )
            outcomes |= _receive(understood, entries, run, now, bound)
    except (OperationalError, OSError, OwnershipLost):
        raise  # the database or this machine is in trouble, not a mail
    except Exception:
        troubles |= _conclude_singly(understood, entries, run, now, outcomes)
    for mail in batch:
        if mail.uid in troubles:
            given_up = _try_again(entries[mail.uid], mail, troubles[mail.uid], now)
            outcomes |= {mail.uid: given_up} if given_up else {}
    return outcomes


def _conclude_singly(
    understood: Mapping[int, Understood],
    entries: Mapping[int, Entry],
    run: Run,
    now: datetime,
    outcomes: dict[int, str],
) -> dict[int, Exception]:
    """Conclude mail by mail, and add the outcomes; return what went wrong, by UID."""
    troubles: dict[int, Exception] = {}
    for uid, mail in understood.items():
        try:
            with savepoint():
                outcomes |= _receive({uid: mail}, entries, run, now, None)
        except (OperationalError, OSError, OwnershipLost):
            raise  # the database or this machine is in trouble, not this mail
        except Exception as error:
            log.exception("A mail could not be processed: UID %d", uid)
            troubles[uid] = error
    return troubles


def _receive(
    understood: Mapping[int, Understood],
    entries: Mapping[int, Entry],
    run: Run,
    now: datetime,
    bound: Bindings | None,
) -> dict[int, str]:
    """Judge these mails and write down all that comes of it; return the outcomes, by UID."""
    received = {
        uid: receive(mail, entries[uid], settings=run.settings, now=now, bound=bound)
        for uid, mail in understood.items()
    }
    _write([{"entry": entries[uid].id, **received[uid].columns} for uid in received])
    closing.store()
    storing.store()
    return {uid: each.outcome.kind for uid, each in received.items()}


def _try_again(entry: Entry, mail: Fetched, trouble: Exception, now: datetime) -> str:
    """Note what went wrong; after the last try the mail is given up, its copy kept.

    Returns:
        The outcome of a mail that is given up, "" where another try follows.
    """
    what = str(trouble) if isinstance(trouble, ReadingFailed) else type(trouble).__name__
    reason = f"Try {entry.tries} to process this mail broke off: {what.rstrip('.')}."
    columns: dict[str, object] = {"entry": entry.id, "reason": reason}
    outcome = ""
    if entry.tries >= MAX_TRIES:
        # What lies behind the copy is told by the outcome alone: see `text_is_behind`.
        outcome = "too_large" if mail.text_behind else "failed"
        columns |= {"outcome": outcome, "processed_at": now}
        columns |= {"raw_partial": mail.partial, "sealed_raw": kept_mail.sealed(mail.raw)}
    _write([columns])
    return outcome


def _write(rows: list[dict[str, Any]]) -> None:
    """Fill in rows that have no outcome yet, all with the same columns."""
    if not rows:
        return
    fill_in = _filling_in(tuple(rows[0]))
    if db.session.connection().execute(fill_in, rows).rowcount != len(rows):
        raise OwnershipLost("Somebody else gave a mail of this batch its outcome.")


@lru_cache(maxsize=8)
def _filling_in(names: tuple[str, ...]) -> Update:
    still_open = _REPLIES.c.id == bindparam("entry"), _REPLIES.c.outcome.is_(None)
    columns: dict[str, BindParameter[Any]] = {
        name: bindparam(name) for name in names if name != "entry"
    }
    return update(_REPLIES).where(*still_open).values(columns)
