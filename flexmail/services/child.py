"""A child process that is asked over pipes, each answer with a deadline by the wall clock.

It is started afresh and never forked from this process, and gets nothing of it: no database, no
keys, no environment, no open file. It ends when its input does, so also when this process is
killed.
"""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from flexmail.mail.apart import ANSWER, BROKE_OFF, HEADER, NO_MEMORY, READY

MAX_ANSWER = 4 << 20
_PIECE = 64 << 10
_ROOM = 1 << 20
_KINDS = frozenset({READY, ANSWER, NO_MEMORY, BROKE_OFF})

# The package itself would bring in the web, the database and the keys: of `flexmail` the child
# gets the name and the place only, so that `flexmail.mail` is all that it ever imports. Where
# everything else is found, this process knows better than a bare interpreter does.
_CODE = """
import sys, types
sys.path[:] = sys.argv[3:]
package = types.ModuleType("flexmail")
package.__path__ = [sys.argv[2]]
sys.modules["flexmail"] = package
from flexmail.mail import apart
apart.run(sys.argv[1])
"""
# Without these an interpreter may not even find its own libraries.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Child:
    """One child, which `end` has to end.

    Args:
        desk: the module whose `Desk` answers.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, desk: str) -> None:
        places = [str(Path(__file__).parents[1]), *map(os.path.abspath, sys.path)]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _CODE, desk, *places],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        self._owner = os.getpid()
        self._input, self._output = _open(self._process.stdin), _open(self._process.stdout)
        for pipe in (self._input, self._output):
            _widen(pipe)
        self._unsent, self._said = bytearray(), bytearray()
        self.expected = 1
        """How many answers are still to come: the first, unasked, says that it is ready."""

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def is_ours(self) -> bool:
        """Tell whether this process started it, and is no fork of the one that did."""
        return self._owner == os.getpid()

    @property
    def can_be_asked(self) -> bool:
        """Tell whether it lives, and for this process."""
        return self.is_ours and self._process.poll() is None

    def ask(self, kind: bytes, content: bytes) -> None:
        """Send a question, or as much of it as there is room for; `hear` sends the rest."""
        self._unsent += HEADER.pack(kind, len(content)) + content
        self.expected += 1
        self._send()

    def hear(self, seconds: float) -> tuple[bytes, bytes]:
        """Wait for the next answer, in the order of the questions.

        Returns:
            Its kind, and the answer.

        Raises:
            TimeoutError: it was not whole in time.
            EOFError: the child ended.
            ValueError: what it says is no answer.
        """
        until = time.monotonic() + seconds
        while (size := _size(self._said)) is None or len(self._said) < size:
            self._exchange(until)
        self.expected -= 1
        if len(self._said) > size and not self.expected:
            raise ValueError("It says more than was asked.")
        answer = bytes(self._said[:size])
        del self._said[:size]
        return answer[:1], answer[HEADER.size :]

    def end(self) -> int:
        """Kill it and wait until it is gone.

        Returns:
            How it ended, as `subprocess` says it; 0 for a child that is not ours to end.
        """
        if self.is_ours:
            self._process.kill()
            self._process.wait()
        else:
            self._process.returncode = 0  # its parent waits for it; nobody is to do so here
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.returncode or 0

    def _exchange(self, until: float) -> None:
        """Read what there is, and write what has room, as soon as one or the other can be done."""
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        if self._unsent:
            poll.register(self._input, select.POLLOUT)
        ready = poll.poll(max(0.0, until - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError
        for pipe, _ in ready:
            if pipe == self._output:
                self._said += _read(pipe)
            else:
                self._send()

    def _send(self) -> None:
        try:
            while self._unsent and (written := _write(self._input, self._unsent[:_PIECE])):
                del self._unsent[:written]
        except BrokenPipeError:
            self._unsent.clear()  # nobody reads it: whoever waits for the answer will notice


def _open(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise OSError("It has no pipe.")
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()


def _widen(pipe: int) -> None:
    """Let neither side wait for the other, where the system gives that much room."""
    with suppress(OSError, AttributeError):  # no more for this user, or no Linux
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _ROOM)


def _size(said: bytearray) -> int | None:
    """Return how long the whole answer is, header and all, as soon as that is known."""
    if len(said) < HEADER.size:
        return None
    kind, size = HEADER.unpack_from(said)
    if kind not in _KINDS or size > MAX_ANSWER:
        raise ValueError("It is no answer, or too long for one.")
    return HEADER.size + int(size)


def _read(pipe: int) -> bytes:
    piece = os.read(pipe, _PIECE)
    if not piece:
        raise EOFError
    return piece


def _write(pipe: int, piece: bytearray) -> int:
    """Return how much of it there was room for."""
    try:
        return os.write(pipe, piece)
    except BlockingIOError:
        return 0
