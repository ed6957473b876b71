"""Test Email Configuration: each step with its cause and what to change, and nothing changed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from flexmail.demo.mailserver import MailServer
from flexmail.errors import InvalidInput
from flexmail.services import diagnosis, settings
from tests.conftest import NOW
from tests.rogue import Peer, RogueServer, imap_script, smtp_script
from tests.services.stage import ADA, APPROVALS, BOB, SECRET, connect, fill_in, read, reply, set_up

SMTP_STEPS = ["resolve", "connect", "tls", "login", "send"]
IMAP_STEPS = ["resolve", "connect", "tls", "login", "folder"]


@pytest.fixture
def ready(people: Flask, server: MailServer) -> Flask:
    connect(server)
    return people


def diagnose(*, to: str = ADA, round_trip: bool = False, **given: object) -> dict[str, Any]:
    return diagnosis.test_email(fill_in(**given), to=to, round_trip=round_trip, now=NOW)


def oks(side: dict[str, Any]) -> list[bool | None]:
    return [step["ok"] for step in side["steps"]]


def failing(side: dict[str, Any]) -> dict[str, Any]:
    """Return the step that failed, having made sure that those after it were not reached."""
    at = oks(side).index(False)
    assert oks(side) == [True] * at + [False] + [None] * (len(side["steps"]) - at - 1)
    assert side["ok"] is False
    step: dict[str, Any] = side["steps"][at]
    assert step["detail"]
    return step


@contextmanager
def silent_port() -> Iterator[tuple[int, socket.socket]]:
    """Yield a port that would take a connection, and never gets one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener.getsockname()[1], listener


