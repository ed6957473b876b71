"""How `make run` and production serve flexmail.

Gunicorn reads this file by itself when it starts in this folder. Its own flags and
GUNICORN_CMD_ARGS win over every line here, so nothing is read from the environment twice.
"""

from __future__ import annotations

import gc

wsgi_app = "wsgi:app"

# Loopback: a proxy that speaks TLS stands in front. `--bind` says otherwise.
bind = "127.0.0.1:8000"

# Two, so that one slow or dying worker never takes the pages away. The jobs run in one of
# them only, whatever the number (a lease in the database decides).
workers = 2

# Requests here wait on the database or on an approval (`?wait=`), seldom on the processor.
# Threads carry the waiting, and the heartbeat stays alive meanwhile.
worker_class = "gthread"
threads = 4

# Longest request: 30 s for a test of the mail settings, 25 s for a waiting client.
timeout = 60

# A stop is to end within 25 s: what runs gets 20 s to finish or to let go of its mail.
graceful_timeout = 20

# Otherwise gunicorn opens a control socket below $HOME, which a service account may not have.
control_socket_disable = True

# The proxy in front keeps the access log; `--access-logfile -` turns this one on.
accesslog = None


def post_worker_init(_worker: object) -> None:
    """Leave what is loaded out of each search for garbage, which all threads wait for: 0.1 s."""
    gc.collect()
    gc.freeze()


def worker_exit(_server: object, _worker: object) -> None:
    """Stop the jobs between two mails, before Python waits for their threads."""
    from flexmail import jobs

    jobs.stop()
