"""The stage itself: without a fault one run takes everything, whatever the line is like."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.faults.oracle import Scene
from tests.faults.proxy import Tls

pytestmark = pytest.mark.dovecot


@pytest.mark.parametrize("tls", ["clear", "starttls", "implicit"])
def test_without_a_fault_one_run_takes_all(tls: Tls, new_scene: Callable[..., Scene]) -> None:
    scene = new_scene(tls)

    report = scene.run()

    assert (report.error, report.looked_at) == ("", 22)
    scene.clear()
    assert scene.outcomes() == {
        "approved": 10,
        "rejected": 10,
        "wrong_sender": 1,
        "unknown_reference": 1,
    }


def test_the_line_outlives_a_server_that_is_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((scene.dovecot.host, 0)) as closing:
        nobody = closing.getsockname()
    with monkeypatch.context() as away:
        away.setattr(scene.proxy, "_server", nobody)
        assert [bool(scene.run().error) for _ in range(2)] == [True, True]
    scene.clear()
