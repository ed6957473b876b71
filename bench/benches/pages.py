"""Serve the settings page to an admin, under gunicorn with two workers of four threads.

Beside it a form of four fields with two reads from SQLite, under the same gunicorn; wrk asks both
over loopback, and keeps its cookie as a browser does. The jobs run meanwhile, as they do in
production. How late the slowest answers come depends on gunicorn, wrk and the machine most of all:
so the form's own figure stands beside ours.
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
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode, urlsplit

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
WORKERS = ("--workers", "2", "--worker-class", "gthread", "--threads", "4")
_START_SECONDS = 30.0
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def measure(size: Size) -> list[Row | Fact]:
    if shutil.which("wrk") is None:
        return [Row("a minimal form page", "missing: wrk", "", None, 0.5)]
    seconds = size.of(quick=1, full=5)
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with Gunicorn(folder, *WORKERS) as flexmail, _plain(folder) as plain:
            with flexmail.rows():
                accounts.add(
                    ADA, role="admin", name="Ada", password=PASSWORD, now=datetime.now(UTC)
                )
                settings.save(values_from({}, SETTINGS))
            page = f"{flexmail.url}/settings/email"
            cookies = {page: _opened(page, _sign_in(flexmail.url)), plain: _opened(plain, "")}
            halves: dict[str, list[float]] = {page: [], plain: []}
            lates: dict[str, list[float]] = {page: [], plain: []}

            def ask(url: str) -> float:
                rate, half, late = _wrk(url, cookies[url], seconds)
                halves[url].append(half)
                lates[url].append(late / half)
                return rate

            rates = interleave(
                {"flexmail": partial(ask, page), "plain": partial(ask, plain)}, rounds=size.rounds
            )
    rate, other = median(rates["flexmail"]), median(rates["plain"])
    shown = [f"{median(lates[url]):.1f} × {median(halves[url]) * 1e3:.1f} ms" for url in cookies]
    return [
        Row("a minimal form page", f"{rate:.0f}/s", f"{other:.0f}/s", rate / other, 0.5),
        Row("p99, as a multiple of p50", shown[0], shown[1], median(lates[page]), 4.0, False),
    ]


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/settings"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", *WORKERS),
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
        yield url
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


def _wrk(url: str, cookie: str, seconds: int) -> tuple[float, float, float]:
    """Return requests a second, and half and 99 % of the latencies in seconds."""
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency"]
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    shares = dict(re.findall(r"^ +(50|99)% +([\d.]+(?:us|ms|s))$", said, re.MULTILINE))
    assert rate is not None, said
    return float(rate[1]), _seconds(shares["50"]), _seconds(shares["99"])


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
