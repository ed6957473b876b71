"""Mail servers for tests: real Dovecot and Exim as child processes, and one that misbehaves.

The real ones run on loopback with ports, certificates and directories of their own, touch nothing
of the system's, and end with the test run.
"""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import trustme
from imapclient import IMAPClient

from tests.rogue import Peer, RogueServer, imap_script, smtp_script

__all__ = [
    "PASSWORD",
    "Child",
    "Dovecot",
    "Exim",
    "Peer",
    "RogueServer",
    "free_port",
    "imap_script",
    "program",
    "smtp_script",
]

PASSWORD = "correct-horse"
_PATH = os.pathsep.join(("/usr/sbin", "/usr/bin", "/sbin", "/bin"))
_TEMPLATES = Path(__file__).parent / "data" / "servers"
_START_SECONDS = 15.0
_ROOT = os.geteuid() == 0


def program(name: str) -> str | None:
    """Return the path of a server program, or None where it is not installed."""
    return shutil.which(name, path=_PATH)


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Child:
    """A server program in a directory of its own, run as `nobody` when the tests run as root.

    `stop` ends this child and no other process.
    """

    def __init__(self, prefix: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=prefix))
        self.directory.chmod(0o755)
        self._owner = pwd.getpwnam("nobody") if _ROOT else pwd.getpwuid(os.geteuid())
        self._group = grp.getgrgid(self._owner.pw_gid).gr_name
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        raise NotImplementedError

    def log(self) -> str:
        raise NotImplementedError

    def pause(self) -> None:
        """End the program; its directory stays, so that it can be started again."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def stop(self) -> None:
        self.pause()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def as_owner(self) -> dict[str, Any]:
        """Return what `subprocess` needs to run something as the owner of the directory."""
        if not _ROOT:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}

    def _certify(self, authority: trustme.CA, *names: str) -> None:
        certificate = authority.issue_cert(*names)
        chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
        (self.directory / "cert.pem").write_bytes(chain)
        (self.directory / "key.pem").write_bytes(certificate.private_key_pem.bytes())

    def _configure(self, name: str, **values: object) -> None:
        text = (_TEMPLATES / name).read_text()
        values |= {
            "directory": self.directory,
            "user": self._owner.pw_name,
            "group": self._group,
            "password": PASSWORD,
        }
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (self.directory / name).write_text(text)

    def _run(self, command: list[str], address: tuple[str, int], greeting: bytes) -> None:
        for path in [self.directory, *self.directory.rglob("*")]:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        environment = {"PATH": _PATH, "HOME": str(self.directory)}
        with (self.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self.as_owner(),
            )
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(address, 1) as probe:
                if probe.recv(len(greeting)) == greeting:
                    return
            time.sleep(0.02)
        said = (self.directory / "output").read_text() + self.log()
        self.stop()
        raise RuntimeError(f"{command[0]} did not start.\n{said}")


_FILES = itertools.count(1_000_000_000)
_LOCATIONS = {"maildir": "maildir:~/Maildir", "mdbox": "mdbox:~/mdbox"}


class Dovecot(Child):
    """IMAP and LMTP; every address is an account of its own with `PASSWORD`.

    It listens on 127.0.0.2: a client that came from the server's own address would count as
    secured, and a login in clear would be accepted.
    """

    host = "127.0.0.2"

    def __init__(
        self, *, storage: Literal["maildir", "mdbox"] = "maildir", capability: str = ""
    ) -> None:
        super().__init__("dovecot-")
        self.authority = trustme.CA()
        self.ca_pem = self.authority.cert_pem.bytes().decode("ascii")
        self.imap_port, self.imaps_port, self.lmtp_port = (free_port(self.host) for _ in range(3))
        for name in ("run", "state", "mail"):
            (self.directory / name).mkdir()
        self._certify(self.authority, "localhost", self.host)
        self._configure(
            "dovecot.conf",
            host=self.host,
            location=_LOCATIONS[storage],
            capability=f"imap_capability = {capability}" if capability else "",
            imap_port=self.imap_port,
            imaps_port=self.imaps_port,
            lmtp_port=self.lmtp_port,
        )

    def start(self) -> Self:
        command = [str(program("dovecot")), "-F", "-c", str(self.directory / "dovecot.conf")]
        self._run(command, (self.host, self.imap_port), b"* OK")
        return self

    def log(self) -> str:
        log = self.directory / "dovecot.log"
        return log.read_text() if log.exists() else ""

    def client(self, user: str) -> IMAPClient:
        """Return another mail program of this user, logged in."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        client = IMAPClient(self.host, port=self.imaps_port, ssl_context=context, timeout=10)
        client.login(user, PASSWORD)
        return client

    def renumber(self, user: str) -> None:
        """Forget which number each mail in a Maildir has: UIDVALIDITY changes."""
        folder = self.directory / "mail" / user / "Maildir"
        for path in (*folder.glob("dovecot.index*"), folder / "dovecot-uidlist"):
            path.unlink()

    def deliver(self, user: str, *mails: bytes) -> None:
        """Hand over mails by LMTP, as a mail exchanger does."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            for raw in mails:
                lmtp.sendmail("sender@elsewhere.test", [user], raw)

    def fill(self, user: str, mails: Iterable[bytes]) -> None:
        """Put many mails into an INBOX that is a Maildir, in their order and in no time.

        What `deliver` hands over and nobody has listed yet comes before them.
        """
        inbox = self.directory / "mail" / user / "Maildir"
        made = [inbox.parent, inbox, *(inbox / name for name in ("cur", "new", "tmp"))]
        for folder in made:
            folder.mkdir(parents=True, exist_ok=True)
        for raw in mails:
            path = inbox / "cur" / f"{next(_FILES):010}.M1P1.test:2,"
            path.write_bytes(raw)
            made.append(path)
        if _ROOT:
            for path in made:
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)


# Whoever logged in under the address of the From line is who the mail says.
_GUARD = """
  warn remove_header = Authentication-Results
       add_header = :at_start:Authentication-Results: mx.example.test; \\
         auth=pass smtp.auth=$authenticated_id; \\
         dmarc=${if eqi{$authenticated_id}{${address:$h_From:}}{pass}{fail}} \\
         header.from=${domain:${address:$h_From:}}
