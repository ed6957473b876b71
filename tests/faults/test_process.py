"""The process ends, or sleeps, at every step of a run: the next run takes up what it left."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from flexmail.db import db, transaction
from flexmail.models import Callback
from flexmail.services import announcing, approval_requests, approvals
from flexmail.services.approval_requests import NewApproval
from tests.faults.acts import Fault, hook
from tests.faults.oracle import Scene
from tests.faults.proxy import Proxy
from tests.faults.test_smtp import TAKEN, Post
from tests.hook import TAKEN as TAKEN_BY_PROGRAM
from tests.hook import Hook
from tests.rogue import Peer
from tests.servers import Exim
from tests.services.stage import BOB

pytestmark = [pytest.mark.dovecot, pytest.mark.exim]

NewScene = Callable[..., Scene]
STEPS = {
    "before anything is committed": ("server", rb"^\* \d+ FETCH .*UID", 0),
    "before the outcomes are committed": ("server", rb"^\* \d+ FETCH .*BODY\[", 6),
    "after the commit, before the delete": ("flexmail", rb"UID STORE", 0),
    "between STORE and EXPUNGE": ("flexmail", rb"UID EXPUNGE", 0),
    "in the middle of EXPUNGE": ("server", rb"^\* \d+ EXPUNGE", 7),
    "after the delete": ("flexmail", rb"LOGOUT", 0),
}


class Command:
    """`flexmail …` as a child process, in the instance of the test; ended with the test."""

    def __init__(self, app: Flask, *words: str, **environment: str) -> None:
        self._command = [sys.executable, "-m", "flexmail", *words]
        self._folder = Path(app.instance_path)
        self._environment = {
            "PATH": os.environ["PATH"],
            "FLEXMAIL_INSTANCE_PATH": str(self._folder),
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        db.session.rollback()
        self.process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def fill_the_disk(self) -> None:
        """From now on no file of the child may grow."""
        assert self.process is not None
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def wait(self, seconds: float = 60) -> int:
        """Return the exit code, negative for the signal that ended it."""
        assert self.process is not None
        self.said, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def process_replies(context: Flask) -> Iterator[Command]:
    command = Command(context, "replies", "process", "--json")
    yield command
    command.end()


@pytest.fixture
def send_outbox(context: Flask) -> Iterator[Command]:
    command = Command(context, "outbox", "send")
    yield command
    command.end()


def take_up(scene: Scene) -> None:
    """Check what the dead process left, and let a run take it up once its lease has run out."""
    scene.unreported = True
    scene.nothing_is_lost()
    scene.let_leases_run_out()
    scene.clear()


@pytest.mark.parametrize("step", STEPS)
def test_kill_9_at_each_step(step: str, scene: Scene, process_replies: Command) -> None:
    side, at, skip = STEPS[step]
    fault = Fault(side, at, hook(process_replies.kill), skip=skip)  # type: ignore[arg-type]
    scene.proxy.put(fault)

    process_replies.start()
    assert process_replies.wait() == -signal.SIGKILL

    assert fault.fired == 1
    settled = sum(1 for row in scene.rows() if row.outcome)
    assert bool(settled) == (step not in list(STEPS)[:2])
    take_up(scene)


@pytest.mark.parametrize("at", ["DATA", "250"])
def test_kill_9_while_an_answer_goes_out(
    at: str,
    context: Flask,
    exim: Exim,
    new_proxy: Callable[..., Proxy],
    send_outbox: Command,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy = new_proxy(server=(exim.host, exim.smtps_port))
    post = Post(exim, proxy, f"killed{proxy.port}@example.test", caplog)
    side, pattern = ("flexmail", rb"(?i)^data") if at == "DATA" else ("server", TAKEN)
    fault = Fault(side, pattern, hook(send_outbox.kill), skip=5)  # type: ignore[arg-type]
    proxy.put(fault)

    send_outbox.start()
    assert send_outbox.wait() == -signal.SIGKILL

    assert fault.fired == 1
    post.claims_run_out()
    post.clear()


@pytest.mark.parametrize("line", [3, 20, 300, 600])
def test_sigterm_at_any_moment(line: int, scene: Scene, process_replies: Command) -> None:
    fault = Fault("server", b"", hook(lambda: process_replies.send(signal.SIGTERM)), skip=line)
    scene.proxy.put(fault)

    process_replies.start()
    process_replies.wait(25)

    assert fault.fired == 1
    take_up(scene)


def test_a_disk_that_gets_full_under_a_process(scene: Scene, process_replies: Command) -> None:
    full = hook(process_replies.fill_the_disk)
    scene.proxy.put(fault := Fault("server", rb"^\* \d+ FETCH .*BODY\[", full))

    process_replies.start()
    assert process_replies.wait() not in (0, -signal.SIGXFSZ)

    assert fault.fired == 1
    assert len(scene.look()) == 23
    assert "Traceback" not in process_replies.said
    take_up(scene)


def test_an_owner_that_sleeps_past_its_lease_commits_nothing_more(
    scene: Scene, process_replies: Command
) -> None:
    """It is stopped while it reads, its lease runs out, another run takes all, and it wakes up."""
    sleep = hook(lambda: process_replies.send(signal.SIGSTOP))
    scene.proxy.put(fault := Fault("server", rb"^[A-Z]{4}\d+ OK Fetch", sleep, skip=1))
    process_replies.start()
    scene.wait_for(lambda: fault.fired and asleep(process_replies))
    assert scene.outcomes() == {}

    scene.let_leases_run_out()
    scene.clear()
    rows = [(row.id, row.outcome, row.processed_at) for row in scene.rows()]
    process_replies.send(signal.SIGCONT)

    assert process_replies.wait() == 1
    assert "has gone to another process" in process_replies.said
    assert [(row.id, row.outcome, row.processed_at) for row in scene.rows()] == rows
    scene.nothing_is_lost()
    scene.clear()


def test_an_owner_that_sleeps_before_its_delete_deletes_only_what_it_had_committed(
    new_scene: NewScene, process_replies: Command
) -> None:
    scene = new_scene(count=19)
    sleep = hook(lambda: process_replies.send(signal.SIGSTOP))
    scene.proxy.put(fault := Fault("flexmail", rb"UID STORE", sleep))
    process_replies.start()
    scene.wait_for(lambda: fault.fired and asleep(process_replies))
    assert scene.outcomes()

    scene.unreported = True
    scene.let_leases_run_out()
    scene.clear()
    late = scene.flight.replies[19]
    scene.deliver_another(late)
    process_replies.send(signal.SIGCONT)
    process_replies.wait()

    assert late.raw in {raw for _, raw in scene.look().values()}
    scene.nothing_is_lost()
    scene.let_leases_run_out()
    scene.clear()


def asleep(command: Command) -> bool:
    assert command.process is not None
    state = Path(f"/proc/{command.process.pid}/stat").read_text()
    return bool(re.match(r"\d+ \(.*\) T ", state))


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
def test_kill_9_inside_a_callback(when: str, context: Flask) -> None:
    """The decision is committed, so its callback is sent again, under the same id."""
    with Hook() as program:
        listed = {"FLEXMAIL_CALLBACK_ALLOWED_HOSTS": f"{program.host}:{program.port}"}
        context.config["CALLBACK_ALLOWED_HOSTS"] |= {(program.host, program.port)}
        wanted = NewApproval(title="Deploy", approvers=(BOB,), callback_url=program.url)
        approval = approval_requests.request(wanted, now=datetime.now(UTC))
        approvals.cancel(approval.id, now=datetime.now(UTC))
        command = Command(context, "callbacks", "send", **listed)

        def answer(peer: Peer) -> None:
            if when == "after the answer":
                peer.send(TAKEN_BY_PROGRAM)
            command.kill()

        program.answer = answer
        command.start()
        ended = command.wait()
        assert ended == -signal.SIGKILL or when == "after the answer"
        program.answer = TAKEN_BY_PROGRAM
        with transaction():
            db.session.execute(update(Callback).values(claimed_until=datetime.now(UTC)))
        announcing.announce_due(now=datetime.now(UTC) + timedelta(minutes=1))

    assert [row.state for row in db.session.scalars(select(Callback))] == ["sent"]
    assert len(program.heard) >= 1 + (when == "before the answer")
    assert len({heard.headers["webhook-id"] for heard in program.heard}) == 1
    assert len({heard.body for heard in program.heard}) == 1