def never_connected_with(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def test_all_steps_pass_the_test_mail_arrives_and_nothing_is_deleted(
    ready: Flask, server: MailServer
) -> None:
    waiting = [reply(None, f"Hello {number}") for number in range(3)]
    for raw in waiting:
        server.deliver(APPROVALS, raw)
    result = diagnose()
    assert set(result) == {"smtp", "imap"}
    assert result["smtp"]["ok"] is True
    assert result["imap"]["ok"] is True
    assert [step["name"] for step in result["smtp"]["steps"]] == SMTP_STEPS
    assert [step["name"] for step in result["imap"]["steps"]] == IMAP_STEPS
    assert result["imap"]["waiting"] == 3
    for step in (*result["smtp"]["steps"], *result["imap"]["steps"]):
        assert set(step) == {"name", "ok", "seconds", "detail", "hint"}
        assert step["ok"] is True
        assert 0 <= step["seconds"] < 10
    assert [raw for _, raw in server.mailbox(APPROVALS)] == waiting
    ((_, arrived),) = server.mailbox(ADA)
    assert read(arrived)["Auto-Submitted"] == "auto-generated"
    assert read(arrived)["X-Flexmail"] == "test"
    assert SECRET not in json.dumps(result)


def test_values_are_tested_as_typed_and_not_saved(people: Flask, server: MailServer) -> None:
    result = diagnose(
        smtp_host_name=server.host,
        smtp_host_port=server.smtp_port,
        smtp_user=APPROVALS,
        smtp_password=SECRET,
        smtp_from_address=APPROVALS,
        imap_host_name=server.host,
        imap_host_port=server.imap_port,
        tls_ca_certificates=server.ca_pem,
    )
    assert (result["smtp"]["ok"], result["imap"]["ok"]) == (True, True)
    assert settings.load().revision == 0


def test_without_an_imap_host_only_sending_is_tested(people: Flask, server: MailServer) -> None:
    connect(server, enable_email_approval=False, imap_host_name="")
    result = diagnose(round_trip=True)
    assert result["smtp"]["ok"] is True
    assert result["imap"] is None


def test_implicit_tls_is_tested(ready: Flask, server: MailServer) -> None:
    result = diagnose(
        imap_host_port=server.imaps_port, imap_implicit_tls=True, imap_password=SECRET
    )
    assert result["imap"]["ok"] is True


def test_a_wrong_password_fails_at_the_login_and_says_which_field(ready: Flask) -> None:
    result = diagnose(smtp_password="wrong-one", imap_password="wrong-two")
    smtp, imap = failing(result["smtp"]), failing(result["imap"])
    assert (smtp["name"], imap["name"]) == ("login", "login")
    assert "SMTP Password" in smtp["hint"]
    assert "IMAP Password" in imap["hint"]
    assert result["imap"]["waiting"] is None
    assert "wrong-" not in json.dumps(result)


def test_a_tls_port_without_the_tick_says_what_to_tick(ready: Flask, server: MailServer) -> None:
    result = diagnose(imap_host_port=server.imaps_port, imap_password=SECRET)
    assert "tick IMAP SSL/TLS" in failing(result["imap"])["hint"]
    assert result["smtp"]["ok"] is True


def test_the_tick_on_a_port_without_tls_fails_with_a_hint(ready: Flask) -> None:
    result = diagnose(
        smtp_implicit_tls=True, smtp_password=SECRET, imap_implicit_tls=True, imap_password=SECRET
    )
    for side in ("smtp", "imap"):
        step = failing(result[side])
        assert step["name"] == "tls"
        assert "SSL/TLS" in step["hint"]


def test_a_missing_folder_says_which_ones_exist(ready: Flask) -> None:
    step = failing(diagnose(email_reply_folder="Freigaben")["imap"])
    assert step["name"] == "folder"
    assert "Freigaben" in step["detail"]
    assert "INBOX" in step["hint"]


def test_a_certificate_that_nobody_knows_fails_and_nothing_is_logged_in(ready: Flask) -> None:
    result = diagnose(tls_ca_certificates="")
    for side in ("smtp", "imap"):
        step = failing(result[side])
        assert step["name"] == "tls"
        assert step["hint"]


def test_a_port_where_nothing_listens_fails_at_the_connection(ready: Flask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = diagnose(
        smtp_host_port=port, smtp_password=SECRET, imap_host_port=port, imap_password=SECRET
    )
    for side in ("smtp", "imap"):
        step = failing(result[side])
        assert step["name"] == "connect"
        assert "port" in step["hint"]


def test_a_recipient_that_is_refused_fails_at_sending(ready: Flask) -> None:
    step = failing(diagnose(to="nobody@corp.test")["smtp"])
    assert step["name"] == "send"
    assert "550" in step["detail"]


def test_one_side_that_fails_leaves_the_other_to_be_tested(ready: Flask) -> None:
    result = diagnose(smtp_password="wrong-one", imap_password=SECRET)
    assert (result["smtp"]["ok"], result["imap"]["ok"]) == (False, True)


def test_a_round_trip_finds_its_probe_and_removes_it_alone(
    ready: Flask, server: MailServer
) -> None:
    others = [reply(None, f"Hello {number}") for number in range(2)]
    for raw in others:
        server.deliver(APPROVALS, raw)
    result = diagnose(round_trip=True)
    assert [step["name"] for step in result["imap"]["steps"]] == [*IMAP_STEPS, "round_trip"]
    assert result["imap"]["ok"] is True
    assert result["imap"]["waiting"] == 2
    assert [raw for _, raw in server.mailbox(APPROVALS)] == others
    assert len(server.mailbox(ADA)) == 1


def test_a_round_trip_whose_probe_cannot_leave_says_so(ready: Flask) -> None:
    result = diagnose(round_trip=True, smtp_password="wrong-one", imap_password=SECRET)
    step = failing(result["imap"])
    assert step["name"] == "round_trip"
    assert "SMTP" in step["hint"]


@pytest.mark.slow
def test_a_round_trip_that_goes_elsewhere_is_told_within_its_time(
    ready: Flask, server: MailServer
) -> None:
    began = time.monotonic()
    result = diagnose(round_trip=True, approval_reply_address=BOB)
    step = failing(result["imap"])
    assert step["name"] == "round_trip"
    assert BOB in step["detail"]
    assert "Approval Reply Address" in step["hint"]
    assert 15 < time.monotonic() - began < 30


@pytest.mark.slow
def test_silent_servers_end_the_test_in_time_side_by_side(people: Flask) -> None:
    began = time.monotonic()
    with RogueServer(Peer.keep_silent) as smtp, RogueServer(Peer.keep_silent) as imap:
        result = diagnose(
            smtp_host_name=smtp.host,
            smtp_host_port=smtp.port,
            smtp_from_address=APPROVALS,
            imap_host_name=imap.host,
            imap_host_port=imap.port,
        )
    assert failing(result["smtp"])["name"] == "connect"
    assert failing(result["imap"])["name"] == "connect"
    assert time.monotonic() - began < 18  # not one after the other


@pytest.mark.parametrize("side", ["smtp", "imap"])
@pytest.mark.parametrize("change", ["host", "port", "user"])
def test_changed_values_without_a_password_connect_with_nothing(
    change: str, side: str, ready: Flask
) -> None:
    set_up(
        smtp_host_name="localhost",
        smtp_host_port=settings.load().smtp_host_port,
        smtp_user="deploy",
        smtp_password=SECRET,
        imap_host_name="localhost",
        imap_user="replies",
        imap_password=SECRET,
    )
    with silent_port() as (port, listener):
        given: dict[str, object] = {
            "smtp_host_port": port,
            "imap_host_port": port,
            f"{side}_host_name": "127.0.0.1" if change == "host" else "localhost",
        }
        if change != "port":
            set_up(
                **{
                    "smtp_user": "deploy",
                    "imap_user": "replies",
                    "smtp_host_name": "localhost",
                    "imap_host_name": "localhost",
                    "smtp_host_port": port,
                    "imap_host_port": port,
                    "smtp_password": SECRET,
                    "imap_password": SECRET,
                }
            )
        else:
            other = "imap" if side == "smtp" else "smtp"
            given[f"{other}_password"] = SECRET
        if change == "user":
            given[f"{side}_user"] = "somebody"
        with pytest.raises(InvalidInput) as raised:
            diagnosis.test_email(fill_in(**given), to=ADA, round_trip=False, now=NOW)
        assert list(raised.value.errors) == [f"{side}_password"]
        assert never_connected_with(listener)


def test_an_inherited_password_does_not_travel_to_another_imap_server(ready: Flask) -> None:
    with silent_port() as (port, listener):
        with pytest.raises(InvalidInput) as raised:
            diagnose(imap_host_port=port)
        assert list(raised.value.errors) == ["imap_password"]
        assert never_connected_with(listener)


def test_a_server_that_repeats_the_password_does_not_get_it_shown(people: Flask) -> None:
    heard: list[bytes] = []
    no_smtp = f"535 5.7.8 {SECRET} is wrong\r\n".encode()
    no_imap = f"TAG NO {SECRET} is wrong\r\n".encode()
    with (
        RogueServer(smtp_script({"AUTH": no_smtp}, heard=heard)) as smtp,
        RogueServer(imap_script({"LOGIN": no_imap}, heard=heard)) as imap,
    ):
        result = diagnose(
            smtp_host_name=smtp.host,
            smtp_host_port=smtp.port,
            smtp_user="deploy",
            smtp_password=SECRET,
            smtp_from_address=APPROVALS,
            imap_host_name=imap.host,
            imap_host_port=imap.port,
        )
    assert failing(result["smtp"])["name"] == failing(result["imap"])["name"] == "login"
    assert "is wrong" in json.dumps(result)
    assert SECRET not in json.dumps(result)


def test_the_folder_is_only_examined_and_nothing_in_it_is_read(people: Flask) -> None:
    heard: list[bytes] = []
    with RogueServer(imap_script(heard=heard)) as imap, RogueServer(smtp_script()) as smtp:
        result = diagnose(
            smtp_host_name=smtp.host,
            smtp_host_port=smtp.port,
            smtp_from_address=APPROVALS,
            imap_host_name=imap.host,
            imap_host_port=imap.port,
            imap_user="replies",
            imap_password=SECRET,
        )
    assert (result["smtp"]["ok"], result["imap"]["ok"]) == (True, True)
    assert result["imap"]["waiting"] == 1
    commands = {line.split()[1].upper() for line in heard}
    assert b"EXAMINE" in commands
    assert commands.isdisjoint({b"SELECT", b"STORE", b"EXPUNGE", b"FETCH", b"UID"})


def test_a_probe_that_arrives_while_the_waiting_mail_is_counted_is_not_counted(
    people: Flask,
) -> None:
    """The server tells of the probe right after a search that did not find it."""
    searches = iter([b"* SEARCH\r\n* 2 EXISTS\r\n", b"* SEARCH 9\r\n", b"* SEARCH 9\r\n"])

    def search(peer: Peer, line: bytes) -> None:
        peer.send(next(searches, b"* SEARCH\r\n") + line.split()[0] + b" OK done\r\n")

    script = imap_script({"UID SEARCH": search})
    with RogueServer(script) as imap, RogueServer(smtp_script()) as smtp:
        result = diagnose(
            round_trip=True,
            smtp_host_name=smtp.host,
            smtp_host_port=smtp.port,
            smtp_from_address=APPROVALS,
            imap_host_name=imap.host,
            imap_host_port=imap.port,
            imap_user="replies",
            imap_password=SECRET,
        )
    assert result["imap"]["waiting"] == 1
    assert oks(result["imap"]) == [True] * 6
