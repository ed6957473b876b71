"""The process that reads: whatever a mail does to it, nobody else notices."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from flexmail import jobs
from flexmail.errors import ReaderUnavailable, ReadingFailed
from flexmail.mail.apart import MAX_MEMORY
from flexmail.mail.desk import Desk
from flexmail.mail.ours import Sent
from flexmail.mail.reply import DEFAULT_WORDS, Reading
from flexmail.mail.sizes import MAX_BYTES
from flexmail.services import apart
from flexmail.services.apart import Apart
from tests.services import hostile_desk
from tests.story.waiting import wait_for

HOSTILE = hostile_desk.__name__
ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
HEAD = b"From: Bob <bob@corp.test>\r\nSubject: Re: Deploy\r\nMIME-Version: 1.0\r\n"
PLAIN = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
HTML = HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
GOOD = PLAIN + b"Approve\r\n\r\n> Reference: FM-" + b"A" * 26 + b"\r\n"

# what the mail does → what is said about it
DEEDS = {
    "burn": "took more than 2 s",
    "hoard": "needed too much memory",
    "recurse": "broke off (RecursionError)",
    "overflow": "ended the process that read it (SIGSEGV)",
    "leave": "ended the process that read it (exit code 3)",
    "kill": "ended the process that read it (SIGKILL)",
    "garbage": "nonsense",
    "lie": "nonsense",
    "nest": "nonsense",
    "flood": "nonsense",
    "drip": "took more than 2 s",
    "shut": "ended the process",
    "talk": "nonsense",
}


@pytest.fixture
def desk() -> Iterator[Apart]:
    with Apart(HOSTILE, seconds=2) as started:
        yield started


def mail_that(deed: str) -> bytes:
    return PLAIN + b"Approve\r\nDO THIS: " + deed.encode() + b"\r\n"


def is_there(pid: int | None) -> bool:
    """Tell whether a process is in the table, were it as a zombie."""
    return Path(f"/proc/{pid}").exists()


def read_with(desk: Desk | Apart, raw: bytes) -> tuple[object, Reading]:
    return desk.look(raw, partial=False), desk.read(DEFAULT_WORDS, None)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_mail_that_breaks_its_reader_is_named_and_the_next_one_is_read(
    deed: str, desk: Apart
) -> None:
    desk.look(GOOD, partial=False)
    broken = desk.pid
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ReadingFailed) as failed:
        read_with(desk, mail_that(deed))
    assert DEEDS[deed] in str(failed.value)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 << 10  # KiB: the 100 MiB that some of them make are not ours
    assert not is_there(broken)
    assert read_with(desk, GOOD)[1].verdict == "approve"
    assert desk.pid != broken


def test_every_deed_is_tried() -> None:
    assert [deed.__name__ for deed in hostile_desk.DEEDS] == list(DEEDS)


def test_the_process_that_reads_has_nothing_that_a_mail_could_want(
    desk: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXMAIL_SECRET_KEY", "a secret")
    monkeypatch.setenv("HOME", "/home/of-the-service")
    with Path(__file__).open("rb"):
        confessed = json.loads(desk.look(mail_that("confess"), partial=False).parsed.subject)
    packages = {name.partition(".")[0] for name in confessed["modules"]}
    assert packages.isdisjoint({"flask", "sqlalchemy", "cryptography", "imapclient", "werkzeug"})
    assert {name for name in confessed["modules"] if name.startswith("flexmail.")} == {
        name
        for name in confessed["modules"]
        if name == "flexmail.mail" or name.startswith("flexmail.mail.")
    }
    assert confessed["environment"].keys() <= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LC_CTYPE"}
    assert confessed["folder"] == "/"
    assert len(confessed["files"]) == 4  # the three, and the one that looks
    assert (confessed["memory"], confessed["killed first"]) == (MAX_MEMORY, "1000")
    assert confessed["written"] == confessed["core"] == confessed["processes"] == 0


def multipart(*parts: bytes) -> bytes:
    head = HEAD + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    return head + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


REAL = {
    "plain": GOOD,
    "empty": b"",
    "no headers": b"Approve\r\n",
    "two authors": b"From: a@b.test\r\n" + GOOD,
    "odd charset": PLAIN.replace(b"utf-8", b"utf-7") + b"Reject +2D3cAA- +AAA-\r\n",
    "odd subject": GOOD.replace(b"Re: Deploy", b"=?utf-7?q?+2D3cAA-?= \xe9\xff \xf0\x9f\x98\x80"),
    "both texts": multipart(
        b"Content-Type: text/plain\r\n\r\nApprove\r\n",
        b"Content-Type: text/html\r\n\r\n<p>Approve<blockquote>FM-" + b"B" * 26,
    ),
    "texts that differ": multipart(
        b"Content-Type: text/plain\r\n\r\nApprove\r\n",
        b"Content-Type: text/html\r\n\r\n<p>Reject",
    ),
    "threaded": b"References: <a@b.test>\r\n <c@d.test>\r\nIn-Reply-To: <c@d.test>\r\n" + GOOD,
    "automatic": b"Auto-Submitted: auto-replied\r\n" + GOOD,
    "authenticated": b"Authentication-Results: mx.test; dmarc=pass header.from=b.test\r\n" + GOOD,
    "a report": HEAD
    + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
    b"Final-Recipient: rfc822; bob@corp.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n",
    "a mebibyte": PLAIN + b"Approve\r\n" + b"> quoted\r\n" * ((MAX_BYTES - 500) // 10),
    "more than a mebibyte": PLAIN + b"Approve\r\n" + b"> quoted\r\n" * (MAX_BYTES // 5),
}


@pytest.mark.parametrize("case", REAL)
def test_a_mail_says_apart_what_it_says_here(case: str) -> None:
    sent = Sent(plain="Quoted words \u20ac", html="<p>Quoted", given=("Deploy",))
    here = Desk()
    with Apart() as there:
        for partial in (False, True):
            assert there.look(REAL[case], partial=partial) == here.look(REAL[case], partial=partial)
            assert there.read(DEFAULT_WORDS, sent) == here.read(DEFAULT_WORDS, sent)


def filled(with_what: bytes) -> bytes:
    return with_what * (MIB // len(with_what))


MULTIPART = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n"
HARD = {
    "nested divs": HTML + filled(b"<div>"),
    "fifty thousand elements": HTML + b"<p>x</p>" * 50_000,
    "unclosed tables": HTML + filled(b"<table><tr><td>x"),
    "nested quotes": HTML + filled(b"<blockquote>x"),
    "attributes": HTML + b"<p " + filled(b"a=1 "),
    "styles": HTML + filled(b"<p style='color:red;display:none;font-size:1px'>x"),
    "comments": HTML + filled(b"<!--"),
    "quote marks": PLAIN + filled(b">"),
    "quoted lines": PLAIN + filled(b"> x\n"),
    "empty lines": PLAIN + filled(b"\n"),
    "one line": PLAIN + filled(b"Approve "),
    "combining marks": PLAIN + b"Approve " + filled("\u0301".encode()),
    "half references": PLAIN + filled(b"FM-A=\n>"),
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 4000 + b"\r\n" + GOOD,
    "quotes in a parameter": b"Content-Type: text/plain; x=" + b'";"' * 20_000 + b"\r\n" + GOOD,
    "multiparts in each other": HEAD
    + b"".join(MULTIPART % number + b"--%d\r\n" % number for number in range(9999)),
    "parts": HEAD + MULTIPART % 0 + filled(b"--0\r\n\r\nx\r\n"),
    "mails in each other": HEAD + filled(b"Content-Type: message/rfc822\r\n\r\n"),
    "soft lines": PLAIN.replace(b"utf-8", b"utf-8; format=flowed") + filled(b"a \n"),
}  # fmt: skip


def test_the_hardest_mails_known_are_read_within_the_limits_by_one_reader() -> None:
    sent = Sent(plain="> x FM-A Approve " * 500, html="<p>x<blockquote>x" * 500)
    with Apart() as desk:
        desk.look(GOOD, partial=False)
        first = desk.pid
        for raw in HARD.values():
            desk.look(raw, partial=True)
            desk.read(DEFAULT_WORDS, sent)
            assert peak_of(desk.pid) < MAX_MEMORY // 2
        assert desk.pid == first


def peak_of(pid: int | None) -> int:
    """Return the most bytes of address space that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * next(
        int(line.split()[1]) for line in status.splitlines() if line.startswith("VmPeak")
    )


