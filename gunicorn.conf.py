"""How `make run` and production serve flexmail.

Gunicorn reads this file by itself when it starts in this folder. Its own flags and
GUNICORN_CMD_ARGS win over every line here, so nothing is read from the environment twice.
"""

from __future__ import annotations

import gc
from typing import Any

from flask import Flask
from gunicorn.workers.gthread import ThreadWorker

wsgi_app = "wsgi:app"

# Loopback: a proxy that speaks TLS stands in front. `--bind` says otherwise.
bind = "127.0.0.1:8000"

# Two, so that one slow or dying worker never takes the pages away. The jobs run in one of
# them only, whatever the number (a lease in the database decides).
workers = 2

# Requests here wait on the database or on an approval (`?wait=`), seldom on the processor.
# Threads carry the waiting, and the heartbeat stays alive meanwhile.
threads = 4


class Worker(ThreadWorker):
    """Accept a connection only while a thread is free; what waits is another worker's to take.

    Gunicorn's own (`gthread`) accepts all that comes and lets it queue behind its busy threads,
    which may wait for 25 seconds, though another worker idles. And a connection that is kept stays:
    of eight that come together one worker often got seven or all.
    """

    under_way = 0  # counted, and read, by the thread that accepts

    def enqueue_req(self, conn: Any) -> None:
        """Hand a request to the threads."""
        self.under_way += 1
        super().enqueue_req(conn)
        if self.under_way >= self.cfg.threads:
            self.set_accept_enabled(False)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from the threads."""
        self.under_way -= 1
        super().finish_request(conn, fs)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or cease to accept; asked in each turn of the loop whether to begin."""
        super().set_accept_enabled(enabled and self.under_way < self.cfg.threads)


worker_class = Worker

# Longest request: 30 s for a test of the mail settings, 25 s for a waiting client.
timeout = 60

# A stop is to end within 25 s: what runs gets 20 s to finish or to let go of its mail.
graceful_timeout = 20

# Otherwise gunicorn opens a control socket below $HOME, which a service account may not have.
control_socket_disable = True

# The proxy in front keeps the access log; `--access-logfile -` turns this one on.
accesslog = None


def post_worker_init(worker: Any) -> None:
    """Let the first visitors find everything ready.

    What is loaded by then is left out of each search for garbage, which all threads wait for:
    0.1 s.
    """
    compile_templates(worker.wsgi)
    gc.collect()
    gc.freeze()


def compile_templates(app: Any) -> None:
    """Compile what the first request for each page would, and all threads that ask for it by then.

    0.3 s for all of them, where one page and four threads took 0.15 s. Nothing is where the app is
    wrapped in another, or `--reload` serves the error that kept it from loading.
    """
    if not isinstance(app, Flask):
        return
    for name in app.jinja_env.list_templates(extensions=("html", "txt")):
        app.jinja_env.get_template(name)


def worker_exit(_server: object, _worker: object) -> None:
    """Stop the jobs between two mails, before Python waits for their threads."""
    from flexmail import jobs

    jobs.stop()
