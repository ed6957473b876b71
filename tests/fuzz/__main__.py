"""Look for mail that approves and should not, with atheris (the extra `fuzz`).

    python -m tests.fuzz          # a minute
    python -m tests.fuzz 600      # ten; what follows the seconds goes to libFuzzer as it is
    python -m tests.fuzz .fuzz/found/crash-…    # once more what was found

What was found to reach new code stays in `.fuzz/corpus` for the next time; a mail that breaks a
property is kept in `.fuzz/found`, and ends the run with a failure.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("The fuzzer needs atheris: make fuzz installs it, or pip install '.[fuzz]'.")

with atheris.instrument_imports(include=["flexmail"]):
    from tests.fuzz import seeds, target

HOME = Path(".fuzz")
SECONDS = "60"
LIMIT_SECONDS = 10
MAX_BYTES = 65_536


class Watch:
    """Counts runs, and says which input took longest so far."""

    def __init__(self) -> None:
        self.slowest = 0.0

    def check(self, data: bytes) -> None:
        begun = time.process_time()
        target.check(data)
        taken = time.process_time() - begun
        if taken > 2 * self.slowest and taken > 0.05:
            self.slowest = taken
            say(f"longest so far: {taken:.3f} s for {len(data)} bytes")


def lay_out(folder: Path, inputs: Iterable[bytes]) -> int:
    """Write each input into a file of its own; return how many there are."""
    count = 0
    for data in inputs:
        name = hashlib.sha256(data).hexdigest()[:40]
        (folder / name).write_bytes(data)
        count += 1
    return count


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    seconds, *others = arguments or [SECONDS]
    if Path(seconds).is_file():
        target.check(Path(seconds).read_bytes())
        say("It holds.")
        return
    corpus, found = HOME / "corpus", HOME / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    own = lay_out(corpus, seeds.own())
    real = seeds.corpus()
    replies = lay_out(corpus, seeds.real(real)) if (real / "substitute.py").is_file() else 0
    say(f"{own} inputs of our own, {replies} from real replies, {seconds} s")
    options = [
        f"-max_total_time={int(seconds)}",
        f"-timeout={LIMIT_SECONDS}",
        f"-max_len={MAX_BYTES}",
        "-rss_limit_mb=2048",
        f"-dict={Path(__file__).with_name('words.dict')}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, *others, str(corpus)], Watch().check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
