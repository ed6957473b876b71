"""Programs and libraries that empty a mailbox as well; none of them decides anything.

Each takes a Dovecot and a user, empties that user's inbox, and returns the seconds it took.
`available` leaves out what is not installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imapclient import IMAPClient

from bench.measuring import seconds
from bench.servers import PASSWORD, Dovecot, exists

Peer = Callable[[Dovecot, str], float]

LIMIT_SECONDS = 300.0
_PATH = "/usr/local/bin:/usr/bin:/bin"


def available() -> tuple[dict[str, Peer], list[str]]:
    """Return the peers that are installed, and the names of those that are missing."""
    there: dict[str, Peer] = {}
    missing: list[str] = []
    for name, (needs, peer) in _PEERS.items():
        if importlib.util.find_spec(needs) or shutil.which(needs, path=_PATH):
            there[name] = peer
        else:
            missing.append(name)
    return there, missing


def _context(dovecot: Dovecot) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=dovecot.ca_pem)


def _imap_tools(dovecot: Dovecot, user: str, *, bulk: bool) -> float:
    from imap_tools import MailBoxStartTls

    def drain() -> None:
        box = MailBoxStartTls(dovecot.host, dovecot.imap_port, ssl_context=_context(dovecot))
        with box.login(user, PASSWORD) as mailbox:
            mailbox.delete([mail.uid or "" for mail in mailbox.fetch(bulk=bulk, mark_seen=False)])

    return seconds(drain)


def _imapclient(dovecot: Dovecot, user: str, *, singly: bool) -> float:
    def drain() -> None:
        with IMAPClient(dovecot.host, dovecot.imap_port, ssl=False) as client:
            client.starttls(_context(dovecot))
            client.login(user, PASSWORD)
            client.select_folder("INBOX")
            uids = client.search("ALL")
            for some in [[uid] for uid in uids] if singly else [uids]:
                client.fetch(some, ["BODY.PEEK[]"])
                client.delete_messages(some)
                client.uid_expunge(some)

    return seconds(drain)


_DJANGO = """
import sys, time
import django
from django.conf import settings
from django.core.management import call_command
uri, database = sys.argv[1:]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    INSTALLED_APPS=["django_mailbox"], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    MEDIA_ROOT=database + "-media",
)
django.setup()
call_command("migrate", verbosity=0)
from django_mailbox.models import Mailbox
mailbox = Mailbox.objects.create(name="bench", uri=uri)
began = time.perf_counter()
for mail in mailbox.get_new_mail():
    pass
print(time.perf_counter() - began)
"""


def _django_mailbox(dovecot: Dovecot, user: str) -> float:
    uri = f"imap+tls://{user}:{PASSWORD}@{dovecot.host}:{dovecot.imap_port}"
    with _folder() as folder:
        command = [sys.executable, "-W", "ignore", "-c", _DJANGO, uri, str(folder / "rows.db")]
        return float(_run(command, folder).split()[-1])


_FETCHMAIL = """
set no bouncemail
poll {host} service {port} proto IMAP user "{user}" password "{password}"
  sslproto "TLS1.2+" no sslcertck sslfingerprint "{fingerprint}"
  fetchall nokeep batchlimit 0 expunge 30
  bsmtp "{sink}" smtpaddress "corp.test"
"""


def _fetchmail(dovecot: Dovecot, user: str) -> float:
    with _folder() as folder:
        _write(folder / "rc", dovecot, user, _FETCHMAIL)
        files = ["--fetchmailrc", str(folder / "rc"), "--pidfile", str(folder / "pid")]
        return seconds(lambda: _run(["fetchmail", "--silent", "--nosyslog", *files], folder))


_MBSYNC = """
IMAPAccount far
Host {host}
Port {port}
User {user}
Pass {password}
SSLType STARTTLS
CertificateFile {server}

IMAPStore far
Account far

MaildirStore near
Path {folder}/near/
Inbox {folder}/near/inbox
SubFolders Verbatim

