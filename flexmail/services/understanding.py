"""Read the mails of one batch apart: all are asked for at once, and told of one by one.

What each may be about is looked up beforehand, from the keys that stand plainly in its source, so
that one question a mail is enough. Where its decoded text leads elsewhere, it is read once more
beside what we really sent. No transaction is open while anybody waits for an answer.
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
from flexmail.mail.desk import Enquiry, Known, Told, answered
from flexmail.mail.reference import find_keys
from flexmail.services import kept_mail, notifications
from flexmail.services.apart import Apart
from flexmail.services.bindings import Entry
from flexmail.services.reply_run import Run
from flexmail.services.tries import MAX_TRIES
from flexmail.services.understood import Understood, understand
from flexmail.transport.imap import Fetched

log = logging.getLogger(__name__)

_STRETCH_SECONDS = 5.0
_AT_FIRST = 2
"""So many mails are asked for before anything is looked up for the others: the desk waits."""
_ASKED_BYTES = 256 << 10
"""So much mail may wait at the desk: with all that is said beside it, what its pipe holds."""

Result = TypeVar("Result")


def told_of(desk: Apart, mail: Fetched) -> Told:
    """Wait for what the desk has to say of a mail."""
    return desk.tell(mail.uid)


class Reading:
    """One batch at the desk: `said` is what each mail says or what it did, by UID.

    A mail that nobody looked into is not in there. `trouble` says why there was no process.
    """

    def __init__(
        self, batch: Sequence[Fetched], entries: Mapping[int, Entry], run: Run, desk: Apart
    ) -> None:
        self.said: dict[int, Understood | Exception] = {
            mail.uid: ChildProcessError(
                "No earlier try came to an end: this mail may be what ends them."
            )
            for mail in batch
            if entries[mail.uid].tries > MAX_TRIES
        }
        self.trouble: ReaderUnavailable | None = None
        self._mails = [mail for mail in batch if mail.uid not in self.said]
        self._run, self._desk = run, desk
        self._asked: dict[int, int] = {}
        self._keys: dict[int, frozenset[str]] = {}
        self._known: dict[int, Known] = {}
        self._enquiries: dict[int, Enquiry] = {}

    def begin(self) -> None:
        """Ask for the mails, without waiting for anything."""
        try:
            for some in (self._mails[:_AT_FIRST], self._mails[_AT_FIRST:]):
                self._look_up(some)
                self._ask_ahead(0)
        except ReaderUnavailable as error:
            self.trouble = error

    def finish(self) -> None:
        """Hear of mail after mail, as long as the run may last and there is a process that reads.

        Those that answer something else than it seemed are read again, after all others.
        """
        began = time.monotonic()
        try:
            if not self.trouble:
                self._hear_of_all(began)
        except ReaderUnavailable as error:
            self.trouble = error
        finally:
            self.stop()
            db.session.rollback()

    def stop(self) -> None:
        """End the desk if it is still at a mail: nobody waits for the answer any more."""
        if self._asked:
            self._desk.stop()
            self._asked.clear()

    def _hear_of_all(self, began: float) -> None:
        again: list[Fetched] = []
        for at, mail in enumerate(self._mails):
            if self._is_over(began):
                return
            said = self._guarded(mail, partial(self._read, at))
            if said is None:
                again.append(mail)
            else:
                self.said[mail.uid] = said
        for mail in again:
            if self._is_over(began):
                return
            self.said[mail.uid] = self._guarded(mail, partial(self._read_again, mail))

    def _is_over(self, began: float) -> bool:
        takes_long = self.said and time.monotonic() - began > _STRETCH_SECONDS
        return bool(takes_long and (self._run.is_late() or not self._run.keep_going()))

    def _look_up(self, mails: Sequence[Fetched]) -> None:
        """Look up what these mails may be about."""
        self._keys |= {mail.uid: find_keys(mail.raw) for mail in mails}
        keys = frozenset().union(*(self._keys[mail.uid] for mail in mails))
        for number, found in notifications.known_by(keys).items():
            before = self._known.get(number, found)
            self._known[number] = replace(found, keys=found.keys | before.keys)
        db.session.rollback()  # no transaction is open while a mail is read

    def _ask_ahead(self, at: int) -> None:
        """Ask for the mails from there on that were looked up, as many as may wait."""
        for mail in self._mails[at : len(self._keys)]:
            if self._asked and sum(self._asked.values()) + len(mail.raw) > _ASKED_BYTES:
                return
            try:
                self._ask(mail)
            except (OSError, ReaderUnavailable):
                raise
            except Exception:
                log.debug("UID %d has to wait until it is its turn", mail.uid, exc_info=True)
                return

    def _ask(self, mail: Fetched) -> None:
        if mail.uid not in self._asked:
            self._enquiries[mail.uid] = enquiry = self._enquiry(mail)
            self._desk.ask(mail.raw, enquiry)
            self._asked[mail.uid] = len(mail.raw)

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

    def _read(self, at: int) -> Understood | None:
        """Read a mail; None where it has to be read again, beside something else."""
        mail = self._mails[at]
        self._ask(mail)
        self._ask_ahead(at + 1)
        sealed = kept_mail.made(mail.raw)  # while the desk is at it
        try:
            told = told_of(self._desk, mail)
        except BaseException:
            self._desk.stop()  # with all that it was asked
            self._asked.clear()
            raise
        del self._asked[mail.uid]
        if not self._seemed_right(mail, told):
            return None
        said = told.looked.parsed, told.looked.found, told.reading
        return Understood(mail.raw, mail.partial, *said, sealed, mail.text_behind)

    def _read_again(self, mail: Fetched) -> Understood:
        settings, desk = self._run.settings, self._desk
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
        """Tell whether the mail was read beside what it answers."""
        keys = told.looked.keys
        if keys <= self._keys[mail.uid]:
            return True  # all that they lead to was at hand
        beside = answered(keys, self._enquiries[mail.uid].known)
        answers = notifications.sent_for(keys)
        db.session.rollback()
        return beside == answers
