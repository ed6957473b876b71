"""Names, addresses, certificates and deadlines: what is judged before anything is trusted."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from flexmail.demo.mailserver import MailServer
from flexmail.errors import LoginRefused, ProtocolViolation, TlsFailed, Unreachable
from flexmail.transport.smtp import SmtpAccount, open_session
from flexmail.transport.tls import (
    Address,
    Deadline,
    Endpoint,
    all_loopback,
    dial,
    resolve,
    speaks_tls,
    verifying_context,
)
from flexmail.transport.wire import Wire
from flexmail.transport.words import in_words
from tests.servers import PASSWORD, Peer, RogueServer, free_port, smtp_script


def v4(ip: str, port: int = 25) -> Address:
    return Address(socket.AF_INET, (ip, port))


def v6(ip: str, port: int = 25) -> Address:
    return Address(socket.AF_INET6, (ip, port, 0, 0))


def server_context(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    now = datetime.now(UTC)
    certificate = authority.issue_cert(
        *names,
        not_before=now - timedelta(days=3) if expired else None,
        not_after=now - timedelta(days=1) if expired else None,
    )
    certificate.configure_cert(context)
    return context


def implicit_tls(context: ssl.SSLContext) -> RogueServer:
    def play(peer: Peer) -> None:
        peer.start_tls(context)
        smtp_script()(peer)

    return RogueServer(play)


def tls_failure(server: RogueServer, ca_pem: str) -> TlsFailed:
    endpoint = Endpoint(server.host, server.port, False, True, ca_pem)
    with (
        pytest.raises(TlsFailed) as caught,
        open_session(SmtpAccount(endpoint, "", ""), step_seconds=5),
    ):
        pass
    assert caught.value.step == "tls"
    return caught.value


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode("ascii")


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], False),
        ([v4("127.0.0.1")], True),
        ([v4("127.9.9.9"), v6("::1")], True),
        ([v6("::ffff:127.0.0.1")], True),
        ([v4("127.0.0.1"), v4("192.0.2.1")], False),
        ([v4("0.0.0.0")], False),  # noqa: S104
        ([v6("2001:db8::1")], False),
    ],
)
def test_only_addresses_of_this_machine_count_as_loopback(
    addresses: list[Address], expected: bool
) -> None:
    assert all_loopback(addresses) is expected


def test_localhost_resolves_to_loopback() -> None:
    assert all_loopback(resolve("localhost", 25))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".test", "bad..name"])
def test_an_unknown_name_is_told_with_the_name(host: str) -> None:
    with pytest.raises(Unreachable, match="is not known") as caught:
        resolve(host, 25)
    assert host in str(caught.value)


@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.1.1", "fe80::1"])
def test_link_local_addresses_are_never_dialled(host: str) -> None:
    with pytest.raises(Unreachable, match="link-local"):
        resolve(host, 25)


def test_a_port_where_nothing_listens_is_told_as_such() -> None:
    endpoint = Endpoint("127.0.0.1", free_port(), True, False)
    with pytest.raises(Unreachable, match="nothing listens"):
        dial(endpoint, resolve(endpoint.host, endpoint.port), 5)


def test_an_address_that_does_not_answer_gives_way_to_the_next() -> None:
    with RogueServer(Peer.keep_silent) as server:
        endpoint = Endpoint("mail.test", server.port, True, False)
        addresses = [v4("127.0.0.1", free_port()), v4(server.host, server.port)]
        with dial(endpoint, addresses, 5) as sock:
            assert sock.getpeername() == (server.host, server.port)


def test_an_unknown_authority_is_told_with_the_field_that_takes_it() -> None:
    authority = trustme.CA()
    with implicit_tls(server_context(authority, "127.0.0.1")) as server:
        error = tls_failure(server, "")
    assert "self-signed" in str(error)
    assert "Extra CA certificates" in error.hint


def test_a_certificate_for_another_name_is_refused_although_its_authority_is_trusted() -> None:
    authority = trustme.CA()
    with implicit_tls(server_context(authority, "other.test")) as server:
        error = tls_failure(server, pem(authority))
    assert "another name" in str(error)
    assert "host name" in error.hint


def test_an_expired_certificate_is_told_as_such() -> None:
    authority = trustme.CA()
    with implicit_tls(server_context(authority, "127.0.0.1", expired=True)) as server:
        error = tls_failure(server, pem(authority))
    assert "has expired" in str(error)


def test_the_name_that_was_typed_is_verified_and_not_the_address() -> None:
    authority = trustme.CA()
    with implicit_tls(server_context(authority, "localhost")) as server:
        endpoint = Endpoint("localhost", server.port, False, True, pem(authority))
        with open_session(SmtpAccount(endpoint, "", "")) as session:
            assert session.encrypted


def test_unreadable_extra_certificates_are_told_as_such() -> None:
    text = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
    with pytest.raises(TlsFailed, match="cannot be read"):
        verifying_context(text)


def test_contexts_verify_always_and_refuse_old_tls() -> None:
    context = verifying_context("")
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_tls_to_a_clear_port_says_which_boxes_to_change(embedded: MailServer) -> None:
    endpoint = Endpoint(embedded.host, embedded.smtp_port, False, True, embedded.ca_pem)
    with pytest.raises(TlsFailed) as caught, open_session(SmtpAccount(endpoint, "", "")):
        pass
    assert caught.value.hint == (
        "This port does not speak TLS from the first byte: "
        "untick SMTP SSL/TLS and tick SMTP Enable STARTTLS."
    )


def test_a_probe_tells_a_tls_port_from_a_clear_and_a_silent_one(embedded: MailServer) -> None:
    def probe(host: str, port: int, ca_pem: str = "", *, seconds: float = 20) -> bool:
        endpoint = Endpoint(host, port, True, False, ca_pem)
        return speaks_tls(endpoint, resolve(host, port), seconds)

    assert probe(embedded.host, embedded.imaps_port, embedded.ca_pem)
    assert probe(embedded.host, embedded.imaps_port), "a certificate that fails proves TLS, too"
    assert not probe(embedded.host, embedded.imap_port)
    with RogueServer(Peer.keep_silent) as silent:
        assert not probe(silent.host, silent.port, seconds=0.5)


def test_no_password_leaves_this_machine_in_clear() -> None:
    heard: list[bytes] = []
    with RogueServer(smtp_script(heard=heard)) as server:
        # 0.0.0.0 leads to this machine, but is no loopback address.
        for starttls, box in ((True, "SMTP SSL/TLS"), (False, "SMTP SSL/TLS")):
            endpoint = Endpoint("0.0.0.0", server.port, starttls, False)  # noqa: S104
            account = SmtpAccount(endpoint, "ada@example.test", PASSWORD)
            with pytest.raises(LoginRefused, match="in clear") as caught, open_session(account):
                pass
            assert box in caught.value.hint
            assert caught.value.step == "login"
    assert not any(line.startswith(b"AUTH") for line in heard)


def test_a_login_names_the_box_when_starttls_is_only_switched_off() -> None:
    with RogueServer(smtp_script(extensions=[b"STARTTLS", b"AUTH PLAIN"])) as server:
        endpoint = Endpoint("0.0.0.0", server.port, False, False)  # noqa: S104
        account = SmtpAccount(endpoint, "ada@example.test", PASSWORD)
        with pytest.raises(LoginRefused) as caught, open_session(account):
            pass
    assert caught.value.hint == "To log in, tick SMTP Enable STARTTLS."


def test_a_deadline_does_not_move() -> None:
    deadline = Deadline(0)
    assert deadline.remaining() == 0
    with pytest.raises(Unreachable):
        deadline.check()


def test_a_write_that_nobody_reads_ends_in_time() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        wire = Wire(ours, Endpoint("mail.test", 25, True, False), "SMTP", Deadline(0.3))
        with pytest.raises(Unreachable, match="in time"):
            wire.sendall(b"x" * (64 << 20))
        assert wire.broken


def test_a_reader_fed_byte_by_byte_ends_in_time() -> None:
    with RogueServer(lambda peer: peer.drip(b"x", every_seconds=0.02)) as server:
        endpoint = Endpoint(server.host, server.port, True, False)
        sock = dial(endpoint, resolve(server.host, server.port), 5)
        wire = Wire(sock, endpoint, "SMTP", Deadline(60))
        wire.begin(0.3)
        with pytest.raises(Unreachable, match="in time"):
            wire.readline(1000)


def test_more_bytes_than_a_step_may_hold_are_refused() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(ours, Endpoint("mail.test", 25, True, False), "SMTP", Deadline(5))
    wire.begin(5, max_bytes=1000)
    flood = threading.Thread(target=theirs.sendall, args=(b"x" * 5000,))
    flood.start()
    with pytest.raises(ProtocolViolation):
        wire.read(5000)
    theirs.close()
    flood.join(5)


def test_lines_come_whole_however_they_arrive() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        wire = Wire(ours, Endpoint("mail.test", 25, True, False), "SMTP", Deadline(5))
        theirs.sendall(b"one\r\ntwo")
        assert wire.readline(100) == b"one\r\n"
        theirs.sendall(b"\r\nthree and more\r\n")
        assert wire.readline(100) == b"two\r\n"
        assert wire.readline(5) == b"three"
        assert wire.read(4) == b" and"
        wire.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"550 no\r\nsuch\tuser\x00\x1b[31m", "550 no such user [31m"),
        (b"caf\xc3\xa9 \xff", "café �"),
        ("right\u202eleft", "right left"),
        (b"token s3cret s3cret", "token … …"),
        (b"x" * 500, "x" * 200),
    ],
)
def test_a_servers_words_are_made_fit_for_a_page(answer: bytes | str, expected: str) -> None:
    assert in_words(answer, ["s3cret", ""]) == expected