Channel bench
Far :far:
Near :near:
Create Near
SyncState {folder}/state-
"""


def _mbsync(dovecot: Dovecot, user: str) -> float:
    """Pull all mail, remove it here, and let the second run remove it there."""
    with _folder() as folder:
        (folder / "near").mkdir()
        pull, push = folder / "pull", folder / "push"
        _write(pull, dovecot, user, _MBSYNC + "Sync Pull New\n")
        _write(push, dovecot, user, _MBSYNC + "Sync Push Delete\nExpunge Far\n")

        def drain() -> None:
            _run(["mbsync", "-q", "-c", str(pull), "bench"], folder)
            for place in ("new", "cur"):
                for mail in (folder / "near" / "inbox" / place).iterdir():
                    mail.unlink()
            _run(["mbsync", "-q", "-c", str(push), "bench"], folder)

        return seconds(drain)


_MAIL_ROOM = """
:mailboxes:
  -
    :email: "{user}"
    :password: "{password}"
    :name: "INBOX"
    :host: "{host}"
    :port: {port}
    :ssl: false
    :start_tls: true
    :delete_after_delivery: true
    :expunge_deleted: true
    :delivery_method: noop
    :search_command: ALL
    :logger:
      :log_path: "{folder}/log"
"""


def _mail_room(dovecot: Dovecot, user: str) -> float:
    """Start the service, which then waits for more mail, and stop it once the folder is empty."""
    with _folder() as folder:
        _write(folder / "config", dovecot, user, _MAIL_ROOM)
        began = time.perf_counter()
        with subprocess.Popen(
            [str(shutil.which("mail_room", path=_PATH)), "-q", "-c", str(folder / "config")],
            env={"PATH": _PATH, "HOME": str(folder), "SSL_CERT_FILE": str(folder / "ca.pem")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                while exists(dovecot, user):
                    if process.poll() is not None or time.perf_counter() - began > LIMIT_SECONDS:
                        raise RuntimeError((folder / "log").read_text()[-2000:])
                    time.sleep(0.05)
                return time.perf_counter() - began
            finally:
                process.kill()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as name:
        yield Path(name)


def _write(path: Path, dovecot: Dovecot, user: str, text: str) -> None:
    """Write a configuration, readable by its owner only, and the authority's certificate."""
    ca = path.parent / "ca.pem"
    ca.write_text(dovecot.ca_pem)
    values = {"host": dovecot.host, "port": dovecot.imap_port, "user": user, "ca": ca}
    values |= {"password": PASSWORD, "folder": path.parent, "sink": os.devnull}
    # Neither mbsync nor fetchmail knows addresses in certificates: they are told which to expect.
    server = dovecot.directory / "cert.pem"
    first = server.read_text().partition("-----END CERTIFICATE-----")[0]
    der = ssl.PEM_cert_to_DER_cert(first + "-----END CERTIFICATE-----\n")
    md5 = hashlib.md5(der, usedforsecurity=False).hexdigest().upper()
    values |= {"server": server, "fingerprint": ":".join(textwrap.wrap(md5, 2))}
    path.write_text(text.format(**values))
    path.chmod(0o600)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        env={"PATH": _PATH, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


_PEERS: dict[str, tuple[str, Peer]] = {
    "imap_tools fetch, delete": (
        "imap_tools",
        lambda dovecot, user: _imap_tools(dovecot, user, bulk=False),
    ),
    "imap_tools fetch(bulk=True), delete": (
        "imap_tools",
        lambda dovecot, user: _imap_tools(dovecot, user, bulk=True),
    ),
    "IMAPClient one by one": (
        "imapclient",
        lambda dovecot, user: _imapclient(dovecot, user, singly=True),
    ),
    "IMAPClient all at once": (
        "imapclient",
        lambda dovecot, user: _imapclient(dovecot, user, singly=False),
    ),
    "django-mailbox": ("django_mailbox", _django_mailbox),
    "fetchmail": ("fetchmail", _fetchmail),
    "mbsync": ("mbsync", _mbsync),
    "mail_room": ("mail_room", _mail_room),
}
