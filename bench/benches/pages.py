"""Serve the settings page to an admin, under gunicorn with two workers of four threads.

Beside it a form of four fields with two reads from SQLite, under the same gunicorn with the same
configuration; wrk asks both in turns over loopback, and keeps its cookie as a browser does. The
jobs run meanwhile, as they do in production. How late the slowest answers come depends on the
machine most of all: so the form's own figure stands beside ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode, urlsplit

from bench.asking import Asked
from bench.measuring import Fact, Row, Size, interleave, median
from flexmail.forms import values_from
from flexmail.services import accounts, settings
from tests.story.serving import ROOT, Gunicorn

ADA, PASSWORD = "ada@corp.test", "correct horse battery"
SETTINGS = {
    "smtp_host_name": "smtp.corp.test",
    "smtp_user": "deploy",
    "smtp_password": PASSWORD,
    "smtp_from_address": f"Deployments <{ADA}>",
    "imap_host_name": "imap.corp.test",
}
WORKERS = ("--workers", "2", "--threads", "4")
_START_SECONDS = 30.0


def measure(size: Size) -> list[Row | Fact]:
    if shutil.which("wrk") is None:
        return [Row("a minimal form page", "missing: wrk", "", None, 0.5)]
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with Gunicorn(folder, *WORKERS) as flexmail, _plain(folder) as (plain, master):
            with flexmail.rows():
                accounts.add(
                    ADA, role="admin", name="Ada", password=PASSWORD, now=datetime.now(UTC)
                )
                settings.save(values_from({}, SETTINGS))
            page = f"{flexmail.url}/settings/email"
            cookie = _opened(page, _sign_in(flexmail.url))
            ours = Asked(page, cookie, flexmail.master.pid)
            other = Asked(plain, _opened(plain, ""), master)
            interleave(
                {"flexmail": ours.turn, "plain": other.turn},
                rounds=size.rounds * size.of(quick=1, full=5),
            )
    return _compared(ours, other)


def _compared(ours: Asked, other: Asked) -> list[Row | Fact]:
    rate, other_rate = median(ours.rates), median(other.rates)
    cost, other_cost = ours.cpu_seconds / ours.requests, other.cpu_seconds / other.requests
    busier = " and ".join(f"{median(each.shares):.0%}" for each in (ours, other))
    return [
        Row("a minimal form page", f"{rate:.0f}/s", f"{other_rate:.0f}/s", rate / other_rate, 0.5),
        Row(
            "processor time of a request",
            f"{cost * 1e3:.2f} ms",
            f"{other_cost * 1e3:.2f} ms",
            other_cost / cost,
        ),
        Row(
            "p99, as a multiple of p50",
            f"{median(ours.tails):.1f}",
            f"{median(other.tails):.1f}",
            median(ours.tails),
            4.0,
            False,
        ),
        Row("the same, of all turns together", ours.tail, other.tail),
        Fact("the busier worker does of the work, ours and theirs", busier),
        Fact("load of the machine", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"),
    ]


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve the form as flexmail is served; yield its address and the process id of gunicorn."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/settings"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), *WORKERS),
                *("--bind", f"fd://{listener.fileno()}", "bench.plain_page:create_app()"),
            ],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(ROOT),
                "BENCH_DATABASE": str(folder / "plain.db"),
            },
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        _wait_for(url)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if _get(url, "")[0] == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Nothing answers at {url}.")


def _get(url: str, cookie: str) -> tuple[int, str, str]:
    return _ask("GET", url, cookie)


def _opened(url: str, cookie: str) -> str:
    """Return the cookie of a browser that has seen the page once."""
    status, cookie, _ = _get(url, cookie)
    assert status == 200
    return cookie


def _ask(method: str, url: str, cookie: str, body: str | None = None) -> tuple[int, str, str]:
    """Return status, cookie and text of an answer."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=20)
    headers = {"Cookie": cookie} if cookie else {}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    with contextlib.closing(connection):
        connection.request(method, parts.path, body, headers)
        answer = connection.getresponse()
        given = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        return answer.status, given or cookie, answer.read().decode()


def _sign_in(url: str) -> str:
    _, cookie, text = _ask("GET", f"{url}/login", "")
    token = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert token is not None
    values = {"email": ADA, "password": PASSWORD, "csrf_token": token[1]}
    status, cookie, _ = _ask("POST", f"{url}/login", cookie, urlencode(values))
    assert status == 303
    return cookie
