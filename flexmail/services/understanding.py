"""Read the mails of one batch apart, each while the one before it is taken.

What each may be about is looked up beforehand, from the keys that stand plainly in its source, so
that one question a mail is enough. Where its decoded text leads elsewhere, it is read once more
beside what we really sent. No transaction is open while a mail is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import db
from flexmail.errors import ReaderUnavailable, ReadingFailed
from flexmail.mail.desk import Enquiry, Told
from flexmail.mail.reference import find_keys
from flexmail.services import apart, notifications
from flexmail.services.apart import Apart
from flexmail.services.reply_run import Run
from flexmail.services.tries import MAX_TRIES
from flexmail.services.understood import Understood, sealed_copy, understand
from flexmail.transport.imap import Fetched

log = logging.getLogger(__name__)

_STRETCH_SECONDS = 5.0

Result = TypeVar("Result")


def understand_each(
    batch: Sequence[Fetched], tried: Mapping[int, int], run: Run
) -> tuple[dict[int, Understood | Exception], ReaderUnavailable | None]:
    """Read mail after mail, as long as the run may last and there is a process that reads.

    Returns:
        What each mail says or what it did, by UID, and why there is no process. A mail that nobody
        looked into is not among them.
    """
    reading = _Reading(batch, tried, run)
    with apart.shared() as desk:
        try:
            reading.go(desk)
        except ReaderUnavailable as error:
            return reading.said, error
        finally:
            if reading.asked:
                desk.stop()  # it is at a mail that nobody waits for any more
            db.session.rollback()
    return reading.said, None


def told_of(desk: Apart, mail: Fetched) -> Told:
    """Wait for what the desk has to say of a mail."""
    return desk.tell(mail.uid)


class _Reading:
    """One batch: `said` grows mail by mail, `asked` are the UIDs that the desk is at."""

    def __init__(self, batch: Sequence[Fetched], tried: Mapping[int, int], run: Run) -> None:
        self.said: dict[int, Understood | Exception] = {
            mail.uid: ChildProcessError(
                "No earlier try came to an end: this mail may be what ends them."
            )
            for mail in batch
            if tried[mail.uid] > MAX_TRIES
        }
        self.asked: set[int] = set()
        self._mails = [mail for mail in batch if mail.uid not in self.said]
        self._run = run
        self._began = time.monotonic()
        self._keys = {mail.uid: find_keys(mail.raw) for mail in self._mails}
        self._known = notifications.known_by(frozenset().union(*self._keys.values()))
        db.session.rollback()  # no transaction is open while a mail is read

    def go(self, desk: Apart) -> None:
        """Read all mails at once, then those again that answer something else than it seemed."""
        again: list[Fetched] = []
        for at, mail in enumerate(self._mails):
            if self._is_over():
                return
            said = self._guarded(mail, partial(self._read, desk, at))
            if said is None:
                again.append(mail)
            else:
                self.said[mail.uid] = said
        for mail in again:
            if self._is_over():
                return
            self.said[mail.uid] = self._guarded(mail, partial(self._read_again, desk, mail))

    def _is_over(self) -> bool:
        takes_long = self.said and time.monotonic() - self._began > _STRETCH_SECONDS
        return bool(takes_long and (self._run.is_late() or not self._run.keep_going()))

    def _guarded(self, mail: Fetched, read: Callable[[], Result]) -> Result | Exception:
        """Read one mail; whatever it breaks is this mail's trouble and nobody else's."""
        try:
            return read()
        except (SQLAlchemyError, OSError, ReaderUnavailable):
            raise  # the database or this machine is in trouble, not this mail
        except ReadingFailed as error:
            log.warning("A mail could not be read: UID %d: %s", mail.uid, error)
            return error
        except Exception as error:
            log.exception("A mail could not be read: UID %d", mail.uid)
            return error

    def _read(self, desk: Apart, at: int) -> Understood | None:
        """Read a mail; None where it has to be read again, beside something else."""
        mail = self._mails[at]
        for each in self._mails[at : at + 2]:
            if each.uid not in self.asked:
                desk.ask(each.raw, self._enquiry(each))
                self.asked.add(each.uid)
        sealed = sealed_copy(mail.raw)  # while the desk is at it
        try:
            told = told_of(desk, mail)
        except BaseException:
            desk.stop()  # with all that it was asked
            self.asked.clear()
            raise
        self.asked.discard(mail.uid)
        if not self._seemed_right(mail, told):
            return None
        looked = told.looked
        return Understood(
            mail.raw,
            mail.partial,
            looked.parsed,
            looked.found,
            told.reading,
            sealed,
            mail.text_behind,
        )

    def _read_again(self, desk: Apart, mail: Fetched) -> Understood:
        settings = self._run.settings
        try:
            understood = understand(mail.raw, partial=mail.partial, settings=settings, desk=desk)
            return replace(understood, text_behind=mail.text_behind)
        finally:
            db.session.rollback()

    def _enquiry(self, mail: Fetched) -> Enquiry:
        keys = self._keys[mail.uid]
        known = tuple(one for one in self._known.values() if not keys.isdisjoint(one.keys))
        return Enquiry(mail.uid, mail.partial, self._run.settings.words, known)

    def _seemed_right(self, mail: Fetched, told: Told) -> bool:
        """Tell whether the mail leads nowhere else than the keys in its source do."""
        keys = told.looked.keys
        more = notifications.known_by(keys - self._keys[mail.uid])
        db.session.rollback()
        seemed = {number for number, one in self._known.items() if not keys.isdisjoint(one.keys)}
        return more.keys() <= seemed
