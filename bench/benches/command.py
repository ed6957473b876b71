"""`flexmail replies process` on an empty folder, as cron would run it: mostly the start of Python.

Against a process that imports Flask and looks into the same folder with imaplib.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from bench.measuring import Fact, Row, Size, interleave, median, seconds
from bench.offices import Office, point_to, requests
from bench.servers import PASSWORD, Dovecot, Mailboxes
from flexmail.db import db

OURS, BASE, FLASK = "flexmail replies process", "import flask, imaplib", "import flask"
GOAL = 2.5
_RAW = """
import flask, imaplib, ssl, sys
host, port, user, password, ca = sys.argv[1:]
imap = imaplib.IMAP4(host, int(port), timeout=60)
imap.starttls(ssl.create_default_context(cadata=ca))
imap.login(user, password)
imap.select("INBOX")
imap.logout()
"""


def measure(size: Size) -> Iterator[Row | Fact]:
    with Office() as office, Dovecot() as dovecot:
        with office.origin():
            requests(1)
        user = Mailboxes(dovecot, []).copy()
        with office.open() as app:
            point_to(dovecot, user)
            db.session.rollback()
            env = {"PATH": os.environ["PATH"], "FLEXMAIL_INSTANCE_PATH": app.instance_path}
            raw = [dovecot.host, str(dovecot.imap_port), user, PASSWORD, dovecot.ca_pem]
            commands = {
                OURS: [sys.executable, "-m", "flexmail", "replies", "process"],
                BASE: [sys.executable, "-c", _RAW, *raw],
                FLASK: [sys.executable, "-c", "import flask"],
            }
            figures = interleave(
                {name: partial(_timed, command, env) for name, command in commands.items()},
                rounds=size.rounds,
            )
    times = {name: median(each) for name, each in figures.items()}
    yield Row(
        OURS,
        f"{times[OURS]:.2f} s",
        f"{BASE} {times[BASE]:.2f} s",
        times[OURS] / times[BASE],
        GOAL,
        at_least=False,
    )
    yield Fact(FLASK, f"{times[FLASK]:.2f} s")


def _timed(command: list[str], env: dict[str, str]) -> float:
    return seconds(lambda: subprocess.run(command, env=env, check=True, capture_output=True))