"""


class Exim(Child):
    """SMTP submission for `example.test`, delivered into a Dovecot.

    The recipient `nobody@` is refused with 550, `later@` with 451. Where it is `guarded` it removes
    the Authentication-Results headers of others and adds its own, as `mx.example.test`.
    """

    host = "127.0.0.1"

    def __init__(self, dovecot: Dovecot, *, guarded: bool = False) -> None:
        super().__init__("exim-")
        self.ca_pem = dovecot.ca_pem
        self.smtp_port, self.smtps_port = free_port(), free_port()
        for name in ("spool", "log"):
            (self.directory / name).mkdir()
        # A copy has no setuid bit: Exim then runs as whoever starts it.
        self._binary = self.directory / "exim4"
        shutil.copy(str(program("exim4")), self._binary)
        self._binary.chmod(0o755)
        self._certify(dovecot.authority, "localhost", self.host)
        self._configure(
            "exim.conf",
            host=self.host,
            smtp_port=self.smtp_port,
            smtps_port=self.smtps_port,
            guard=_GUARD if guarded else "",
            lmtp_host=dovecot.host,
            lmtp_port=dovecot.lmtp_port,
        )

    def start(self) -> Self:
        command = [str(self._binary), "-C", str(self.directory / "exim.conf"), "-bdf", "-q5s"]
        self._run(command, (self.host, self.smtp_port), b"220")
        return self

    def log(self) -> str:
        log = self.directory / "log" / "mainlog"
        return log.read_text() if log.exists() else ""
