"""Runs of the reply job in a process of their own, so that its memory and its calls are its alone.

    python -m bench.alone INSTANCE RUNS

Prints what they took as JSON: seconds and peak memory of each, IMAP commands, bytes received. The
first run is told apart: it imports, compiles and starts the process that reads.
"""

from __future__ import annotations

import imaplib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flexmail.transport.wire import Wire

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    """One run: peaks in MiB, of this process and of the one that reads mails."""

    seconds: float
    looked_at: int
    left: int
    commands: int
    received: int
    peak: float
    reader_peak: float


def runs(instance: Path, count: int, *, under: tuple[str, ...] = ()) -> list[Run]:
    """Run the reply job so many times in one new process; `under` is a program that starts it."""
    done = subprocess.run(
        [*under, sys.executable, "-m", "bench.alone", str(instance), str(count)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(instance)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return [Run(**each) for each in json.loads(done.stdout)]


def _main(instance: str, count: int) -> None:
    os.environ["FLEXMAIL_INSTANCE_PATH"] = instance
    from flexmail import create_app
    from flexmail.services import apart, inbox

    counted = {"commands": 0, "received": 0}
    _count(imaplib.IMAP4, "_new_tag", lambda _: counted.update(commands=counted["commands"] + 1))
    _count(
        Wire,
        "_take",
        lambda taken: counted.update(received=counted["received"] + len(taken)),
    )
    told = []
    with create_app().app_context():
        for _ in range(count):
            counted.update(commands=0, received=0)
            _forget_peak(os.getpid())
            began = time.perf_counter()
            report = inbox.process_replies(now=datetime.now(UTC), at_once=True)
            seconds = time.perf_counter() - began
            if report.error:
                sys.exit(report.error)
            desk = apart._desk.pid
            told.append(
                {
                    "seconds": seconds,
                    "looked_at": report.looked_at,
                    "left": report.left,
                    **counted,
                    "peak": _peak(os.getpid()),
                    "reader_peak": _peak(desk) if desk else 0.0,
                }
            )
    sys.stdout.write(json.dumps(told))


def _count(owner: type, name: str, note: Callable[[Any], None]) -> None:
    real = getattr(owner, name)

    def counting(*given: Any) -> Any:
        answer = real(*given)
        note(answer)
        return answer

    setattr(owner, name, counting)


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
