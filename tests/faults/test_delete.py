"""Deleting goes wrong: what is settled is deleted later, once, and nothing of others with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from flexmail.services import status
from tests.faults.acts import Act, Fault, answer, changed, cut, cut_behind, instead
from tests.faults.oracle import Scene

pytestmark = pytest.mark.dovecot

NewScene = Callable[..., Scene]
STORE, EXPUNGE = rb"UID STORE .*\+FLAGS", rb"UID EXPUNGE"


def alarm() -> str:
    return str(status.overview(now=datetime.now(UTC))["reply_processing"]["error"])


def everything_is_decided(scene: Scene) -> None:
    assert scene.outcomes() == {
        "approved": 10,
        "rejected": 10,
        "wrong_sender": 1,
        "unknown_reference": 1,
    }


@pytest.mark.parametrize(("command", "word"), [(STORE, b"NO"), (EXPUNGE, b"NO"), (EXPUNGE, b"BAD")])
def test_a_server_that_will_not_delete(command: bytes, word: bytes, scene: Scene) -> None:
    no = answer(b"TAG " + word + b" not now\r\n")
    scene.proxy.put(fault := Fault("flexmail", command, no, times=0))

    report = scene.run()

    assert fault.fired
    assert "not now" in report.error
    assert "not now" in alarm()
    everything_is_decided(scene)
    scene.clear()
    everything_is_decided(scene)


MOMENTS: dict[str, tuple[bytes, Act]] = {
    "before STORE": (STORE, cut),
    "after STORE": (STORE, cut_behind),
    "before EXPUNGE": (EXPUNGE, cut),
    "after EXPUNGE": (EXPUNGE, cut_behind),
}


@pytest.mark.parametrize(
    ("moment", "tls"), [*zip(MOMENTS, ("clear", "implicit", "starttls", "implicit"), strict=True)]
)
def test_cut_around_the_delete(moment: str, tls: str, new_scene: NewScene) -> None:
    scene = new_scene(tls)
    command, act = MOMENTS[moment]
    scene.proxy.put(fault := Fault("flexmail", command, act))

    report = scene.run()

    assert fault.fired == 1
    assert "closed the connection" in report.error
    assert report.looked_at >= 1
    scene.clear()
    everything_is_decided(scene)


def without_uidplus() -> Fault:
    return Fault("server", rb"UIDPLUS", changed(rb" UIDPLUS", b""), times=0)


def test_without_uidplus_ours_are_expunged_where_nothing_else_is_marked(
    new_scene: NewScene,
) -> None:
    scene = new_scene(marked=False)
    scene.proxy.put(fault := without_uidplus())

    report = scene.run()

    assert fault.fired
    assert b" EXPUNGE\r\n" in b"".join(scene.proxy.said("flexmail"))
    assert (report.error, report.looked_at, scene.look()) == ("", 22, {})
    scene.clear()


def test_without_uidplus_nothing_goes_along_that_others_marked(scene: Scene) -> None:
    scene.proxy.put(fault := without_uidplus())

    report = scene.run()

    assert fault.fired
    assert "no UIDPLUS" in report.error
    assert "no UIDPLUS" in alarm()
    assert len(scene.look()) == 23
    everything_is_decided(scene)

    scene.expunge_what_others_marked()
    report = scene.run()
    assert (report.error, scene.look()) == ("", {})
    assert alarm() == ""
    scene.clear()
    everything_is_decided(scene)


def test_ok_to_the_delete_but_the_mails_stay(scene: Scene) -> None:
    ok = answer(b"TAG OK done\r\n")
    scene.proxy.put(fault := Fault("flexmail", EXPUNGE, ok, times=0))
    scene.kept = list(scene.mails)

    first, second = scene.run(), scene.run()

    assert fault.fired
    assert (first.error, first.looked_at, first.left) == ("", 22, 0)
    assert (second.error, second.looked_at, second.left) == ("", 0, 0)
    assert all(row.kept_by_server for row in scene.rows())
    everything_is_decided(scene)

    extra = scene.flight.replies[0]
    scene.clear()
    assert extra.raw in {raw for _, raw in scene.look().values()}
    everything_is_decided(scene)


def test_bye_between_two_mails_of_the_delete(scene: Scene) -> None:
    bye = instead(b"* BYE shutting down\r\n", then_cut=True)
    scene.proxy.put(fault := Fault("server", rb"^\* \d+ EXPUNGE", bye, skip=9))

    report = scene.run()

    assert fault.fired == 1
    assert "shutting down" in report.error
    scene.clear()
    everything_is_decided(scene)
