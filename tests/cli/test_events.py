"""Events from the command line: told, refused, and how the mails then go out."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from flexmail.db import db
from flexmail.models import Event, OutboxMail
from tests.cli.conftest import Flexmail

SEND = ("events", "send", "failed")


@pytest.fixture
def set_up(cast: None, mail_is_set_up: None) -> None:
    """Accounts, and a mail server that refuses every connection."""


def stored(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count(Event.id))) or 0


@pytest.mark.usefixtures("set_up")
def test_an_event_is_told_and_said_to_whom_it_goes(app: Flask, flexmail: Flexmail) -> None:
    data = '{"title": "Release 4.2", "submitter": "bob@corp.test"}'
    where = ("--scope", "billing/prod", "--data", data, "--to", "group:nobody", "--to", "x@y.test")
    said = flexmail(*SEND, *where)
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "Event 1: 2 mail(s) are on the way.\n"
        "No mail to group:nobody: The group has no active account.\n"
    )
    said = flexmail(*SEND, "--subject", "Again", *where, "--json")
    assert said.json == {
        "id": 2,
        "queued": 2,
        "skipped": [{"recipient": "group:nobody", "reason": "The group has no active account."}],
    }
    with app.app_context():
        event = db.session.get_one(Event, 2)
        assert (event.scope, event.subject, event.token_id) == ("billing/prod", "Again", None)


@pytest.mark.usefixtures("set_up")
def test_it_waits_for_no_mail_server_and_its_help_says_who_sends(
    app: Flask, flexmail: Flexmail
) -> None:
    assert flexmail(*SEND, "--to", "bob@corp.test").code == 0
    with app.app_context():
        (mail,) = db.session.scalars(select(OutboxMail))
        assert (mail.state, mail.attempts) == ("queued", 0)
    words = " ".join(flexmail("events", "send", "--help").out.split())
    assert "The command waits for no mail server" in words
    assert "`flexmail outbox send`" in words


@pytest.mark.usefixtures("set_up")
@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--data", "{"), "data: This is no JSON"),
        (("--data", "[1]"), "data: Give a JSON object"),
        (("--data", '{"a": NaN}'), "data: Give plain JSON"),
        (("--data", "[" * 100_000), "data: This is no JSON"),
        (("--scope", "/x"), "scope: Give a path such as billing/prod"),
        (("--subject", "a\nb"), "subject: Give one line"),
        (("--to", "bob"), "recipients: 'bob': "),
        (("--urgent",), "No such option"),
    ],
)
def test_bad_use_is_one_sentence_and_exit_2(
    app: Flask, flexmail: Flexmail, args: tuple[str, ...], sentence: str
) -> None:
    said = flexmail(*SEND, *args)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert stored(app) == 0


@pytest.mark.usefixtures("set_up")
def test_a_type_that_is_none_and_no_type_are_bad_use(flexmail: Flexmail) -> None:
    assert flexmail("events", "send", "Failed").code == 2
    assert flexmail("events", "send").code == 2


@pytest.mark.usefixtures("cast")
def test_before_mail_is_set_up_it_fails(app: Flask, flexmail: Flexmail) -> None:
    said = flexmail(*SEND, "--to", "bob@corp.test")
    assert said.code == 1
    assert "not set up yet" in said.err
    assert stored(app) == 0
