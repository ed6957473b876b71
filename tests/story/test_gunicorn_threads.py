"""Who serves a request under gunicorn: whoever has a thread free, and everything ready."""

from __future__ import annotations

import gc
import runpy
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from flexmail.forms import values_from
from flexmail.services import accounts, settings
from tests.conftest import PASSWORD
from tests.story import pages
from tests.story.serving import ROOT, Browser, Gunicorn

ADA = "ada@corp.test"
NOBODY_LISTENS = {
    "smtp_host_name": "127.0.0.1",
    "smtp_host_port": 9,
    "smtp_from_address": ADA,
    "imap_host_name": "127.0.0.1",
    "imap_host_port": 9,
    "imap_user": ADA,
    "imap_password": PASSWORD,
}
TWO_OF_TWO = ("--workers", "2", "--threads", "2")


@pytest.mark.slow
def test_no_request_waits_behind_the_busy_threads_of_one_worker_while_another_has_one_free(
    tmp_path: Path,
) -> None:
    with Gunicorn(tmp_path, *TWO_OF_TWO) as served, ThreadPoolExecutor(3) as programs:
        with served.rows():
            accounts.add(ADA, role="admin", password=PASSWORD, now=datetime.now(UTC))
            settings.save(values_from({}, NOBODY_LISTENS))
        asked = {"title": "Deploy billing", "approvers": [ADA]}
        approval = f"/approvals/{served.call('POST', '/approvals', asked)['id']}"
        waiting = [programs.submit(served.call, "GET", f"{approval}?wait=15") for _ in range(3)]
        ada = Browser(served.url)
        pages.sign_in(ada, ADA, PASSWORD)

        for _ in range(15):
            assert ada.get("/settings/email").status_code == 200

        assert not any(map(Future.done, waiting))  # three of the four threads were busy meanwhile
        served.call("POST", f"{approval}/cancel")
        assert {found.result()["status"] for found in waiting} == {"cancelled"}


def test_a_worker_has_compiled_every_page_before_it_serves_the_first(app: Flask) -> None:
    runpy.run_path(str(ROOT / "gunicorn.conf.py"))["compile_templates"](app)
    assert app.jinja_env.cache is not None
    compiled = {name for _loader, name in app.jinja_env.cache}
    assert "settings/email.html" in compiled
    assert compiled == set(app.jinja_env.list_templates())


def test_an_app_that_is_wrapped_in_another_is_served_all_the_same(app: Flask) -> None:
    conf = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    try:
        conf["post_worker_init"](SimpleNamespace(wsgi=app.wsgi_app))
    finally:
        gc.unfreeze()
