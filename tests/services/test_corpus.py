"""Real replies of real mail clients, measured through the whole way in.

Each mail meets the same open request, with the request's own reference put in, and what it did is
rolled back: no mail is the duplicate of another, none finds the request decided. The messages lie
beside the checkout, or where FLEXMAIL_CORPUS says; without them the tests are skipped. Only
general rules are measured: nothing in the code knows these files.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.models import OutboxMail, Reply
from flexmail.services import accounts, settings, storing
from flexmail.services.bindings import Entry
from flexmail.services.in_force import InForce
from flexmail.services.receiving import receive
from flexmail.services.understood import understand
from tests.conftest import NOW
from tests.services.stage import ADA, Asked, ask, set_up

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "testdata" / "replies"
CORPUS = Path(os.environ.get("FLEXMAIL_CORPUS") or BESIDE)
APPROVER = "approver@example.com"

pytestmark = pytest.mark.skipif(
    not (CORPUS / "decision" / "expected.json").is_file(),
    reason=f"no real replies in {CORPUS}: set FLEXMAIL_CORPUS to their folder",
)

_FROM_LINE = re.compile(rb"^From:.*\r?\n(?:[ \t].*\r?\n)*", re.IGNORECASE | re.MULTILINE)

_MACHINE = re.compile(
    rb"^From:[^\r\n]*(?:postmaster|mailer-daemon|mail delivery)", re.IGNORECASE | re.MULTILINE
)
AS_IT_IS, WITH_OUR_REFERENCE = "as it is", "with our reference"
FROM_THE_APPROVER = "from the approver"

Row = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """What became of one mail; `way` says how it was made to meet the request."""

    row: Row
    way: str
    outcome: str = ""
    verdict: str = "none"
    comment: str = ""
    reason: str = ""
    answers: int = 0
    seconds: float = 0.0
    raised: str = ""

    @property
    def due(self) -> bool:
        """Whether deciding nothing would be wrong."""
        return "none" not in self.row["acceptable"]

    @property
    def right(self) -> bool:
        return self.verdict in self.row["acceptable"]

    @property
    def comment_counts(self) -> bool:
        return bool(self.row["comment"]) and (self.due or self.verdict != "none")

    @property
    def comment_right(self) -> bool:
        """Compare word by word: clients break lines and set spaces as they like."""
        wanted, got = self.row["comment"].split(), self.comment.split()
        open_end = self.row["comment_match"] == "prefix"
        return self.verdict != "none" and (got[: len(wanted)] if open_end else got) == wanted

    @property
    def comment_clean(self) -> bool:
        """Whether not even a sign-off follows that nothing sets apart."""
        return self.comment_right and self.comment.split() == self.row["comment"].split()

    def __str__(self) -> str:
        said = self.raised or f"{self.outcome} {self.reason} {self.comment!r}"
        return f"{self.row['file']} ({self.way}): {said}"


class _Undone(Exception):
    """Ends a transaction whose changes are not wanted."""


class Way:
    """The way in: hands each mail to the same open request, and undoes what it did."""

    def __init__(self, request: Asked, in_force: InForce) -> None:
        self.request = request
        self._in_force = in_force

    def measure(self, row: Row, way: str, raw: bytes) -> Measured:
        begin = time.perf_counter()
        try:
            return self._hand_in(row, way, raw, begin)
        except Exception as error:
            seconds = time.perf_counter() - begin
            return Measured(row, way, seconds=seconds, raised=f"{type(error).__name__}: {error}")

    def _hand_in(self, row: Row, way: str, raw: bytes, begin: float) -> Measured:
        mail = understand(raw, partial=False, settings=self._in_force)
        found: Measured | None = None
        try:
            with transaction():
                before = _outbox_size()
                reply = Reply(
                    account="approvals@mail.corp.test:143",
                    folder="INBOX",
                    uidvalidity=1,
                    uid=1,
                    sha256=hashlib.sha256(raw).hexdigest(),
                    tries=1,
                    first_seen_at=NOW,
                )
                db.session.add(reply)
                db.session.flush()
                entry = Entry.of(reply)
                outcome = receive(mail, entry, settings=self._in_force, now=NOW).outcome
                storing.store()
                found = Measured(
                    row,
                    way,
                    outcome=outcome.kind,
                    verdict=outcome.verdict or "none",
                    comment=outcome.comment,
                    reason=outcome.reason,
                    answers=_outbox_size() - before,
                    seconds=time.perf_counter() - begin,
                )
                raise _Undone
        except _Undone:
            assert found
            return found


def _outbox_size() -> int:
    return db.session.scalar(select(func.count()).select_from(OutboxMail)) or 0


@functools.cache
def substitute() -> Callable[..., bytes]:
    spec = importlib.util.spec_from_file_location("substitute", CORPUS / "substitute.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., bytes] = module.substitute
    return function


def rows(folder: str) -> list[Row]:
    found: list[Row] = json.loads((CORPUS / folder / "expected.json").read_text(encoding="utf-8"))
    return found


def bytes_of(row: Row) -> bytes:
    path: Path = CORPUS / row["file"]
    return path.read_bytes()


@pytest.fixture(scope="module")
def way(fresh_instance: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("corpus") / "instance"
    shutil.copytree(fresh_instance, folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FLEXMAIL_")]:
            patch.delenv(name)
        patch.setenv("FLEXMAIL_INSTANCE_PATH", str(folder))
        app = create_app({"TESTING": True})
    with app.app_context():
        accounts.add(ADA, role="admin", name="Ada", now=NOW)
        accounts.add(APPROVER, role="approver", name="Approver", now=NOW)
        set_up()
        yield Way(ask(APPROVER), settings.in_force(settings.load()))


@pytest.fixture(scope="module")
def decisions(way: Way) -> list[Measured]:
    """Every reply, from the approver; one without history is known by its In-Reply-To."""
    token = way.request.reference.removeprefix("FM-")
    found = []
    for row in rows("decision"):
        headers = {"From": f"Approver <{APPROVER}>"}
        if not row["history"]:
            headers["In_Reply_To"] = way.request.message_id
        raw = substitute()(bytes_of(row), token, **headers)
        found.append(way.measure(row, "as a reply", raw))
    return found


@pytest.fixture(scope="module")
def automata(way: Way) -> list[Measured]:
    """Bounces and auto-replies: as they are, with our reference, and from the approver besides."""
    token = way.request.reference.removeprefix("FM-")
    found = []
    for row in rows("auto"):
        raw = bytes_of(row)
        thread = {"In_Reply_To": way.request.message_id}
        ours = substitute()(raw, token, **thread)
        theirs = substitute()(raw, token, From=APPROVER, **thread)
        found.append(way.measure(row, AS_IT_IS, raw))
        found.append(way.measure(row, WITH_OUR_REFERENCE, ours))
        found.append(way.measure(row, FROM_THE_APPROVER, theirs))
    return found


@pytest.fixture(scope="module")
def malformed(way: Way) -> list[Measured]:
    """Odd mails, as they are and as answers of the approver; byte for byte but for the headers."""
    found = []
    for row in rows("malformed"):
        raw = bytes_of(row)
        thread = f"In-Reply-To: {way.request.message_id}\r\nFrom: {APPROVER}\r\n".encode()
        found.append(way.measure(row, AS_IT_IS, raw))
        found.append(way.measure(row, FROM_THE_APPROVER, thread + _FROM_LINE.sub(b"", raw)))
    return found


COLUMNS = (
    *("mails", "right", "wrong approve", "wrong reject", "missed"),
    *("comments", "right ", "clean", "made up"),
)


def counted(measured: Iterable[Measured]) -> list[int]:
    """The figures of one line of a table, in the order of `COLUMNS`."""
    count = Counter[str]()
    for one in measured:
        count["mails"] += 1
        count["right"] += one.right
        count[f"wrong {one.verdict}"] += not one.right
        count["missed"] += one.due and one.verdict == "none"
        count["comments"] += one.comment_counts
        count["right "] += one.comment_counts and one.comment_right
        count["clean"] += one.comment_counts and one.comment_clean
        count["made up"] += made_up(one)
    return [count[column] for column in COLUMNS]


def made_up(one: Measured) -> bool:
    return one.verdict != "none" and not one.row["comment"] and not one.comment_right


def table(measured: list[Measured], by: str) -> list[str]:
    groups: defaultdict[str, list[Measured]] = defaultdict(list)
    for one in measured:
        groups[str(one.row[by])].append(one)
    lines = [f"\n{by:46}" + "".join(f"{column.strip():>14}" for column in COLUMNS)]
    for name, group in [*sorted(groups.items()), ("all", measured)]:
        lines.append(f"{name:46}" + "".join(f"{figure:14}" for figure in counted(group)))
    return lines


def other_sets(name: str, measured: list[Measured]) -> list[str]:
    lines = [
        f"\n{name:46}" + "".join(f"{c:>14}" for c in ("mails", "raised", "decided", "answered"))
    ]
    for way in dict.fromkeys(one.way for one in measured):
        group = [one for one in measured if one.way == way]
        raised = sum(bool(one.raised) for one in group)
        decided = sum(one.verdict != "none" for one in group)
        answered = sum(one.answers > 0 for one in group)
        lines.append(f"{way:46}{len(group):14}{raised:14}{decided:14}{answered:14}")
    return lines


def test_the_figures_are_shown(
    decisions: list[Measured],
    automata: list[Measured],
    malformed: list[Measured],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines: list[str] = []
    for by in ("scenario", "client", "shape", "lang", "charset", "cte", "vocab"):
        lines += table(decisions, by)
    lines += other_sets("auto", automata) + other_sets("malformed", malformed)
    everything = [*decisions, *automata, *malformed]
    longest = max(everything, key=lambda one: one.seconds)
    lines.append(f"\nlongest: {longest.seconds * 1000:.0f} ms, {longest.row['file']}")
    with capsys.disabled():
        print("\n".join(lines))  # noqa: T201


def test_every_reply_meets_the_open_request(decisions: list[Measured]) -> None:
    met = {"approved", "rejected", "unclear"}
    assert [str(one) for one in decisions if one.outcome not in met] == []


def test_no_reply_approves_that_should_not(decisions: list[Measured]) -> None:
    assert [str(o) for o in decisions if o.verdict == "approve" and not o.right] == []


def test_no_reply_rejects_that_should_not(decisions: list[Measured]) -> None:
    assert [str(o) for o in decisions if o.verdict == "reject" and not o.right] == []


def test_at_most_one_decision_in_a_hundred_is_missed(decisions: list[Measured]) -> None:
    due = [one for one in decisions if one.due]
    missed = [str(one) for one in due if one.verdict == "none"]
    assert len(missed) <= len(due) / 100, missed


def test_nineteen_comments_in_twenty_are_right(decisions: list[Measured]) -> None:
    stated = [one for one in decisions if one.comment_counts]
    faulty = [str(one) for one in stated if not one.comment_right]
    assert len(faulty) <= len(stated) / 20, faulty


def test_no_comment_is_made_up_where_none_was_written(decisions: list[Measured]) -> None:
    assert [str(one) for one in decisions if made_up(one)] == []


def test_mail_of_automata_decides_nothing(automata: list[Measured]) -> None:
    assert [str(one) for one in automata if one.raised or one.verdict != "none"] == []


def test_mail_of_automata_is_never_answered(automata: list[Measured]) -> None:
    """Apart from those by whose From alone a machine was known, once a person stands there."""
    answered = [one for one in automata if one.answers]
    assert [str(one) for one in answered if one.way != FROM_THE_APPROVER] == []
    assert [str(one) for one in answered if not _MACHINE.search(bytes_of(one.row))] == []


def test_malformed_mail_raises_nothing_and_decides_nothing(malformed: list[Measured]) -> None:
    assert [str(one) for one in malformed if one.raised or one.verdict != "none"] == []
