"""A desk at which a word in the mail does what a hostile mail may do to the process that reads it.

It serves in the child like the real one, behind the same limits; the product knows nothing of it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

from flexmail.mail import apart, desk
from flexmail.mail.apart import HEADER
from flexmail.mail.desk import Looked
from flexmail.mail.parse import Parsed

MEMORY = 100 << 20

# So that a child that nobody waits for is seen to end within the time of a test.
apart.CPU_SECONDS = 5


def burn() -> None:
    while True:
        pass


def hoard() -> None:
    kept = []
    while True:
        kept.append(bytes(MEMORY))


def recurse() -> None:
    recurse()


def overflow() -> None:
    """Overflow the stack of the interpreter itself, which Python's own limit does not know."""
    sys.setrecursionlimit(10**9)

    class Endless:
        def __repr__(self) -> str:
            return repr([self])

    repr(Endless())


def leave() -> None:
    os._exit(3)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write(content: bytes) -> None:
    while content:
        content = content[os.write(1, content) :]


def garbage() -> None:
    write(b"\xff" * 64)
    burn()


def lie() -> None:
    """Answer in form, but not what was asked for."""
    content = json.dumps([["bob@corp.test"], "Bob"]).encode()
    write(HEADER.pack(apart.ANSWER, len(content)) + content)
    burn()


def nest() -> None:
    content = b"[" * 200_000
    write(HEADER.pack(apart.ANSWER, len(content)) + content)
    burn()


def flood() -> None:
    write(HEADER.pack(apart.ANSWER, MEMORY) + bytes(MEMORY))
    burn()


def drip() -> None:
    write(HEADER.pack(apart.ANSWER, 1 << 20))
    while True:
        for _ in range(1 << 16):
            pass
        write(b"[")


def shut() -> None:
    os.close(1)
    burn()


def talk() -> None:
    """Answer twice."""
    write(HEADER.pack(apart.ANSWER, 2) + b"[]")


DEEDS = (burn, hoard, recurse, overflow, leave, kill, garbage, lie, nest, flood, drip, shut, talk)


def confess() -> str:
    """Tell what this process has, as JSON."""
    return json.dumps(
        {
            "modules": sorted(sys.modules),
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
            "files": sorted(os.listdir("/proc/self/fd"))[:20],  # noqa: PTH208 (names suffice)
            "memory": resource.getrlimit(resource.RLIMIT_AS)[1],
            "written": resource.getrlimit(resource.RLIMIT_FSIZE)[1],
            "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
            "processes": resource.getrlimit(resource.RLIMIT_NPROC)[1],
            "killed first": Path("/proc/self/oom_score_adj").read_text(encoding="ascii").strip(),
        }
    )


class Desk(desk.Desk):
    """The real desk, but for the mails that say `DO THIS: <deed>`."""

    def look(self, raw: bytes, *, partial: bool) -> Looked:
        if b"DO THIS: confess" in raw:
            return Looked(Parsed(subject=confess()), ())
        for deed in DEEDS:
            if b"DO THIS: " + deed.__name__.encode() in raw:
                deed()
        return super().look(raw, partial=partial)
