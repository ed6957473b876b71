"""One call to a program: where it may lead, how long it may take, what the answer is worth."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from flexmail.errors import (
    InvalidInput,
    MailServerError,
    ProtocolViolation,
    TlsFailed,
    Unreachable,
)
from flexmail.transport.endpoint import Address
from flexmail.transport.public import is_link_local, is_public
from flexmail.transport.webhook import Answer, post, signed, target_of
from tests.hook import TAKEN, Hook, answer
from tests.rogue import Peer, RogueServer
from tests.servers import free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type":"approval.decided","data":{"title":"Grüße"}}'.encode()


def call(url: str, **given: Any) -> Answer:
    values = {"may_lead_inside": True, "timeout_seconds": 5} | given
    return post(target_of(url), BODY, {"webhook-id": "msg_1"}, **values)


def leads_to(*addresses: str) -> Callable[[str, int, float], list[Address]]:
    """Return a name server that knows one answer."""
    return lambda _host, port, _seconds: [
        Address(socket.AF_INET6, (ip, port, 0, 0))
        if ":" in ip
        else Address(socket.AF_INET, (ip, port))
        for ip in addresses
    ]


INSIDE = [
    *("127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
    "0.0.0.0",  # noqa: S104
    *("0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.9", "192.0.2.1", "198.18.0.1", "192.88.99.1", "::", "::1", "fc00::1"),
    *("fd00::1", "fec0::1", "ff02::1", "ff0e::1", "100::1", "2001:db8::1", "3fff::1"),
    *("5f00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::"),
    *("2002:a00:1::1", "2002:e000:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1"),
]
LINK_LOCAL = [
    *("169.254.169.254", "169.254.0.1", "fe80::1", "febf::1", "::ffff:169.254.169.254"),
    *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"),
]
OUTSIDE = [
    *("8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"),
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("ip", INSIDE + LINK_LOCAL)
def test_an_address_inside_is_none_of_the_internet(ip: str) -> None:
    assert not is_public(ipaddress.ip_address(ip))
    assert is_link_local(ipaddress.ip_address(ip)) is (ip in LINK_LOCAL)


@pytest.mark.parametrize("ip", OUTSIDE)
def test_an_address_of_the_internet_is_public(ip: str) -> None:
    assert is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize("ip", INSIDE + LINK_LOCAL)
def test_a_name_that_leads_inside_is_not_called(ip: str) -> None:
    with pytest.raises(Unreachable, match="inside the network: nothing was sent") as caught:
        call("https://ci.corp.test/", may_lead_inside=False, resolver=leads_to(ip))
    assert not caught.value.temporary


@pytest.mark.parametrize("ip", LINK_LOCAL)
def test_link_local_is_not_called_even_where_the_operator_lists_the_host(ip: str) -> None:
    with pytest.raises(Unreachable, match="inside the network"):
        call("http://ci.corp.test:80/", may_lead_inside=True, resolver=leads_to(ip))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1"),
        *(
            "127.1",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::]",
            "[0:0:0:0:0:ffff:127.0.0.1]",
        ),
    ],
)
def test_no_spelling_of_this_machine_is_called(host: str) -> None:
    with Hook() as hook:
        with pytest.raises(MailServerError):
            call(f"http://{host}:{hook.port}/", may_lead_inside=False)
        assert hook.connections == 0


def test_one_address_inside_among_good_ones_spoils_the_name() -> None:
    with Hook() as hook:
        for ips in (("8.8.8.8", hook.host), (hook.host, "8.8.8.8")):
            with pytest.raises(Unreachable, match="nothing was sent"):
                call(f"http://ci.test:{hook.port}/", may_lead_inside=False, resolver=leads_to(*ips))
        assert hook.connections == 0


def test_the_address_that_was_judged_is_the_one_that_is_called() -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, _seconds: float) -> list[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, ("127.0.0.1" if len(asked) == 1 else "127.0.0.9", port))]

    with Hook() as hook:
        call(f"http://ci.test:{hook.port}/x", resolver=rebinding)
    assert asked == ["ci.test"]
    assert hook.heard[0].headers["host"] == f"ci.test:{hook.port}"


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://ci.test", "https://ci.test:443", "/"),
        ("https://CI.test/a/b?c=d&e", "https://ci.test:443", "/a/b?c=d&e"),
        ("http://ci.test:8080/", "http://ci.test:8080", "/"),
        ("https://[FD00:0::1]:8443/x", "https://[fd00::1]:8443", "/x"),
        ("https://xn--bcher-kva.test/", "https://xn--bcher-kva.test:443", "/"),
    ],
)
def test_an_address_is_taken_apart(url: str, origin: str, path: str) -> None:
    target = target_of(url)
    assert (target.origin, target.path) == (origin, path)


@pytest.mark.parametrize(
    "url",
    [
        *("", "ci.test", "//ci.test/", "ftp://ci.test/", "javascript:alert(1)", "https://"),
        *("https:///x", "https://ci.test:0/", "https://ci.test:99999/", "https://ci.test:x/"),
        *("https://ada:secret@ci.test/", "https://@ci.test/", "https://ci.test/#x"),
        *(
            "https://ci.test/ x",
            "https://ci.test/\r\nX: y",
            "https://ci.test/\x00",
            "https://ci\t.test",
        ),
        *(
            "https://bücher.test/",
            "https://ci.test\\@evil.test/",
            "https://[::1",
            "https://[fe80::1%25lo]/",
        ),
        "https://ci.test/" + "x" * 2000,
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"\.$") as caught:
        target_of(url)
    assert "secret" not in str(caught.value)


def test_the_request_is_what_was_asked_for() -> None:
    with Hook() as hook:
        assert call(hook.url).status == 204
    (heard,) = hook.heard
    assert heard.line == "POST /hook?job=7 HTTP/1.1"
    assert heard.body == BODY
    assert heard.headers["webhook-id"] == "msg_1"
    assert heard.headers["content-length"] == str(len(BODY))


def test_an_independent_library_takes_the_signature_and_no_altered_one() -> None:
    headers = signed("msg_1", BODY, secret=SECRET, at=datetime.now(UTC))
    verifier = Webhook(SECRET)
    assert verifier.verify(BODY, headers)["type"] == "approval.decided"
    others = Webhook("whsec_" + "A" * 32)
    for webhook, body, changed in (
        (verifier, BODY + b" ", {}),
        (verifier, BODY, {"webhook-id": "msg_2"}),
        (verifier, BODY, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
        (others, BODY, {}),
    ):
        with pytest.raises(WebhookVerificationError):
            webhook.verify(body, headers | changed)


def test_the_signature_of_an_old_try_is_not_taken_any_more() -> None:
    headers = signed("msg_1", BODY, secret=SECRET, at=datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(BODY, headers)


def test_the_reason_of_a_refusal_is_told_in_one_short_line() -> None:
    said = "bad\r\nsignature \x1b[31m" + "x" * 5000
    with Hook(answer("401 Unauthorized", said)) as hook:
        heard = call(hook.url)
    assert heard.status == 401
    assert heard.text.startswith("401 Unauthorized bad signature [31mxxx")
    assert len(heard.text) <= 200


@pytest.mark.parametrize(
    ("pause", "seconds"),
    [("120", 120), ("0", 0), ("-1", 0), ("soon", 0), ("9" * 30, 0), ("١٢", 0)],
)
def test_a_pause_that_is_asked_for_is_heard_if_it_is_a_number(pause: str, seconds: int) -> None:
    with Hook(answer("503 Busy", "", f"Retry-After: {pause}")) as hook:
        assert call(hook.url).retry_after_seconds == seconds


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with (
        Hook() as inner,
        Hook(answer("307 Temporary Redirect", "", f"Location: {inner.url}")) as hook,
    ):
        assert call(hook.url).status == 307
        assert inner.connections == 0


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook() as proxy, Hook() as hook:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        call(hook.url)
        assert (proxy.connections, hook.connections) == (0, 1)


def drip(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    peer.drip(b"x", every_seconds=0.02)


@pytest.mark.parametrize(
    "behave",
    [drip, Peer.keep_silent, lambda peer: peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["drips", "never answers", "goes on forever"],
)
def test_a_call_ends_by_the_wall_clock(behave: Callable[[Peer], None]) -> None:
    with Hook(behave) as hook, pytest.raises(Unreachable, match="did not answer in time"):
        call(hook.url, timeout_seconds=0.4)


def test_a_server_that_reads_nothing_ends_by_the_wall_clock_too() -> None:
    with (
        RogueServer(lambda peer: peer.drip(b"", every_seconds=1)) as server,
        pytest.raises(Unreachable, match="in time"),
    ):
        post(
            target_of(f"http://{server.host}:{server.port}/"),
            b"x" * (8 << 20),
            {},
            may_lead_inside=True,
            timeout_seconds=0.4,
        )


@pytest.mark.parametrize("early", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_an_answer_that_says_one_will_come_is_passed_over(early: str) -> None:
    hints = f"HTTP/1.1 {early}\r\nLink: </style.css>\r\n\r\n".encode()
    with Hook(hints + hints + TAKEN) as hook:
        assert call(hook.url).status == 204


def test_answers_that_one_will_come_and_no_other_end_at_the_limit() -> None:
    with (
        Hook(lambda peer: peer.flood(b"HTTP/1.1 103 Early Hints\r\n\r\n")) as hook,
        pytest.raises(ProtocolViolation, match="more than an answer may hold"),
    ):
        call(hook.url)


def test_a_status_counts_whatever_body_comes_behind_it() -> None:
    body = b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000

    def say(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n")
        peer.sends_more(within_seconds=0.2)  # it does not: what follows is a segment of its own
        peer.send(body)

    with Hook(say) as hook:
        assert call(hook.url).status == 200


def test_a_status_counts_although_its_body_never_ends() -> None:
    def go_on(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 500 Broken\r\nContent-Length: 999999\r\n\r\n")
        peer.drip(b"x", every_seconds=0.02)

    with Hook(go_on) as hook:
        assert call(hook.url, timeout_seconds=0.4).text == "500 Broken"


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * (1 << 17),
        b"\x00\xff" * 5000 + b"\n",
    ],
    ids=["ssh", "blank", "no status", "200 headers", "endless header", "garbage"],
)
def test_an_answer_that_is_no_http_is_told_as_such(said: bytes) -> None:
    with Hook(said) as hook, pytest.raises((ProtocolViolation, Unreachable)):
        call(hook.url)


def test_a_connection_that_is_closed_without_an_answer_is_told() -> None:
    with Hook(b"") as hook, pytest.raises(Unreachable, match="closed the connection"):
        call(hook.url)


def test_nothing_listens_there() -> None:
    with pytest.raises(Unreachable, match="refused the connection"):
        call(f"http://127.0.0.1:{free_port()}/")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served(authority: trustme.CA, *names: str, old: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    now = datetime.now(UTC)
    until = now - timedelta(days=1) if old else now + timedelta(days=1)
    certificate = authority.issue_cert(*names, not_before=now - timedelta(days=3), not_after=until)
    certificate.configure_cert(context)
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode("ascii")


def test_tls_is_verified_by_the_name_of_the_address(authority: trustme.CA) -> None:
    with Hook(tls=served(authority, "ci.test")) as hook:
        to_it = {"ca_certificates": pem(authority), "resolver": leads_to(hook.host)}
        assert call(f"https://ci.test:{hook.port}/", **to_it).status == 204
        with pytest.raises(TlsFailed, match="another name"):
            call(f"https://evil.test:{hook.port}/", **to_it)
        with pytest.raises(TlsFailed, match="unknown authority"):
            call(f"https://ci.test:{hook.port}/", resolver=leads_to(hook.host))
    assert len(hook.heard) == 1


def test_a_certificate_that_has_expired_is_not_taken(authority: trustme.CA) -> None:
    with (
        Hook(tls=served(authority, "127.0.0.1", old=True)) as hook,
        pytest.raises(TlsFailed, match="expired"),
    ):
        call(hook.url, ca_certificates=pem(authority))
    assert hook.heard == []


def test_a_handshake_that_never_ends_ends_by_the_wall_clock() -> None:
    with (
        RogueServer(Peer.keep_silent) as server,
        pytest.raises(TlsFailed, match="in time"),
    ):
        call(f"https://{server.host}:{server.port}/", timeout_seconds=0.4)


def test_a_server_in_clear_behind_https_is_told() -> None:
    with Hook(b"") as hook, pytest.raises(MailServerError):
        call(f"https://{hook.host}:{hook.port}/", timeout_seconds=2)
    assert hook.heard == []
