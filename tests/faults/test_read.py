"""Reading goes wrong in the middle: what was read is settled, what was not is read again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from flexmail.services import settings, withheld
from flexmail.services.reply_run import Patience
from tests.faults.acts import (
    Fault,
    Shape,
    answer,
    before,
    changed,
    cut,
    flood,
    hook,
    instead,
    stall,
)
from tests.faults.oracle import HASTY, Scene
from tests.faults.proxy import Link

pytestmark = pytest.mark.dovecot

NewScene = Callable[..., Scene]
ASKED = rb"UID FETCH .*BODY"
READ = rb"^\* \d+ FETCH .*BODY\["


@pytest.mark.parametrize("thirteenth", range(1, 13))
def test_cut_at_any_byte(thirteenth: int, new_scene: NewScene, visit_bytes: int) -> None:
    scene = new_scene("clear", count=4)
    scene.proxy.shape = shape = Shape(cut_after=visit_bytes * thirteenth // 13)

    report = scene.run()

    assert shape.fired == 1
    assert report.error
    scene.clear()


def test_a_torn_literal(scene: Scene) -> None:
    longer = Fault("server", READ, changed(rb"\{(\d+)\}", rb"{9\1}"), skip=5)
    scene.proxy.put(longer)

    report = scene.run(HASTY)

    assert longer.fired == 1
    assert report.error
    scene.clear()


def test_a_fetch_that_is_never_answered(scene: Scene) -> None:
    scene.proxy.put(fault := Fault("flexmail", ASKED, stall, skip=1))

    report = scene.run(HASTY)

    assert fault.fired == 1
    assert "did not answer in time" in report.error
    assert report.looked_at >= 1  # what had come before
    scene.clear()


def test_a_line_of_200_bytes_a_second(new_scene: NewScene) -> None:
    """Fifteen times as fast with a fifteenth of the patience, which is the same to a run."""
    scene = new_scene()
    scene.proxy.shape = shape = Shape(segment=40, bytes_per_second=3000)

    report = scene.run(Patience(step_seconds=2 / 3, late_seconds=3, run_seconds=4))

    assert shape.fired
    assert 1 <= report.looked_at < 22  # what was read in time is settled in time
    assert len(scene.look()) < 23
    scene.clear()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_segments_of_seven_bytes(tls: str, new_scene: NewScene) -> None:
    scene = new_scene(tls)
    scene.proxy.shape = shape = Shape(segment=7)

    report = scene.run()

    assert shape.fired > 1000
    assert (report.error, report.looked_at, report.left) == ("", 22, 0)
    scene.clear()


NONSENSE = {
    "huge literal": (changed(rb"\{\d+\}", b"{4294967296}"), "4294967296 bytes at once"),
    "endless line": (flood(b"x" * 65536), "a line without end"),
    "garbage": (before(b"\x00\xff\x1b[2J garbage\r\n"), "does not answer as IMAP does"),
    "bye": (instead(b"* BYE shutting down\r\n", then_cut=True), "shutting down"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_between_two_mails(what: str, scene: Scene) -> None:
    act, words = NONSENSE[what]
    scene.proxy.put(fault := Fault("server", READ, act, skip=8))

    report = scene.run()

    assert fault.fired == 1
    assert words in report.error
    scene.clear()


class Withheld:
    """The server says NO wherever one of some mails is asked for, and hands over the others."""

    def __init__(self, *uids: int, code: bytes = b"") -> None:
        self.uids, self.refused, self._no = set(uids), False, b"TAG NO " + code + b"broken\r\n"
        self.asked = Fault("flexmail", ASKED, self._ask, times=0)
        self.done = Fault("server", rb"^[A-Z]{4}\d+ OK Fetch", self._answer, times=0)

    def _ask(self, link: Link, line: bytes) -> bytes | None:
        named = re.search(rb"UID FETCH (\S+)", line)
        assert named is not None
        uids: list[int] = []
        for part in named[1].split(b","):
            low, _, high = part.partition(b":")
            uids += range(int(low), int(high or low) + 1)
        if self.uids.isdisjoint(uids):
            return line
        others = b",".join(b"%d" % uid for uid in uids if uid not in self.uids)
        if not others:
            return answer(self._no)(link, line)
        self.refused = True
        return line.replace(named[1], others)

    def _answer(self, link: Link, line: bytes) -> bytes | None:
        if self.refused:
            self.refused = False
            return answer(self._no)(link, line)
        return line


def test_one_uid_that_is_always_refused(scene: Scene) -> None:
    uid = scene.uid_of(scene.mails[4])
    fault = Withheld(uid)
    scene.proxy.put(fault.asked, fault.done)

    runs = [scene.run() for _ in range(5)]

    assert [(run.error, run.looked_at) for run in runs] == [("", 21), *[("", 0)] * 4]
    assert sum(b"FETCH %d " % uid in line for line in scene.proxy.said("flexmail")) == 1
    (waiting,) = withheld.in_folder(settings.load())
    assert (waiting.uid, waiting.outcome, waiting.tries) == (uid, None, 1)
    assert "broken" in waiting.reason
    scene.clear(after=timedelta(minutes=1))
    assert withheld.in_folder(settings.load()) == []


@pytest.mark.parametrize("code", [b"[SERVERBUG] ", b""], ids=["trouble", "no"])
def test_mails_in_front_that_are_always_refused_hold_back_no_other(
    code: bytes, scene: Scene
) -> None:
    front = 1 if code else 6  # without a code five in a row are the server's trouble
    fault = Withheld(*(scene.uid_of(mail) for mail in scene.mails[:front]), code=code)
    scene.proxy.put(fault.asked, fault.done)

    runs = [scene.run() for _ in range(3)]

    assert "hands over no mail" in runs[0].error
    assert sum(run.looked_at for run in runs) == 22 - front
    scene.clear(after=timedelta(hours=1))


def test_a_mail_that_a_second_client_expunges_meanwhile(scene: Scene) -> None:
    gone = scene.mails[7]
    scene.proxy.put(fault := Fault("flexmail", ASKED, hook(lambda: scene.expunge(gone))))

    report = scene.run()

    assert fault.fired == 1
    assert (report.error, report.looked_at) == ("", 21)
    scene.clear()


def test_mail_that_arrives_meanwhile(new_scene: NewScene) -> None:
    scene = new_scene(count=19)
    late = scene.flight.replies[19]
    scene.proxy.put(fault := Fault("flexmail", ASKED, hook(lambda: scene.deliver_another(late))))

    report = scene.run()

    assert fault.fired == 1
    assert (report.error, report.looked_at) == ("", 21)
    scene.clear()


@pytest.mark.parametrize(
    "unasked",
    [
        b"* 99 EXISTS\r\n* 3 RECENT\r\n",
        b"* 2 FETCH (FLAGS (\\Seen \\Deleted))\r\n* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n",
        b"* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n",
        b"* VANISHED 1:5\r\n* OK [ALERT] hello\r\n* BAD odd\r\n* NO odder\r\n",
    ],
)
def test_unsolicited_answers_between_two_mails(unasked: bytes, scene: Scene) -> None:
    scene.proxy.put(fault := Fault("server", READ, before(unasked), times=3, skip=4))

    report = scene.run()

    assert fault.fired == 3
    assert (report.error, report.looked_at) == ("", 22)
    scene.clear()


def test_a_uidvalidity_that_changed_after_the_commit(scene: Scene) -> None:
    scene.proxy.put(fault := Fault("flexmail", rb"UID STORE", cut))
    assert scene.run().looked_at > 0

    scene.renumber()

    assert fault.fired == 1
    scene.clear()
    assert set(scene.outcomes()) - {
        "approved",
        "rejected",
        "wrong_sender",
        "unknown_reference",
    } <= {
        "already_decided",
        "duplicate",
    }


def test_a_uidvalidity_that_changes_while_mails_are_read(scene: Scene) -> None:
    fault = Fault("flexmail", ASKED, hook(scene.renumber), skip=1)
    scene.proxy.put(fault)

    scene.run()

    assert fault.fired == 1
    scene.clear()
