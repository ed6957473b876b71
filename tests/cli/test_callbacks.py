"""Callbacks from the command line: asked for, listed, sent, sent again."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.services import webhook_secrets
from tests.cli.conftest import Flexmail
from tests.hook import TAKEN, Hook, answer

pytestmark = pytest.mark.usefixtures("cast", "mail_is_set_up")

ASK = ("approvals", "request", "--title", "Deploy", "--approver", "bob@corp.test")


def decided(app: Flask, flexmail: Flexmail, hook: Hook) -> None:
    app.config["CALLBACK_ALLOWED_HOSTS"] = frozenset({(hook.host, hook.port)})
    said = flexmail(*ASK, "--callback-url", hook.url, "--json")
    assert said.json["callback_url"] == hook.url
    assert "once it is final" in flexmail("approvals", "show", "1").out
    assert flexmail("approvals", "cancel", "1").code == 0


def test_a_callback_is_sent_when_asked_and_listed_with_its_answer(
    app: Flask, flexmail: Flexmail
) -> None:
    with Hook(answer("500 Broken", "no luck")) as hook:
        decided(app, flexmail, hook)
        said = flexmail("callbacks", "send")
        assert said.out == "Sent 0, to be tried again 1, failed 0.\n"
        listed = flexmail("callbacks", "list", "--state", "queued").out
        assert hook.url in listed
        assert "500 Broken no luck" in listed
        assert "500 Broken" in flexmail("approvals", "show", "1").out
        hook.answer = TAKEN
        assert flexmail("callbacks", "send", "--json").json == {
            "sent": 1,
            "deferred": 0,
            "failed": 0,
        }
        (callback,) = flexmail("callbacks", "list", "--json").json["items"]
        assert (callback["state"], callback["attempts"]) == ("sent", 2)
        assert flexmail("callbacks", "retry", "1").out.startswith("Queued callback 1 to http://")
        assert flexmail("callbacks", "retry", "1", "--json").json["state"] == "queued"
        flexmail("callbacks", "send")
    assert len(hook.heard) == 3
    assert len({heard.headers["webhook-id"] for heard in hook.heard}) == 1


def test_no_command_but_its_own_shows_a_secret(app: Flask, flexmail: Flexmail) -> None:
    with app.app_context():
        secret = webhook_secrets.of_installation().removeprefix("whsec_")
    with Hook() as hook:
        decided(app, flexmail, hook)
        for args in (("callbacks", "send"), ("callbacks", "list"), ("approvals", "show", "1")):
            said = flexmail(*args, "--json")
            assert secret not in said.out + said.err


def test_an_address_that_is_not_called_is_bad_use(flexmail: Flexmail) -> None:
    said = flexmail(*ASK, "--callback-url", "http://ci.corp.test/")
    assert said.code == 64
    assert said.err == (
        "callback_url: Give an https address, or have the operator list ci.corp.test:80 in"
        " FLEXMAIL_CALLBACK_ALLOWED_HOSTS.\n"
    )
    assert flexmail("callbacks", "retry", "7").code == 1
