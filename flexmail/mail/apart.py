"""The desk at which hostile bytes are read: two questions about one mail.

`Desk` answers them in this process. `run` makes the process it is called in a desk apart: without
database, keys and web, with little memory: what a mail does to it, it does to it alone. The other
end is `services/apart`.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import struct
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from flexmail.mail.crossing import pack, unpack
from flexmail.mail.html import visible_text
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reference import find_references
from flexmail.mail.reply import Reading, Words, read

Place = Literal["text", "HTML", "other text"]

HEADER = struct.Struct(">cI")
"""What stands before each message between the processes: its kind, and how many bytes follow."""

LOOK_AT_ALL, LOOK_AT_PART, READ = b"L", b"P", b"R"
READY, ANSWER, NO_MEMORY, BROKE_OFF = b"K", b"A", b"M", b"E"

MAX_MEMORY = 512 << 20
"""Bytes of address space: about 35 MiB at rest, and the worst mail known takes 90 more."""
CPU_SECONDS = 15
"""What one question may take: longer than anybody waits, for when nobody waits any more."""

_LIMITS = {
    resource.RLIMIT_AS: MAX_MEMORY,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_NOFILE: 16,
    resource.RLIMIT_NPROC: 0,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A reference, and the texts of the mail that hold it."""

    reference: str = field(repr=False)
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a mail says about itself, without its texts, and the references in them.

    A text that the mail has is "" here, one that it has not is None.
    """

    parsed: Parsed
    found: tuple[Found, ...]

    @property
    def references(self) -> frozenset[str]:
        """Return every reference that stands anywhere in the mail's texts."""
        return frozenset(found.reference for found in self.found)


@dataclass(frozen=True, slots=True)
class Question:
    """What reading takes besides the mail: the words that decide, and what we had sent."""

    words: Words
    sent: Sent | None


class Reader(Protocol):
    """Who answers about one mail at a time: a `Desk`, or one in a process of its own."""

    def look(self, raw: bytes, *, partial: bool) -> Looked:
        """Parse a mail, whole or (`partial`) its first bytes; its texts are kept for `read`."""

    def read(self, words: Words, sent: Sent | None) -> Reading:
        """Read what the author of the mail looked at last wrote."""


class Desk:
    """Reads in the process that it is in."""

    def __init__(self) -> None:
        self._parsed: Parsed | None = None

    def look(self, raw: bytes, *, partial: bool) -> Looked:
        """Parse a mail, whole or (`partial`) its first bytes; its texts are kept for `read`."""
        self._parsed = None
        parsed = parse(raw, partial=partial)
        texts: dict[Place, str] = {
            "text": parsed.plain or "",
            "HTML": visible_text(parsed.html) if parsed.html else "",
            "other text": parsed.more_text,
        }
        places: dict[str, tuple[Place, ...]] = {}
        for place, text in texts.items():
            for reference in sorted(find_references(text)):
                places[reference] = (*places.get(reference, ()), place)
        self._parsed = parsed
        return Looked(_without_texts(parsed), tuple(Found(*each) for each in places.items()))

    def read(self, words: Words, sent: Sent | None) -> Reading:
        """Read what the author of the mail looked at last wrote.

        Raises:
            LookupError: no mail was looked at.
        """
        if self._parsed is None:
            raise LookupError("No mail was looked at.")
        return read(self._parsed, words, sent)


def _without_texts(parsed: Parsed) -> Parsed:
    plain = None if parsed.plain is None else ""
    html = None if parsed.html is None else ""
    return replace(parsed, plain=plain, html=html, beside=(), more_text="")


def run(desk: str) -> None:
    """Be a desk apart until standard input ends, which it does with the process at its other end.

    Args:
        desk: the module whose `Desk` it is.
    """
    reader: Reader = importlib.import_module(desk).Desk()
    confine()
    with os.fdopen(0, "rb", 1 << 16) as questions, os.fdopen(1, "wb") as answers:
        serve(reader, questions, answers)


def confine() -> None:
    """Take from this process, for ever, what reading a mail does not need.

    Who stops the service may signal all its processes at once: this one ends when its input does.
    Should this machine run out of memory, the kernel is to take this process and no other.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for limit, most in _LIMITS.items():
        allowed = _allowed(limit, most)
        resource.setrlimit(limit, (allowed, allowed))


def serve(desk: Reader, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer question by question; the first that cannot be answered is the last."""
    _send(answers, READY, b"")
    said = READY
    while said in (READY, ANSWER) and (header := questions.read(HEADER.size)):
        kind, size = HEADER.unpack(header)
        _limit_time()
        said, content = _answer(desk, kind, questions.read(size))
        _send(answers, said, content)


def _answer(desk: Reader, kind: bytes, question: bytes) -> tuple[bytes, bytes]:
    """Return the kind of the answer, and the answer."""
    try:
        if kind == READ:
            asked = unpack(Question, question)
            return ANSWER, pack(desk.read(asked.words, asked.sent))
        return ANSWER, pack(desk.look(question, partial=kind == LOOK_AT_PART))
    except MemoryError:
        return NO_MEMORY, b""
    except Exception as error:  # who asked knows which mail it was, and tells
        return BROKE_OFF, type(error).__name__.encode("ascii", "replace")


def _send(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    answers.write(HEADER.pack(kind, len(content)) + content)
    answers.flush()


def _limit_time() -> None:
    """Let the kernel end this process, should nobody be left who waits for the answer."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_allowed(resource.RLIMIT_CPU, until), hard))


def _allowed(limit: int, wanted: int) -> int:
    """Return what is wanted, or what is left of it where this process was given less."""
    _, hard = resource.getrlimit(limit)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
