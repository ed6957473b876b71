"""Real replies of real mail clients, read as flexmail would read them.

The messages lie beside the checkout, or where FLEXMAIL_CORPUS says; without them the tests are
skipped. Only general rules are measured: nothing in the code knows these files.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reply import DEFAULT_WORDS, Reading, read

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "testdata" / "replies"
CORPUS = Path(os.environ.get("FLEXMAIL_CORPUS") or BESIDE)
TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

pytestmark = pytest.mark.skipif(
    not (CORPUS / "decision" / "expected.json").is_file(),
    reason=f"no real replies in {CORPUS}: set FLEXMAIL_CORPUS to their folder",
)

Row = dict[str, Any]


@functools.cache
def substitute() -> Callable[..., bytes]:
    spec = importlib.util.spec_from_file_location("substitute", CORPUS / "substitute.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., bytes] = module.substitute
    return function


def expected(folder: str) -> list[Row]:
    rows: list[Row] = json.loads((CORPUS / folder / "expected.json").read_text(encoding="utf-8"))
    return rows


def raw(row: Row) -> bytes:
    return substitute()((CORPUS / row["file"]).read_bytes(), TOKEN)


@functools.cache
def readings() -> tuple[tuple[Row, Reading], ...]:
    return tuple((row, read(parse(raw(row)), DEFAULT_WORDS)) for row in expected("decision"))


def verdict(reading: Reading) -> str:
    return reading.verdict or "none"


def wrong(kind: str) -> list[str]:
    return [
        f"{row['file']}: {reading.words_read}"
        for row, reading in readings()
        if reading.verdict == kind and kind not in row["acceptable"]
    ]


def missed() -> list[str]:
    return [
        f"{row['file']}: {reading.reason} {reading.words_read}"
        for row, reading in readings()
        if reading.verdict is None and "none" not in row["acceptable"]
    ]


def due() -> int:
    return sum("none" not in row["acceptable"] for row, _ in readings())


def has_right_comment(row: Row, reading: Reading) -> bool:
    """Compare word by word: clients break lines and set spaces as they like."""
    wanted: list[str] = row["comment"].split()
    got = reading.comment.split()
    return got == wanted or (row["comment_match"] == "prefix" and got[: len(wanted)] == wanted)


def commented() -> list[tuple[Row, Reading]]:
    return [(row, reading) for row, reading in readings() if row["comment"] and reading.verdict]


def table() -> str:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row, reading in readings():
        got = verdict(reading)
        count = counts[row["scenario"]]
        count["mails"] += 1
        count["right"] += got in row["acceptable"]
        count["none"] += got == "none"
        if row["comment"] and reading.verdict:
            count["comments"] += 1
            count["comments right"] += has_right_comment(row, reading)
    columns = ("mails", "right", "none", "comments", "comments right")
    lines = [f"{'scenario':18}" + "".join(f"{column:>15}" for column in columns)]
    for scenario, count in sorted(counts.items()):
        lines.append(f"{scenario:18}" + "".join(f"{count[column]:15}" for column in columns))
    total = sum(counts.values(), Counter[str]())
    lines.append(f"{'all':18}" + "".join(f"{total[column]:15}" for column in columns))
    return "\n".join(lines)


def test_the_figures_by_kind_of_reply_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{table()}\nmissed {len(missed())} of {due()}")  # noqa: T201


def test_no_reply_approves_that_should_not() -> None:
    assert not wrong("approve")


def test_no_reply_rejects_that_should_not() -> None:
    assert not wrong("reject")


def test_at_most_one_decision_in_a_hundred_is_missed() -> None:
    assert len(missed()) <= due() / 100, missed()


def test_nineteen_comments_in_twenty_are_right() -> None:
    faulty = [
        f"{row['file']}: {reading.comment!r}"
        for row, reading in commented()
        if not has_right_comment(row, reading)
    ]
    assert len(faulty) <= len(commented()) / 20, faulty


def test_no_comment_is_made_up_where_none_was_written() -> None:
    made_up = [
        f"{row['file']}: {reading.comment!r}"
        for row, reading in readings()
        if reading.verdict and not row["comment"] and not has_right_comment(row, reading)
    ]
    assert not made_up


def decides(parsed: Parsed) -> bool:
    return read(parsed, DEFAULT_WORDS).verdict is not None


def test_mail_of_automata_decides_nothing() -> None:
    for row in expected("auto"):
        parsed = parse(raw(row))
        assert parsed.automatic or parsed.bounce or not decides(parsed), row["file"]


def test_malformed_mail_decides_nothing() -> None:
    for row in expected("malformed"):
        assert not decides(parse((CORPUS / row["file"]).read_bytes())), row["file"]
