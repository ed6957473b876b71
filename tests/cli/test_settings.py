"""Settings from the command line: the words of the form, and no secret in the process list."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from tests.cli.conftest import Flexmail, set_up
from tests.servers import PASSWORD as MAIL_PASSWORD

BASE = ("settings", "set", "smtp_host_name=smtp.corp.test", "smtp_from_address=deploy@corp.test")


def test_values_are_read_by_the_type_of_their_field(flexmail: Flexmail) -> None:
    said = flexmail(
        *BASE,
        *("smtp_host_port=2525", "smtp_enable_starttls=off", "process_as_they_arrive=Yes"),
        *("approve_words=approve, go", "email_reply_folder=Réponses=2026"),
        "--json",
    )
    assert said.code == 0, said.err
    assert said.json["smtp_host_port"] == 2525
    assert said.json["smtp_enable_starttls"] is False
    assert said.json["process_as_they_arrive"] is True
    assert said.json["approve_words"] == "approve, go"
    assert said.json["email_reply_folder"] == "Réponses=2026"
    assert said.json["notices"] == []


def test_what_is_not_given_stays(flexmail: Flexmail) -> None:
    flexmail(*BASE, "smtp_user=deploy")
    flexmail("settings", "set", "email_reply_process_interval=9")
    shown = flexmail("settings", "show", "--json").json
    assert (shown["smtp_user"], shown["email_reply_process_interval"]) == ("deploy", 9)


@pytest.mark.parametrize("name", ["smtp_password", "imap_password"])
def test_a_password_on_the_command_line_is_refused(flexmail: Flexmail, name: str) -> None:
    said = flexmail(*BASE, f"{name}=only I know this")
    assert said.code == 2
    assert "stdin" in said.err
    assert "only I know this" not in said.err
    assert flexmail("settings", "show", "--json").json["smtp_host_name"] == ""


def test_a_password_comes_through_stdin_and_is_never_shown(flexmail: Flexmail) -> None:
    given = json.dumps({"smtp_user": "deploy", "smtp_password": "only I know this"})
    saved = flexmail(*BASE, "--from-json", "-", stdin=given)
    assert saved.code == 0
    shown = flexmail("settings", "show")
    as_json = flexmail("settings", "show", "--json")
    assert as_json.json["smtp_password"] == "set"
    assert as_json.json["in_force"]["imap_password"] == "SMTP Password"
    for said in (saved, shown, as_json):
        assert "only I know this" not in said.out + said.err


def test_a_dropped_password_is_told(flexmail: Flexmail) -> None:
    given = json.dumps({"smtp_user": "deploy", "smtp_password": "only I know this"})
    flexmail(*BASE, "--from-json", "-", stdin=given)
    said = flexmail("settings", "set", "smtp_host_name=new.corp.test")
    assert said.code == 0
    assert "password was removed" in said.out
    removed = flexmail("settings", "set", "smtp_password_remove=true", "--json")
    assert removed.json["smtp_password"] == "not set"


WRONG_PAIRS = [
    "smtp_host_port=",
    "smtp_host_port=x",
    "smtp_host_port=0",
    "smtp_host_port=１",
    "smtp_enable_starttls=maybe",
    "smtp_enable_starttls=",
    "smtp_host_name=http://x",
    "smtp_from_address=nobody",
    "reply_trust=blind",
    "enable_email_approval=on",
    "smtp_host_name=again.test",
    "csrf_token=x",
    "=x",
]


def test_a_wrong_value_is_2_and_saves_nothing(flexmail: Flexmail) -> None:
    for pair in WRONG_PAIRS:
        said = flexmail(*BASE, pair)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), pair
    assert flexmail("settings", "show", "--json").json["smtp_host_name"] == ""


WRONG_JSON = [
    "",
    "{",
    "[]",
    '{"smtp_host_port": "1"}',
    '{"x": 1}',
    '{"smtp_user": "a", "smtp_user": "b"}',
    '{"smtp_user": "\\ud800"}',
    '{"smtp_password": "set"}',
    "[" * 100_000,
]


def test_bad_json_is_2_and_saves_nothing(flexmail: Flexmail) -> None:
    for text in WRONG_JSON:
        said = flexmail(*BASE, "--from-json", "-", stdin=text)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), text[:50]
    assert flexmail("settings", "show", "--json").json["smtp_host_name"] == ""


def test_a_test_shows_every_step_and_fails_with_the_first(
    app: Flask, flexmail: Flexmail, mail_is_set_up: None
) -> None:
    said = flexmail("settings", "test", "--to", "ada@corp.test")
    assert said.code == 1
    assert [line.split()[1:3] for line in said.out.splitlines() if line.startswith("SMTP")] == [
        ["resolve", "ok"],
        ["connect", "failed"],
        *[[name, "not"] for name in ("tls", "login", "send")],
    ]


def test_a_test_that_passes_is_0(app: Flask, flexmail: Flexmail, embedded: MailServer) -> None:
    set_up(
        app,
        smtp_host_name="127.0.0.1",
        smtp_host_port=embedded.smtp_port,
        smtp_user="ada@example.test",
        smtp_password=MAIL_PASSWORD,
        smtp_from_address="ada@example.test",
        imap_host_name="127.0.0.1",
        imap_host_port=embedded.imap_port,
        smtp_enable_starttls=False,
        imap_enable_starttls=False,
    )
    said = flexmail("settings", "test", "--to", "bob@example.test", "--json")
    assert said.code == 0, said.out
    assert said.json["smtp"]["ok"] is said.json["imap"]["ok"] is True
    assert MAIL_PASSWORD not in said.out + said.err
    assert len(embedded.mailbox("bob@example.test")) == 1
