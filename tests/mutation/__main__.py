"""Take one condition after the other out of a copy of the code, and see that a test goes red.

    python -m tests.mutation            # the whole table
    python -m tests.mutation authorise  # the rows whose condition or file holds the word

Exit 1 if a mutant survives, or if the tests are red before anything was taken out; 2 if no row
holds the words. The checkout itself is never touched.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutant import ROOT, Mutant
from tests.mutation.table import MUTANTS

SIDE_BY_SIDE = 2
LIMIT_SECONDS = 120
COPIED = ("bench", "flexmail", "tests", "setup.cfg", "pyproject.toml")

_RED = re.compile(r"^(?:FAILED|ERROR) (\S+(?: [^-].*)?)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant: `killed_by` names the first red test, empty if it survived."""

    mutant: Mutant
    killed_by: str
    seconds: float
    fault: str = ""


def copy_tree(folder: Path) -> None:
    folder.mkdir()
    for name in COPIED:
        origin = ROOT / name
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(origin, folder / name, ignore=ignored)
        else:
            shutil.copy(origin, folder / name)


def run_tests(folder: Path, tests: Sequence[str], *, compiled: bool = False) -> tuple[int, str]:
    """Run tests in a copy; return pytest's exit status and what it said, -1 for out of time.

    `compiled` leaves compiled files behind, which make the runs after it start quicker.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "CI" and not name.startswith(("FLEXMAIL_", "PYTEST_"))
    }
    environment["PYTHONPATH"] = str(folder)
    environment["PYTHONDONTWRITEBYTECODE"] = "" if compiled else "1"
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, ""
    return done.returncode, done.stdout + done.stderr


def judge(mutant: Mutant, folder: Path) -> Result:
    """Take the condition out, run its tests, put it back."""
    path = folder / mutant.file
    whole = path.read_text(encoding="utf-8")
    begun = time.monotonic()
    # A compiled file whose source has the same size and second would hide the change.
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    path.write_text(mutant.applied(whole), encoding="utf-8")
    try:
        status, said = run_tests(folder, mutant.tests)
    finally:
        path.write_text(whole, encoding="utf-8")
    seconds = time.monotonic() - begun
    if status == -1:
        return Result(mutant, f"out of time after {LIMIT_SECONDS} s", seconds)
    red = _RED.search(said)
    if status == 1 and red:
        return Result(mutant, red[1].split(" - ")[0], seconds)
    if status == 0:
        return Result(mutant, "", seconds)
    return Result(mutant, "", seconds, fault=f"pytest ended with {status}: {said[-400:]}")


def shown(result: Result) -> str:
    file, colons, test = result.killed_by.partition("::")
    survived = "-- DID NOT RUN --" if result.fault else "-- SURVIVED --"
    killed_by = file.rpartition("/")[2] + colons + test or survived
    mutant = result.mutant
    line = f"{mutant.condition:62} | {mutant.file:34} | {killed_by:90} | {result.seconds:5.1f}"
    return f"{line}\n    {result.fault}" if result.fault else line


def judge_all(mutants: Sequence[Mutant], base: Path) -> list[Result]:
    folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(SIDE_BY_SIDE):
        folder = base / str(number)
        shutil.copytree(base / "whole", folder)
        folders.put(folder)

    def with_folder(mutant: Mutant) -> Result:
        folder = folders.get()
        try:
            result = judge(mutant, folder)
        finally:
            folders.put(folder)
        say(shown(result))
        return result

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(with_folder, mutants))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    wanted = [
        mutant
        for mutant in MUTANTS
        if all(word in f"{mutant.file} {mutant.condition}" for word in words)
    ]
    tried = [mutant for mutant in wanted if not mutant.redundant]
    if not tried:
        say(f"No row holds all of: {', '.join(words)}.")
        return 2
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        whole = Path(name, "whole")
        copy_tree(whole)
        tests = sorted({test for mutant in tried for test in mutant.tests})
        status, said = run_tests(whole, tests, compiled=True)
        if status != 0:
            say(f"The tests are red before anything was taken out:\n{said[-2000:]}")
            return 1
        say(f"{'condition':62} | {'file':34} | {'killed by':90} | seconds")
        results = judge_all(tried, Path(name))
    for mutant in wanted:
        if mutant.redundant:
            say(f"{mutant.condition:62} | {mutant.file:34} | redundant: {mutant.redundant}")
    survived = [result for result in results if not result.killed_by]
    say(
        f"{len(results)} conditions taken out, {len(results) - len(survived)} noticed,"
        f" {len(survived)} survived; {len(wanted) - len(tried)} are redundant;"
        f" {time.monotonic() - begun:.0f} s"
    )
    return 1 if survived or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
