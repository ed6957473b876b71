"""A run of 30 in a folder of 100,000 mails against the same in one of 100; memory, fsyncs, bytes.

Also what a mail in twenty with an attachment of 10 MB costs.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import update

from bench import alone
from bench.alone import Run
from bench.measuring import Fact, Row, Size, interleave, median
from bench.offices import Office, point_to, requests
from bench.servers import Dovecot, Mailboxes, program
from flexmail.db import db, transaction
from flexmail.models import ReplyFolder

COUNT = 30
GOAL_FOLDER, GOAL_LARGE, GOAL_MEMORY = 1.5, 1.2, 15.0
FSYNC = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?f(?:data)?sync$", re.MULTILINE)


@dataclass(slots=True)
class Measured:
    """The runs of one candidate, the second of each process: the first one warms up."""

    runs: list[Run]

    def of(self, name: str) -> float:
        return median(getattr(run, name) for run in self.runs)


def measure(size: Size) -> Iterator[Row | Fact]:
    few, many = size.of(quick=70, full=100), size.of(quick=200, full=100_000)
    some = size.of(quick=100, full=10_000)
    with Office() as office, Dovecot(storage="mdbox") as dovecot:
        with office.origin():
            mails = requests(max(few, 2 * COUNT))
        junk = _junk()
        boxes = {
            "few": Mailboxes(dovecot, mails[:few], "few"),
            "large": Mailboxes(dovecot, _with_attachments(mails[:few], size), "large"),
            "some": Mailboxes(dovecot, [*mails[:few], *[junk] * (some - few)], "some"),
            "many": Mailboxes(dovecot, [*mails[:few], *[junk] * (many - few)], "many"),
        }
        empty = Mailboxes(dovecot, [], "empty")
        measured: dict[str, Measured] = {}

        def run(name: str, *, scanned: bool = True) -> float:
            box = empty if name == "idle" else boxes[name]
            found = _run(office, box, scanned=scanned)
            label = name if scanned else f"{name}, first"
            measured.setdefault(label, Measured([])).runs.append(found)
            return found.seconds

        candidates: dict[str, Callable[[], float]] = {
            name: partial(run, name) for name in ("idle", *boxes)
        }
        candidates["many, first"] = partial(run, "many", scanned=False)
        interleave(candidates, rounds=size.rounds)
        fsyncs = {name: _fsyncs(office, boxes[name]) for name in ("few", "many")}
    yield from _rows(measured, few, some, many)
    yield from _facts(measured, fsyncs, few, many)


def _rows(measured: dict[str, Measured], few: int, some: int, many: int) -> Iterator[Row]:
    base = measured["few"]
    for label, what in (
        ("many", f"a run of {COUNT}, {many:,} mails"),
        ("many, first", "the same, when their headers are still to be looked at"),
    ):
        ratio = measured[label].of("seconds") / base.of("seconds")
        goal = GOAL_FOLDER if label == "many" else None
        yield _row(what, measured[label], f"{few} mails", base, ratio, goal)
    ratio = measured["large"].of("seconds") / base.of("seconds")
    what = "a run of 30, one mail in 20 with 10 MB attached"
    yield _row(what, measured["large"], "none", base, ratio, GOAL_LARGE)
    peaks = {name: each.of("peak") + each.of("reader_peak") for name, each in measured.items()}
    yield Row(
        "peak memory of that",
        f"{peaks['large']:.1f} MiB",
        f"{peaks['few']:.1f} MiB",
        peaks["large"] / peaks["few"],
        GOAL_LARGE,
        at_least=False,
    )
    for name, number in (("few", few), ("some", some), ("many", many)):
        yield Row(
            f"memory of a run of {COUNT}, {number:,} mails, over an idle one (MiB)",
            f"{measured[name].of('peak'):.1f} MiB",
            f"{measured['idle'].of('peak'):.1f} MiB",
            measured[name].of("peak") - measured["idle"].of("peak"),
            GOAL_MEMORY,
            at_least=False,
        )


def _row(
    what: str, ours: Measured, other: str, base: Measured, ratio: float, goal: float | None
) -> Row:
    return Row(
        what,
        f"{ours.of('seconds'):.3f} s",
        f"{other} {base.of('seconds'):.3f} s",
        ratio,
        goal,
        at_least=False,
    )


def _facts(
    measured: dict[str, Measured], fsyncs: dict[str, str], few: int, many: int
) -> Iterator[Fact]:
    for name in ("idle", "few", "large", "many", "many, first"):
        each = measured[name]
        yield Fact(
            f"{name}: commands, KiB received, peak of the reader",
            f"{each.of('commands'):.0f}, {each.of('received') / 1024:.0f},"
            f" {each.of('reader_peak'):.0f} MiB",
        )
    yield Fact(f"fsyncs of a run, {few} mails and {many:,}", f"{fsyncs['few']}, {fsyncs['many']}")


def _run(office: Office, boxes: Mailboxes, *, scanned: bool) -> Run:
    with _prepared(office, boxes, scanned=scanned) as instance:
        return alone.runs(instance, 2)[1]


class _prepared:
    """An instance that reads a copy of these mailboxes, and knows the folder already."""

    def __init__(self, office: Office, boxes: Mailboxes, *, scanned: bool) -> None:
        self._office, self._boxes, self._scanned = office, boxes, scanned

    def __enter__(self) -> Path:
        self._user = self._boxes.copy()
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        with self._office.open() as app:
            point_to(self._boxes.dovecot, self._user, email_reply_process_count=COUNT)
            if self._scanned:
                self._know()
            db.session.rollback()
            db.engine.dispose()
            shutil.copytree(app.instance_path, self._folder.name, dirs_exist_ok=True)
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        self._boxes.remove(self._user)

    def _know(self) -> None:
        """Write down what earlier runs found out: all headers were looked at."""
        with self._boxes.dovecot.client(self._user) as client:
            told = client.select_folder("INBOX", readonly=True)
        with transaction():
            db.session.execute(
                update(ReplyFolder).values(
                    uidvalidity=told[b"UIDVALIDITY"],
                    scanned_uid=told[b"UIDNEXT"] - 1,
                    scanned_position=told[b"EXISTS"],
                )
            )


def _fsyncs(office: Office, boxes: Mailboxes) -> str:
    """Count the fsyncs of one run more: those of two runs less those of one."""
    if program("strace") is None:
        return "missing: strace"
    counts = []
    for number in (1, 2):
        with _prepared(office, boxes, scanned=True) as instance:
            told = instance / "strace"
            watched = ("strace", "-f", "-qq", "-c", "-e", "trace=fsync,fdatasync", "-o", str(told))
            alone.runs(instance, number, under=watched)
            counts.append(sum(map(int, FSYNC.findall(told.read_text()))))
    return str(counts[1] - counts[0])


def _junk() -> bytes:
    head = "From: charlie@evil.test\r\nTo: approvals@corp.test\r\nSubject: An offer\r\n"
    return f"{head}Message-ID: <offer@evil.test>\r\n\r\nBuy now.\r\n".encode()


def _with_attachments(mails: Iterable[bytes], size: Size) -> Iterator[bytes]:
    """Yield the mails, every twentieth with a file of 10 MB below its text."""
    line = b"QUJD" * 19 + b"\r\n"
    file = line * (size.of(quick=200_000, full=10_000_000) // len(line))
    for number, raw in enumerate(mails):
        yield raw if number % 20 else _attached(raw, file)


def _attached(raw: bytes, file: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    start = head.index(b"Content-Type:")
    kind = head[start:]
    return b"\r\n".join(
        [
            head[:start] + b'Content-Type: multipart/mixed; boundary="outer"\r\n',
            b"--outer\r\n" + kind + b"\r\n",
            body,
            b"--outer\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64",
            b'Content-Disposition: attachment; filename="a.pdf"\r\n',
            file + b"--outer--\r\n",
        ]
    )
