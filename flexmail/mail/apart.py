"""A desk apart: a process without database, keys and web, and with little memory.

What a mail does to it, it does to it alone. The other end is `services/apart`.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import struct
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from flexmail.mail.crossing import pack, unpack
from flexmail.mail.desk import Enquiry, Question, Reader, tell

HEADER = struct.Struct(">cI")
"""What stands before each message between the processes: its kind, and how many bytes follow."""
_SIZE = struct.Struct(">I")

LOOK_AT_ALL, LOOK_AT_PART, READ, TELL, RENDER = b"L", b"P", b"R", b"T", b"W"
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


class Press(Protocol):
    """A desk that renders templates."""

    def render(self, order: bytes) -> bytes:
        """Return what an order asks for."""


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
        if kind == RENDER:
            return ANSWER, cast(Press, desk).render(question)
        if kind == TELL:
            return ANSWER, pack(tell(desk, *_opened(question)))
        return ANSWER, pack(desk.look(question, partial=kind == LOOK_AT_PART))
    except MemoryError:
        return NO_MEMORY, b""
    except Exception as error:  # who asked knows which mail it was, and tells
        return BROKE_OFF, type(error).__name__.encode("ascii", "replace")


def joined(raw: bytes, enquiry: Enquiry) -> bytes:
    """Return a mail and what is asked about it as one message."""
    asked = pack(enquiry)
    return b"".join((_SIZE.pack(len(asked)), asked, raw))


def _opened(question: bytes) -> tuple[bytes, Enquiry]:
    end = _SIZE.size + _SIZE.unpack_from(question)[0]
    return question[end:], unpack(Enquiry, question[_SIZE.size : end])


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
