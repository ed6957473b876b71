"""An event on its whole way: a pipeline posts it, real mailboxes get it, a link in it stops it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from flexmail.db import db
from flexmail.demo.mailserver import MailServer
from flexmail.forms import values_from
from flexmail.models import EventSkip
from flexmail.services import (
    accounts,
    delivery,
    digests,
    event_types,
    settings,
    subscriptions,
    tokens,
    unsubscribing,
    wishes,
)
from tests.conftest import NOW, Cast
from tests.story import post

APPROVALS, DORA, TEAM = "approvals@corp.test", "dora@corp.test", "team@lists.test"
SECRET = "the password of every mailbox"
ONE_CLICK = urlencode({"List-Unsubscribe": "One-Click"})
OFF = "They switched off mail about failed."


@pytest.fixture
def server(cast: Cast) -> Iterator[MailServer]:
    boxes = (cast.ada, cast.bob, cast.charlie, DORA, TEAM, APPROVALS)
    with MailServer(dict.fromkeys(boxes, SECRET)) as running:
        yield running


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """Serve flexmail for whoever opens a connection; return its address."""
    serving = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=serving.serve_forever, name="pages", daemon=True)
    thread.start()
    app.config["BASE_URL"] = f"http://127.0.0.1:{serving.server_port}"
    yield app.config["BASE_URL"]
    serving.shutdown()
    thread.join(10)
    serving.server_close()


@pytest.fixture
def pipeline(app: Flask, cast: Cast, server: MailServer, site: str) -> dict[str, str]:
    """Who hears of what is arranged; return what the pipeline sends along with an event."""
    with app.app_context():
        given = {
            "smtp_host_name": server.host,
            "smtp_host_port": server.smtp_port,
            "smtp_user": APPROVALS,
            "smtp_password": SECRET,
            "smtp_from_address": f"Deployments <{APPROVALS}>",
            "tls_ca_certificates": server.ca_pem,
        }
        settings.save(values_from(settings.stored_values(settings.load()), given))
        accounts.add(DORA, role="approver", groups=["ops"], now=NOW)
        accounts.edit(cast.ada, groups=["ops"])
        wishes.save(cast.bob, "hourly", list(event_types.BUILT_IN), now=NOW)
        for type_pattern, scope, to in (
            ("fail*", "billing", "group:ops"),
            ("failed", "billing/prod", cast.bob),
            ("*", "", TEAM),
            ("failed", "shop", cast.charlie),
        ):
            subscriptions.add(type_pattern, scope, to, now=NOW)
        _, secret = tokens.create("pipeline", ["events"], now=NOW)
    return {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}


def request(method: str, url: str, body: str = "", **headers: str) -> tuple[int, str]:
    """Ask as a program does that keeps no cookies."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port or 80, timeout=20)
    try:
        connection.request(method, parts.path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def one_click(link: str) -> tuple[int, str]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return request("POST", link, ONE_CLICK, **form)


def tell(site: str, pipeline: dict[str, str], title: str) -> dict[str, Any]:
    event = {
        "type": "failed",
        "scope": "billing/prod",
        "data": {"title": title, "error": "The database did not start."},
    }
    status, answer = request("POST", f"{site}/api/v1/events", json.dumps(event), **pipeline)
    assert status == 202, answer
    return dict(json.loads(answer))


def deliver(app: Flask) -> None:
    with app.app_context():
        delivery.deliver_due(now=datetime.now(UTC) + timedelta(hours=2), at_once=True)


def mails_of(server: MailServer, address: str) -> list[bytes]:
    return [raw for _, raw in server.mailbox(address)]


def link_in(raw: bytes) -> str:
    """Return the link of the header, which stands whole on its line, as in the texts."""
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    (link,) = re.findall(rb"(?m)^List-Unsubscribe: <(http://[!-~]+)>\r\n(?! )", head)
    assert head.count(b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n") == 1
    assert link.decode() in post.text_of(raw)
    assert link.decode() in post.text_of(raw, "html")
    return str(link.decode())


def test_a_failure_reaches_who_wants_it_until_they_stop_it(
    app: Flask, cast: Cast, server: MailServer, site: str, pipeline: dict[str, str]
) -> None:
    assert tell(site, pipeline, "Release 4.2") == {"id": 1, "queued": 4, "skipped": []}
    deliver(app)

    subject = "Failed: Release 4.2 (billing/prod)"
    for address in (cast.ada, DORA, TEAM):
        assert post.subjects(mails_of(server, address)) == [subject]
    assert mails_of(server, cast.bob) == mails_of(server, cast.charlie) == []
    ((adas,), (doras,), (teams,)) = (mails_of(server, one) for one in (cast.ada, DORA, TEAM))
    assert "You are subscribed to fail* at billing." in post.text_of(adas)
    assert "You are subscribed to *." in post.text_of(teams)
    assert len({link_in(raw) for raw in (adas, doras, teams)}) == 3

    link = link_in(doras)
    status, page = request("GET", link)
    assert status == 200
    assert "Stop this mail?" in page
    with app.app_context():
        assert not unsubscribing.is_off(DORA, "failed")
    assert [one_click(link)[0] for _ in range(2)] == [200, 200]
    assert "This mail is stopped" in request("GET", link)[1]

    second = tell(site, pipeline, "Release 4.3")
    assert second == {"id": 2, "queued": 3, "skipped": [{"recipient": DORA, "reason": OFF}]}
    deliver(app)
    assert len(mails_of(server, DORA)) == 1
    assert post.subjects(mails_of(server, cast.ada)) == [subject, subject.replace("4.2", "4.3")]
    with app.app_context():
        skipped = db.session.execute(select(EventSkip.event_id, EventSkip.recipient)).all()
        assert [tuple(row) for row in skipped] == [(2, DORA)]


def test_who_wants_summaries_gets_one_and_its_link_stops_everything(
    app: Flask, cast: Cast, server: MailServer, site: str, pipeline: dict[str, str]
) -> None:
    for title in ("Release 4.2", "Release 4.3"):
        tell(site, pipeline, title)
    deliver(app)
    assert mails_of(server, cast.bob) == []
    with app.app_context():
        assert digests.queue_due(now=datetime.now(UTC) + timedelta(hours=1)) == 1
    deliver(app)

    (summary,) = mails_of(server, cast.bob)
    assert post.subjects([summary]) == [
        "2 notifications: Failed: Release 4.2 (billing/prod) and more"
    ]
    assert "Failed: Release 4.3 (billing/prod)" in post.text_of(summary)
    status, page = one_click(link_in(summary))
    assert (status, "All notifications are stopped" in page) == (200, True)
    assert tell(site, pipeline, "Release 4.4")["skipped"] == [
        {"recipient": cast.bob, "reason": OFF}
    ]
