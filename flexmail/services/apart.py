"""Read hostile mail in a process of its own, so that it exhausts or ends that one and no other.

The child is started when it is needed and answers question by question (`mail/apart`). It is
killed at the first answer that is late, too long or makes no sense; the next mail gets a fresh
one. It has read hostile bytes: what it says is checked for its form, and is nothing but a claim.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIGXCPU, Signals
from typing import Self, TypeVar

from flexmail.errors import ReaderUnavailable, ReadingFailed
from flexmail.mail import apart, desk
from flexmail.mail.crossing import pack, unpack
from flexmail.mail.desk import Enquiry, Looked, Question, Told
from flexmail.mail.ours import Sent
from flexmail.mail.reply import Reading, Words
from flexmail.mail.sizes import MAX_BYTES
from flexmail.services.child import Child

SECONDS = 10.0
START_SECONDS = 30.0
MAX_BYTES_A_CHILD = 64 << 20
"""After so many it makes way for a fresh one: no mail is to live with the memory of many others."""

Answer = TypeVar("Answer", Looked, Reading, Told)


class Apart:
    """A desk in a process of its own, for one caller at a time: `with Apart() as desk:`.

    All questions raise ReadingFailed where the mail takes more than `seconds` by the wall clock,
    too much memory, or ends the process; ReaderUnavailable where there can be no process.

    Args:
        module: the one whose `Desk` answers.
    """

    def __init__(self, module: str = desk.__name__, *, seconds: float = SECONDS) -> None:
        self._desk = module
        self._seconds = seconds
        self._child: Child | None = None
        self._bytes = 0
        self._left = 0.0
        self._looking: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Return the process id of the child, if there is one."""
        return self._child.pid if self._child else None

    def look(self, raw: bytes, *, partial: bool) -> Looked:
        """Parse a mail, whole or (`partial`) its first bytes; the child keeps it for `read`."""
        mail = raw[: MAX_BYTES + 1]  # a byte more than is read says that there were more
        child = self._child_for(mail)
        self._left, self._looking = self._seconds, threading.get_ident()
        child.ask(apart.LOOK_AT_PART if partial else apart.LOOK_AT_ALL, mail)
        return self._hear(child, Looked)

    def read(self, words: Words, sent: Sent | None) -> Reading:
        """Read what the author of the mail looked at last wrote.

        Raises:
            LookupError: no mail was looked at; or another thread did, and its mail is another.
        """
        child = self._child
        if child is None or self._looking != threading.get_ident():
            raise LookupError("No mail was looked at.")
        child.ask(apart.READ, pack(Question(words, sent)))
        return self._hear(child, Reading)

    def ask(self, raw: bytes, enquiry: Enquiry) -> None:
        """Ask for all about a mail; `tell` has the answer, and another may be asked before it."""
        mail = raw[: MAX_BYTES + 1]
        self._child_for(mail).ask(apart.TELL, apart.joined(mail, enquiry))

    def tell(self, number: int) -> Told:
        """Return the answer to the enquiry of that number: the first that was not told of yet.

        A mail that ends the child takes along what was asked after it.
        """
        if self._child is None:
            raise LookupError("No mail was asked for.")
        self._left, self._looking = self._seconds, None
        return self._hear(self._child, Told, lambda told: told.number == number)

    def stop(self) -> int:
        """End the child, if there is one; return how it ended."""
        child, self._child, self._looking, self._bytes = self._child, None, None, 0
        return child.end() if child else 0

    def _child_for(self, mail: bytes) -> Child:
        """Return the child, where that has done its share a fresh one."""
        child = self._child
        if child is None or not child.expected:  # whose answers are awaited is not replaced
            if self._bytes + len(mail) > MAX_BYTES_A_CHILD:
                self.stop()
            child = self._child if self._child and self._child.can_be_asked else self._start()
        self._bytes += len(mail)
        return child

    def _start(self) -> Child:
        self.stop()
        try:
            self._child = child = Child(self._desk)
            if child.hear(START_SECONDS) != (apart.READY, b""):
                raise ValueError("it does not say that it is ready")
        except (OSError, EOFError, ValueError) as error:
            self.stop()
            cause = str(error) or "it ended"
            raise ReaderUnavailable(
                f"The process that reads mails cannot start: {cause}."
            ) from error
        return child

    def _hear(
        self,
        child: Child,
        expected: type[Answer],
        fits: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        began = time.monotonic()
        try:
            said, answer = child.hear(self._left)
            if said != apart.ANSWER:
                raise ReadingFailed(_refusal(said, answer))
            value = unpack(expected, answer)
            if not fits(value):
                raise ValueError("it answers another question")
        except BaseException as error:
            if reason := self._reason(error, self.stop()):
                raise ReadingFailed(reason) from error
            raise
        self._left -= time.monotonic() - began
        return value

    def _reason(self, error: BaseException, ended: int) -> str:
        """Say in a sentence what the mail did to the child; nothing where it did nothing."""
        if isinstance(error, TimeoutError) or ended == -SIGXCPU:
            return f"Reading this mail took more than {self._seconds:g} s."
        if isinstance(error, EOFError):
            how = Signals(-ended).name if ended < 0 else f"exit code {ended}"
            return f"Reading this mail ended the process that read it ({how})."
        if isinstance(error, ValueError):
            return "The process that read this mail answered nonsense."
        return ""


def _refusal(said: bytes, answer: bytes) -> str:
    """Return the sentence for a child that says itself that it cannot."""
    if said == apart.NO_MEMORY:
        return "Reading this mail needed too much memory."
    name = answer[:100].decode("ascii", "replace")
    if said == apart.BROKE_OFF and name.isidentifier():
        return f"Reading this mail broke off ({name})."
    return "The process that read this mail answered nonsense."


_lock = threading.Lock()
_desk = Apart()


@contextmanager
def shared() -> Iterator[Apart]:
    """Lend the desk that this process keeps from mail to mail; to one caller at a time."""
    with _lock:
        yield _desk


def stop() -> None:
    """End the child of the shared desk, unless somebody is at it; the next mail starts another."""
    if _lock.acquire(blocking=False):
        try:
            _desk.stop()
        finally:
            _lock.release()


def _leave_to_parent() -> None:
    """After a fork: the child at the desk belongs to the other process, and so may the lock."""
    global _lock, _desk
    _desk.stop()
    _lock, _desk = threading.Lock(), Apart()


atexit.register(stop)
os.register_at_fork(after_in_child=_leave_to_parent)
