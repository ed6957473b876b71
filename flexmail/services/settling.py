"""Settle the mails of a run batch by batch, each in two commits:

    register   a row a mail, its tries counted before anything is parsed
    conclude   outcomes, decisions, raw copies and answers of the batch; then it is deleted

While one batch is concluded and deleted, the next is being read: it is registered before that, so
that its tries are counted, and gives them back where nobody comes to hear of it. A mail that was
tried before is read and concluded with no other under way, to endanger none.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from flexmail.db import transaction
from flexmail.errors import OwnershipLost
from flexmail.services import apart, tries
from flexmail.services.apart import Apart
from flexmail.services.concluding import conclude
from flexmail.services.folder_memory import Memory
from flexmail.services.reply_run import Run, delete
from flexmail.services.understanding import Reading
from flexmail.transport.imap import Fetched, Folder


class Batch:
    """Mails whose tries were counted, and what comes of them."""

    def __init__(
        self, folder: Folder, run: Run, mails: list[Fetched], memory: Memory, desk: Apart
    ) -> None:
        self._folder, self._run, self._memory = folder, run, memory
        self._mails, self._entries = tries.register(folder, run, mails, memory)
        self._reading = Reading(self._mails, self._entries, run, desk)

    @property
    def is_unread(self) -> bool:
        """Tell whether some could not be read because there is no process that reads."""
        return self._reading.trouble is not None

    def ask(self) -> None:
        """Have the mails read, without waiting for it."""
        try:
            self._reading.begin()
        except Exception:
            self.drop()
            raise

    def hear(self) -> None:
        """Wait for what was read."""
        try:
            self._reading.finish()
        except (SQLAlchemyError, OSError):
            self.drop()
            raise

    def settle(self) -> None:
        """Commit the outcomes, then delete the mails that have one.

        Raises:
            ReaderUnavailable: no process could be started for those that have none.
        """
        try:
            with transaction():
                tries.stand_on_trust(self._run)
                unread = self._entries.keys() - self._reading.said.keys()
                tries.uncount([self._entries[uid].id for uid in unread])
                settled = conclude(self._mails, self._entries, self._reading.said, self._run)
                self._memory.settled(settled)
                self._memory.save()
        except (SQLAlchemyError, OSError, OwnershipLost):
            self.drop()
            raise
        for mail in self._mails:
            if mail.uid in settled:
                self._run.report.count(self._entries[mail.uid].id, settled[mail.uid])
        if settled:
            delete(self._folder, self._run, list(settled))
        if self._reading.trouble:
            raise self._reading.trouble

    def drop(self) -> None:
        """Stop reading and give the tries back: nothing came of them."""
        self._reading.stop()
        tries.give_back([entry.id for entry in self._entries.values()])


class Line:
    """The batches of a run on their way: `with Line(folder, run, memory) as line:`.

    What was read is settled at the end in any case, but for the death of this process.
    """

    def __init__(self, folder: Folder, run: Run, memory: Memory) -> None:
        self._folder, self._run, self._memory = folder, run, memory
        self._read: Batch | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._desk = self._stack.enter_context(apart.shared())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _at: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None or issubclass(kind, Exception):
                self.settle()
            else:
                self._desk.stop()  # it may be at mails that nobody hears of

    def take(self, mails: list[Fetched], *, alone: bool) -> None:
        """Read mails while those before them are settled.

        Args:
            alone: with nothing else under way, neither before nor after.
        """
        if alone:
            self.settle()
        batch = Batch(self._folder, self._run, mails, self._memory, self._desk)
        batch.ask()
        begun_ahead = self._read is not None
        try:
            self.settle()
        except Exception:
            batch.drop()
            raise
        if begun_ahead and not self._goes_on():
            batch.drop()
            return
        batch.hear()
        self._read = batch
        if alone or batch.is_unread:
            self.settle()

    def settle(self) -> None:
        """Settle what was read, if anything was."""
        batch, self._read = self._read, None
        if batch:
            batch.settle()

    def _goes_on(self) -> bool:
        return self._run.keep_going() and not self._run.is_late()
