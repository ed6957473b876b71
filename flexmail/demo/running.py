"""Start everything, say where it is, serve until a signal, and leave nothing behind.

The demo is a world of its own: it reads no setting of this machine's flexmail, keeps to a temporary
folder, and answers on loopback only.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click
from flask import Flask
from werkzeug.serving import make_server

from flexmail import create_app, jobs
from flexmail.config import PREFIX
from flexmail.demo import mailboxes, stage
from flexmail.demo.mailserver import MailServer

HOST = "127.0.0.1"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_WELCOME = """\
flexmail's demo is ready: {address}

  Mailboxes        {address}/demo/mailboxes (no sign-in)
{logins}

Try this:
  1. Open the mailboxes. Bob was asked for an approval: open his mail, press Approve, send.
  2. Press "Read the reply folder now", or wait: flexmail reads it every minute.
  3. Sign in as Ada. The approval is approved, and Replies says what became of Bob's mail.
  4. Ada and Bob heard of a release that failed. Notifications says why, each mail how to stop it.

Commands work in a second terminal, after: export FLEXMAIL_INSTANCE_PATH={folder}
Ctrl-C ends the demo and removes all of it.
"""


def run(port: int) -> None:
    """Run the demo until Ctrl-C or SIGTERM.

    Raises:
        click.ClickException: the port is taken.
        OSError: it cannot be bound, or there is no room for a temporary folder.
    """
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(port))
        # From here on a signal waits until everything has started, so that all of it also ends.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="flexmail-demo-", ignore_cleanup_errors=True)
        )
        server = stack.enter_context(MailServer(stage.MAILBOXES))
        app = _build(folder, address)
        mailboxes.init_app(app, server)
        with app.app_context():
            stage.set_up(server)
        jobs.start(app)
        stack.callback(jobs.stop)
        stack.enter_context(_serving(app, listening))
        click.echo(_WELCOME.format(address=address, folder=folder, logins=_logins()))
        signal.sigwait(_SIGNALS)
        click.echo("The demo ends.")


def _logins() -> str:
    return "\n".join(
        f"  {f'{person.name}, {person.role}':<17}{person.email}  {person.password}"
        for person in stage.PEOPLE.values()
    )


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise click.ClickException(
            f"Port {port} of {HOST} is in use. Give another one: flexmail demo --port 8001"
        ) from error


def _build(folder: str, address: str) -> Flask:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ[f"{PREFIX}INSTANCE_PATH"] = folder
    return create_app(
        {
            "BASE_URL": address,
            # Cookies know no ports: another flexmail on this machine keeps its own.
            "SESSION_COOKIE_NAME": "flexmail_demo_session",
        }
    )


@contextmanager
def _serving(app: Flask, listening: socket.socket) -> Iterator[None]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(HOST, 0, app, threaded=True, fd=listening.fileno())
    thread = threading.Thread(target=server.serve_forever, name="pages", args=(0.1,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