def test_one_reader_serves_many_mails_and_makes_way_after_its_share(
    desk: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = []
    monkeypatch.setattr(apart, "MAX_BYTES_A_CHILD", 3 * len(GOOD))
    for _ in range(7):
        read_with(desk, GOOD)
        pids.append(desk.pid)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    assert [is_there(pid) for pid in dict.fromkeys(pids)] == [False, False, True]


def test_nothing_is_read_before_a_mail_was_looked_at(desk: Apart) -> None:
    with pytest.raises(LookupError):
        desk.read(DEFAULT_WORDS, None)
    desk.look(GOOD, partial=False)
    with ThreadPoolExecutor(1) as pool, pytest.raises(LookupError):
        pool.submit(desk.read, DEFAULT_WORDS, None).result()  # another thread's is another mail
    desk.stop()
    with pytest.raises(LookupError):
        desk.read(DEFAULT_WORDS, None)


def test_of_many_at_the_shared_desk_each_gets_the_answer_about_its_own_mail() -> None:
    starting = threading.Barrier(4)

    def ask(number: int) -> list[str]:
        starting.wait(30)
        said = []
        for turn in range(20):
            raw = PLAIN + f"Approve: {number}-{turn}\r\n".encode()
            with apart.shared() as desk:
                said.append(read_with(desk, raw)[1].comment)
        return said

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert answers == [[f"{number}-{turn}" for turn in range(20)] for number in range(4)]


def test_the_shared_desk_is_stopped_only_while_nobody_is_at_it() -> None:
    with apart.shared() as desk:
        desk.look(GOOD, partial=False)
        pid = desk.pid
        apart.stop()
        assert desk.read(DEFAULT_WORDS, None).verdict == "approve"
    apart.stop()
    assert not is_there(pid)


def test_signals_to_all_processes_of_the_service_end_no_mail(desk: Apart) -> None:
    desk.look(GOOD, partial=False)
    pid = desk.pid
    assert pid is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert desk.read(DEFAULT_WORDS, None).verdict == "approve"
    assert desk.pid == pid


def test_a_reader_that_somebody_ended_between_two_mails_is_no_mails_fault(desk: Apart) -> None:
    desk.look(GOOD, partial=False)
    pid = desk.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: state_of(pid) in "Z", seconds=30, what="the child has ended")
    assert read_with(desk, GOOD)[1].verdict == "approve"


