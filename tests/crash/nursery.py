"""Give birth to `flexmail` commands quickly: a process that has everything imported forks each.

    python -m tests.crash.nursery LOG      reads lists of commands as JSON, one a line

A child runs its commands one after the other as the `flexmail` program does, in an application of
its own, and ends. The parent learns its process id at once, and how it ended.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0


class Nursery:
    """The parent's end: at most one child lives at a time."""

    def __init__(self, instance: Path, log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(log)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "FLEXMAIL_INSTANCE_PATH": str(instance)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._said = b""
        self._child: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def begin(self, *commands: tuple[str, ...]) -> None:
        """Let a child begin."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(commands).encode() + b"\n")
        self._process.stdin.flush()
        pid = int(self._hear(PATIENCE_SECONDS))
        with suppress(ProcessLookupError):  # it has ended already
            self._child = os.pidfd_open(pid)

    def kill(self) -> None:
        """Kill the child with SIGKILL, unless it has ended."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._child, signal.SIGKILL)

    def has_ended(self) -> bool:
        return self._child is None or bool(select.select([self._child], [], [], 0)[0])

    def end(self) -> int:
        """Wait until the child has ended; return its exit code, below zero for a signal."""
        code = int(self._hear(PATIENCE_SECONDS))
        if self._child is not None:
            os.close(self._child)
        self._child = None
        return code

    def run(self, *commands: tuple[str, ...]) -> int:
        self.begin(*commands)
        return self.end()

    def _hear(self, seconds: float) -> str:
        assert self._process.stdout
        while b"\n" not in self._said:
            if not select.select([self._process.stdout], [], [], seconds)[0]:
                raise TimeoutError("The commands did not end.")
            piece = os.read(self._process.stdout.fileno(), 4096)
            if not piece:
                raise EOFError("The process that runs the commands has ended.")
            self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()


def main(log: str) -> None:
    from flexmail import cli, create_app, jobs, services  # noqa: F401 (what a child needs is here)

    def say(value: Any) -> None:
        os.write(answers, f"{value}\n".encode())

    answers = os.dup(1)
    with Path(log).open("ab", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    create_app()  # what it does once a process is done
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(answers)
            code = max(cli.run(command, create_app) for command in json.loads(line))
            atexit._run_exitfuncs()
            os._exit(code)  # without taking apart all that was inherited
        say(pid)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main(sys.argv[1])
