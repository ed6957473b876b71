"""One condition taken out: which text of which file becomes what, and which test has to notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A condition, in words, and how it is taken out of the code.

    `source` stands exactly once in the file. `tests` are pytest's node ids; at least one of them
    goes red without the condition. `redundant` says why none can: then what the condition refuses
    is refused elsewhere too, and it is there so that nobody has to know where.
    """

    condition: str
    file: str
    source: str
    replacement: str
    tests: tuple[str, ...]
    redundant: str = ""

    def applied(self, text: str) -> str:
        """Return the file's text without the condition.

        Raises:
            ValueError: the source does not stand there exactly once.
        """
        if text.count(self.source) != 1:
            found = text.count(self.source)
            raise ValueError(f"{self.file}: {self.source!r} stands there {found} times, not once.")
        return text.replace(self.source, self.replacement)

    def span(self, text: str) -> tuple[int, int]:
        """Return from where to where the file's text differs without the condition."""
        begin = text.index(self.source)
        end = begin + len(self.source)
        shorter = min(len(self.source), len(self.replacement))
        same = 0
        while same < shorter and self.source[same] == self.replacement[same]:
            same += 1
        tail = 0
        while tail < shorter - same and self.source[-1 - tail] == self.replacement[-1 - tail]:
            tail += 1
        return begin + same, max(end - tail, begin + same + 1)


def rows(file: str, tests: str, *table: tuple[str, ...]) -> tuple[Mutant, ...]:
    """Return the mutants of one file from rows of condition, source, replacement, test.

    The test is a name in the file `tests`, or a node id of its own. A fifth column says why no
    test can notice.
    """
    return tuple(
        Mutant(
            condition,
            file,
            source,
            replacement,
            (test if "::" in test else f"{tests}::{test}",) if test else (),
            "".join(redundant),
        )
        for condition, source, replacement, test, *redundant in table
    )