def test_a_job_owner_that_stops_takes_its_reader_along(app: Flask) -> None:
    owner = jobs.JobOwner(app)
    owner.start()
    try:
        wait_for(owner.owns, seconds=30, what="it owns the jobs")
        with apart.shared() as desk:
            desk.look(GOOD, partial=False)
            pid = desk.pid
        assert is_there(pid)
    finally:
        owner.stop()
    assert not is_there(pid)


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false", "/bin/echo"])
def test_a_reader_that_does_not_start_is_no_mails_fault(
    python: str, desk: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", python)
        with pytest.raises(ReaderUnavailable, match="cannot start"):
            desk.look(GOOD, partial=False)
    assert desk.pid is None
    assert read_with(desk, GOOD)[1].verdict == "approve"


def test_a_desk_that_is_not_installed_is_no_mails_fault() -> None:
    with Apart("flexmail.mail.nowhere") as desk, pytest.raises(ReaderUnavailable):
        desk.look(GOOD, partial=False)


def test_a_desk_leaves_neither_process_nor_file_behind(desk: Apart) -> None:
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for raw in (GOOD, mail_that("kill"), GOOD):
        try:
            desk.look(raw, partial=False)
        except ReadingFailed:
            continue
    pid = desk.pid
    desk.stop()
    assert not is_there(pid)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


PARENT = """
import sys
from flexmail.services.apart import Apart
from tests.services import hostile_desk
from tests.story.waiting import wait_for
desk = Apart("tests.services.hostile_desk", seconds=600)
desk.look(b"From: a@b.test\\r\\n\\r\\nApprove\\r\\n", partial=False)
print(desk.pid, flush=True)
desk.look(sys.stdin.buffer.readline(), partial=False)
"""


@pytest.mark.parametrize("deed", ["", "burn"])
def test_a_reader_does_not_outlive_the_process_that_started_it(deed: str) -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_there(child)
        if deed:
            parent.stdin.write(b"DO THIS: " + deed.encode() + b"\n")
            parent.stdin.flush()
            wait_for(lambda: "R" in state_of(child), seconds=30, what="the child is busy")
        parent.kill()
    wait_for(lambda: state_of(child) in "Z", seconds=60, what="the child is gone")


def state_of(pid: int) -> str:
    """Return what a process does by one letter, "" if it is gone; Z: nobody took it away yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


FORKING = """
import os
from flexmail.mail.reply import DEFAULT_WORDS
from flexmail.services import apart
raw = b"From: a@b.test\\r\\n\\r\\nApprove\\r\\n"
own = apart.Apart()
own.look(raw, partial=False)
with apart.shared() as desk:
    desk.look(raw, partial=False)
    before = desk.pid, own.pid
    fork = os.fork()
    if not fork:
        with apart.shared() as other:
            other.look(raw, partial=False)
            own.look(raw, partial=False)
            same = {other.pid, own.pid} & set(before)
            other.stop()
            own.stop()
        os._exit(1 if same else 0)
    print(os.waitpid(fork, 0)[1], flush=True)
    assert desk.read(DEFAULT_WORDS, None).verdict == own.read(DEFAULT_WORDS, None).verdict
    assert (desk.pid, own.pid) == before
    own.stop()
print("done")
"""


def test_a_fork_has_readers_of_its_own_and_leaves_those_of_its_parent_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["0", "done"], "")
