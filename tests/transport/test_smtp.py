"""Sending: the embedded server and Exim as they should be, and servers as they should not."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from flexmail.demo.mailserver import MailServer
from flexmail.errors import (
    LoginRefused,
    MailServerError,
    ProtocolViolation,
    Refused,
    TlsFailed,
    Unreachable,
)
from flexmail.transport.smtp import STEPS, SmtpAccount, open_session
from flexmail.transport.tls import Endpoint
from flexmail.transport.trace import Trace
from tests.rogue import Answer
from tests.servers import PASSWORD, Dovecot, Exim, Peer, RogueServer, smtp_script

ADA, BOB = "ada@example.test", "bob@example.test"
MAIL = b"From: <ada@example.test>\r\nSubject: Deploy?\r\n\r\n.\r\n..two\r\nBye\r\n"


def embedded_account(
    server: MailServer, *, starttls: bool = True, password: str = PASSWORD
) -> SmtpAccount:
    endpoint = Endpoint(server.host, server.smtp_port, starttls, False, server.ca_pem)
    return SmtpAccount(endpoint, ADA, password)


def exim_account(server: Exim, *, implicit: bool = False, password: str = PASSWORD) -> SmtpAccount:
    port = server.smtps_port if implicit else server.smtp_port
    endpoint = Endpoint(server.host, port, not implicit, implicit, server.ca_pem)
    return SmtpAccount(endpoint, ADA, password)


def rogue_account(server: RogueServer, *, user: str = "", starttls: bool = False) -> SmtpAccount:
    return SmtpAccount(Endpoint(server.host, server.port, starttls, False), user, PASSWORD)


def failure(
    script: Callable[[Peer], None], *, user: str = "", starttls: bool = False
) -> MailServerError:
    """Send against a rogue, with short deadlines, and return what it ends with."""
    started = time.monotonic()
    with (
        RogueServer(script) as server,
        pytest.raises(MailServerError) as caught,
        open_session(
            rogue_account(server, user=user, starttls=starttls), step_seconds=0.4, run_seconds=2
        ) as session,
    ):
        session.send(ADA, BOB, MAIL)
    assert time.monotonic() - started < 5
    assert PASSWORD not in str(caught.value) + caught.value.hint
    return caught.value


@pytest.mark.parametrize("starttls", [True, False])
def test_a_mail_arrives_byte_for_byte(embedded: MailServer, starttls: bool) -> None:
    with open_session(embedded_account(embedded, starttls=starttls)) as session:
        assert session.encrypted is starttls
        assert session.send(ADA, BOB, MAIL) == "250 2.0.0 Delivered"
    [(_, raw)] = embedded.mailbox(BOB)
    assert raw == MAIL


def test_each_step_is_told(embedded: MailServer) -> None:
    trace = Trace(STEPS)
    with open_session(embedded_account(embedded), trace=trace):
        pass
    assert [(step.name, step.ok, step.detail) for step in trace.steps] == [
        ("resolve", True, "127.0.0.1"),
        ("connect", True, "connected to 127.0.0.1"),
        ("tls", True, "STARTTLS"),
        ("login", True, "logged in"),
    ]


def test_steps_that_nobody_asked_for_are_told_as_such(embedded: MailServer) -> None:
    trace = Trace(STEPS)
    endpoint = Endpoint(embedded.host, embedded.smtp_port, False, False)
    with open_session(SmtpAccount(endpoint, "", ""), trace=trace):
        pass
    assert [step.detail for step in trace.steps[2:]] == ["not asked for", "not asked for"]
    assert all(step.ok for step in trace.steps)


def test_a_wrong_password_is_refused_for_good(embedded: MailServer) -> None:
    with (
        pytest.raises(LoginRefused) as caught,
        open_session(embedded_account(embedded, password="wrong-secret")),
    ):
        pass
    error = caught.value
    assert (error.step, error.code, error.temporary) == ("login", 535, False)
    assert "SMTP Password" in error.hint
    assert "wrong-secret" not in str(error)


def test_an_account_shows_no_password() -> None:
    assert PASSWORD not in repr(SmtpAccount(Endpoint("h", 25, True, False), ADA, PASSWORD))


def test_a_refused_recipient_leaves_the_session_usable(embedded: MailServer) -> None:
    with open_session(embedded_account(embedded)) as session:
        with pytest.raises(Refused, match="the recipient: 550"):
            session.send(ADA, "nobody@example.test", MAIL)
        assert session.alive()
        session.send(ADA, BOB, MAIL)
    assert len(embedded.mailbox(BOB)) == 1


def test_a_session_whose_server_went_away_is_not_alive(embedded: MailServer) -> None:
    def play(peer: Peer) -> None:
        smtp_script({"NOOP": lambda peer, _: peer.close()})(peer)

    with (
        RogueServer(play) as server,
        open_session(rogue_account(server), step_seconds=0.5) as session,
    ):
        assert not session.alive()
        with pytest.raises(Unreachable):
            session.send(ADA, BOB, MAIL)


@pytest.mark.exim
@pytest.mark.parametrize("implicit", [False, True])
def test_exim_takes_a_mail_after_tls_and_login(
    exim: Exim, dovecot: Dovecot, new_address: Callable[[], str], implicit: bool
) -> None:
    bob = new_address()
    with open_session(exim_account(exim, implicit=implicit)) as session:
        assert session.encrypted
        assert session.send(ADA, bob, MAIL).startswith("250 OK")
    with dovecot.client(bob) as mailbox:
        deadline = time.monotonic() + 10
        while not mailbox.select_folder("INBOX")[b"EXISTS"]:
            assert time.monotonic() < deadline, exim.log()
        [fetched] = mailbox.fetch([1], ["BODY.PEEK[TEXT]"]).values()
    assert fetched[b"BODY[TEXT]"] == b".\r\n..two\r\nBye\r\n"


@pytest.mark.exim
def test_exim_refuses_a_wrong_password_once(exim: Exim) -> None:
    before = exim.log().count("authenticator failed")
    account = exim_account(exim, password="wrong-secret")
    with pytest.raises(LoginRefused) as caught, open_session(account):
        pass
    assert (caught.value.code, caught.value.temporary) == (535, False)
    deadline = time.monotonic() + 5
    while exim.log().count("authenticator failed") == before and time.monotonic() < deadline:
        pass
    assert exim.log().count("authenticator failed") == before + 1


@pytest.mark.exim
def test_exim_tells_permanent_from_temporary_refusals(exim: Exim) -> None:
    with open_session(exim_account(exim)) as session:
        with pytest.raises(Refused) as permanent:
            session.send(ADA, "nobody@example.test", MAIL)
        with pytest.raises(Refused) as temporary:
            session.send(ADA, "later@example.test", MAIL)
        assert session.alive()
    assert (permanent.value.code, permanent.value.temporary) == (550, False)
    assert (temporary.value.code, temporary.value.temporary) == (451, True)


@pytest.mark.exim
def test_exim_takes_addresses_beyond_ascii(exim: Exim) -> None:
    with open_session(exim_account(exim)) as session:
        assert session.send(ADA, "été@example.test", MAIL).startswith("250")


def test_addresses_beyond_ascii_need_a_server_that_takes_them() -> None:
    with (
        RogueServer(smtp_script()) as server,
        open_session(rogue_account(server)) as session,
    ):
        with pytest.raises(Refused, match="SMTPUTF8") as caught:
            session.send(ADA, "été@example.test", MAIL)
        assert not caught.value.temporary
        session.send(ADA, BOB, MAIL)


@pytest.mark.parametrize("address", ["a@b.test\r\nRCPT TO:<c@d.test>", "a\x00@b.test"])
def test_addresses_with_control_characters_never_reach_the_server(address: str) -> None:
    heard: list[bytes] = []
    with (
        RogueServer(smtp_script(heard=heard)) as server,
        open_session(rogue_account(server)) as session,
        pytest.raises(Refused, match="control character"),
    ):
        session.send(ADA, address, MAIL)
    assert not any(line.startswith(b"MAIL") for line in heard)


@pytest.mark.parametrize(
    ("answers", "kind", "code", "temporary", "stage"),
    [
        ({"MAIL": b"550 5.7.1 not you\r\n"}, Refused, 550, False, "the sender"),
        ({"MAIL": b"451 4.3.0 later\r\n"}, Refused, 451, True, "the sender"),
        ({"RCPT": b"452 4.2.2 full\r\n"}, Refused, 452, True, "the recipient"),
        ({"RCPT": b"550-5.1.1 no\r\n550 such\r\n"}, Refused, 550, False, "no such"),
        ({"DATA": b"554 5.5.1 no\r\n"}, Refused, 554, False, "the mail"),
        ({".": b"554 5.7.1 spam\r\n"}, Refused, 554, False, "the mail"),
        ({".": b"451 4.7.1 try later\r\n"}, Refused, 451, True, "the mail"),
        ({"MAIL": b"421 4.3.2 closing\r\n"}, Unreachable, 421, True, "closes down"),
        ({"RCPT": b"421 4.3.2 closing\r\n"}, Unreachable, 421, True, "closes down"),
        ({".": b"421 4.3.2 closing\r\n"}, Unreachable, 421, True, "closes down"),
        ({".": lambda peer, _: peer.close()}, Unreachable, None, True, "closed the connection"),
        ({".": lambda peer, _: peer.keep_silent()}, Unreachable, None, True, "in time"),
        ({"RCPT": lambda peer, _: peer.drip(b"250-x\r\n")}, Unreachable, None, True, "in time"),
        ({"RCPT": lambda peer, _: peer.flood(b"250-x\r\n")}, ProtocolViolation, None, True, ""),
        ({"MAIL": lambda peer, _: peer.flood(b"2" * 4096)}, ProtocolViolation, None, True, ""),
        ({"MAIL": b"what?\r\n"}, ProtocolViolation, None, True, "SMTP"),
        ({"MAIL": b"999 what?\r\n"}, ProtocolViolation, None, True, "SMTP"),
    ],
)
@pytest.mark.parametrize("extensions", [[], [b"PIPELINING"]], ids=["one by one", "at once"])
def test_what_a_server_says_to_a_mail_is_told_apart(
    extensions: list[bytes],
    answers: dict[str, Answer],
    kind: type[MailServerError],
    code: int | None,
    temporary: bool,
    stage: str,
) -> None:
    error = failure(smtp_script(answers, extensions=extensions))
    assert type(error) is kind
    assert (error.code, error.temporary) == (code, temporary)
    assert stage in str(error)


def test_the_commands_of_a_mail_go_out_at_once_where_the_server_takes_them_so() -> None:
    heard: list[bytes] = []

    def play(peer: Peer) -> None:
        peer.send(b"220 rogue.test\r\n")
        peer.line()
        peer.send(b"250-rogue.test\r\n250 PIPELINING\r\n")
        for _ in range(2):
            heard.extend(peer.line() for _ in range(3))
            peer.send(b"250 fine\r\n250 fine\r\n354 go on\r\n")
            while peer.line() != b".":
                pass
            peer.send(b"250 taken\r\n")

    with RogueServer(play) as server, open_session(rogue_account(server)) as session:
        assert session.send(ADA, BOB, MAIL) == "250 taken"
        assert session.send(ADA, BOB, MAIL) == "250 taken"
    assert [line.split(b":")[0] for line in heard] == [b"MAIL FROM", b"RCPT TO", b"DATA"] * 2


def test_a_server_that_offers_no_pipelining_is_told_one_command_at_a_time() -> None:
    early: list[bytes] = []

    def answer(peer: Peer, line: bytes) -> None:
        if peer.sends_more(within_seconds=0.1):
            early.append(line)
        peer.send(b"250 fine\r\n")

    script = smtp_script({"MAIL": answer, "RCPT": answer})
    with RogueServer(script) as server, open_session(rogue_account(server)) as session:
        assert session.send(ADA, BOB, MAIL).startswith("250")
    assert early == []


AT_ONCE = [b"PIPELINING"]


def test_a_mail_that_nobody_may_get_ends_empty_where_the_server_asks_for_its_content() -> None:
    heard: list[bytes] = []
    answers: dict[str, Answer] = {"RCPT": b"550 5.1.1 nobody\r\n"}
    script = smtp_script(answers, extensions=AT_ONCE, heard=heard)
    with RogueServer(script) as server, open_session(rogue_account(server)) as session:
        with pytest.raises(Refused, match="the recipient: 550"):
            session.send(ADA, BOB, MAIL)
        assert session.usable
        del answers["RCPT"]
        assert session.send(ADA, BOB, MAIL).startswith("250")
    start = heard.index(b"DATA")
    assert heard[start : start + 3] == [b"DATA", b".", b"RSET"]


@pytest.mark.parametrize("taken", [b"250 fine\r\n", b"252 fine\r\n"])
def test_an_empty_mail_is_never_left_to_a_server_that_refused_only_its_sender(taken: bytes) -> None:
    heard: list[bytes] = []
    answers: dict[str, Answer] = {"MAIL": b"550 5.7.1 not you\r\n", "RCPT": taken}
    script = smtp_script(answers, extensions=AT_ONCE, heard=heard)
    with RogueServer(script) as server, open_session(rogue_account(server)) as session:
        with pytest.raises(Refused, match="the sender address: 550"):
            session.send(ADA, BOB, MAIL)
        assert not session.usable
    assert heard[-1] == b"DATA"


@pytest.mark.parametrize("end", ["cut", "421"])
def test_a_server_that_hangs_up_after_its_no_has_said_no(end: str) -> None:
    def refuse(peer: Peer, _line: bytes) -> None:
        peer.send(b"550 5.1.1 nobody\r\n")
        if end == "cut":
            peer.close()
        else:
            peer.send(b"421 4.3.0 and now go\r\n")

    script = smtp_script({"RCPT": refuse}, extensions=AT_ONCE)
    with RogueServer(script) as server, open_session(rogue_account(server)) as session:
        with pytest.raises(Refused) as caught:
            session.send(ADA, BOB, MAIL)
        assert (caught.value.code, session.usable) == (550, False)


@pytest.mark.parametrize(
    ("raw", "arrived"),
    [
        (b"A: b\r\n\r\n.\r\n..\r\nx", [b"A: b", b"", b"..", b"...", b"x", b"."]),
        (b".a\nb\r\rc\r\n", [b"..a", b"b", b"", b"c", b"."]),
        (b"a\r\n\n.b\r\n", [b"a", b"", b"..b", b"."]),
    ],
)
def test_lines_end_as_smtp_wants_and_dots_are_doubled(raw: bytes, arrived: list[bytes]) -> None:
    heard: list[bytes] = []
    script = smtp_script(heard=heard)
    with RogueServer(script) as server, open_session(rogue_account(server)) as session:
        session.send(ADA, BOB, raw)
    start = heard.index(b"DATA") + 1
    assert heard[start : start + len(arrived)] == arrived


@pytest.mark.parametrize(
    ("script", "kind", "step", "words"),
    [
        (Peer.keep_silent, Unreachable, "connect", "in time"),
        (lambda peer: None, Unreachable, "connect", "closed the connection"),
        (lambda peer: peer.drip(b"2"), Unreachable, "connect", "in time"),
        (lambda peer: peer.flood(b"x" * 4096), MailServerError, "connect", ""),
        (smtp_script(greeting=b"554 go away\r\n"), Unreachable, "connect", "554 go away"),
        (smtp_script(greeting=b"421 busy\r\n"), Unreachable, "connect", "421 busy"),
        (smtp_script(greeting=b"* OK IMAP\r\n"), ProtocolViolation, "connect", "SMTP"),
        (smtp_script({"EHLO": b"421 x\r\n"}), Unreachable, "connect", ""),
        (smtp_script({"EHLO": b"502 x\r\n", "HELO": b"502 x\r\n"}), Unreachable, "connect", ""),
    ],
)
def test_a_connection_that_does_not_come_about_ends_in_time_and_words(
    script: Callable[[Peer], None], kind: type[MailServerError], step: str, words: str
) -> None:
    error = failure(script)
    assert isinstance(error, kind)
    assert error.step == step
    assert error.temporary
    assert words in str(error)


def test_a_server_that_knows_only_helo_is_served() -> None:
    with (
        RogueServer(smtp_script({"EHLO": b"502 what?\r\n"})) as server,
        open_session(rogue_account(server)) as session,
    ):
        assert session.send(ADA, BOB, MAIL).startswith("250")


@pytest.mark.parametrize(
    ("answers", "temporary", "hint"),
    [
        ({"AUTH": b"535 5.7.8 no: correct-horse\r\n"}, False, "SMTP Password"),
        ({"AUTH": b"454 4.7.0 later\r\n"}, True, "SMTP Password"),
        ({"AUTH": b"432 4.7.0 too many\r\n"}, True, "SMTP Password"),
        ({"AUTH": b"530 5.7.0 Must issue STARTTLS\r\n"}, False, "SMTP Enable STARTTLS"),
        ({"EHLO": b"250 rogue.test\r\n"}, False, "Leave SMTP User empty"),
        ({"EHLO": b"250-rogue.test\r\n250 AUTH NTLM\r\n"}, False, ""),
    ],
)
def test_a_login_that_fails_is_told_with_what_to_change(
    answers: dict[str, Answer], temporary: bool, hint: str
) -> None:
    error = failure(smtp_script(answers), user=ADA)
    assert isinstance(error, LoginRefused)
    assert error.temporary is temporary
    assert hint in error.hint


def test_a_login_in_two_steps_works_where_nothing_else_is_offered() -> None:
    heard: list[bytes] = []
    answers: dict[str, Answer] = {
        "AUTH": b"334 VXNlcm5hbWU6\r\n",
        "YWRHQGV4YW1WBGUUDGVZDA==": b"334 UGFzc3dvcmQ6\r\n",
        "Y29YCMVJDC1OB3JZZQ==": b"235 fine\r\n",
    }
    script = smtp_script(answers, extensions=[b"AUTH LOGIN"], heard=heard)
    with RogueServer(script) as server, open_session(rogue_account(server, user=ADA)):
        pass
    assert heard[1:4] == [b"AUTH LOGIN", b"YWRhQGV4YW1wbGUudGVzdA==", b"Y29ycmVjdC1ob3JzZQ=="]


def test_a_server_that_asks_for_what_it_was_given_with_the_login_is_told_again() -> None:
    heard: list[bytes] = []
    token = base64.b64encode(f"\0{ADA}\0correct-horse".encode())
    answers: dict[str, Answer] = {"AUTH": b"334 \r\n", token.decode().upper(): b"235 fine\r\n"}
    script = smtp_script(answers, extensions=[b"AUTH PLAIN"], heard=heard)
    with RogueServer(script) as server, open_session(rogue_account(server, user=ADA)):
        pass
    assert heard[1:3] == [b"AUTH PLAIN " + token, token]


def test_starttls_that_is_offered_and_refused_sends_nothing_in_clear() -> None:
    heard: list[bytes] = []
    script = smtp_script(
        {"STARTTLS": b"454 not now\r\n"}, extensions=[b"STARTTLS", b"AUTH PLAIN"], heard=heard
    )
    error = failure(script, user=ADA, starttls=True)
    assert isinstance(error, TlsFailed)
    assert error.step == "tls"
    assert not any(line.startswith(b"AUTH") for line in heard)


def test_answers_glued_to_the_one_before_tls_are_refused() -> None:
    script = smtp_script(
        {"STARTTLS": b"220 go on\r\n250-AUTH PLAIN\r\n250 X\r\n"}, extensions=[b"STARTTLS"]
    )
    error = failure(script, starttls=True)
    assert isinstance(error, ProtocolViolation)
    assert "in clear" in str(error)


def test_garbage_instead_of_tls_is_refused() -> None:
    def garbage(peer: Peer, _line: bytes) -> None:
        peer.send(b"220 go on\r\n")
        peer.drip(b"250 what?\r\n")

    error = failure(smtp_script({"STARTTLS": garbage}, extensions=[b"STARTTLS"]), starttls=True)
    assert isinstance(error, TlsFailed | ProtocolViolation)


def test_a_clear_connection_to_a_tls_port_says_which_box_to_tick(embedded: MailServer) -> None:
    endpoint = Endpoint(embedded.host, embedded.imaps_port, True, False, embedded.ca_pem)
    with (
        pytest.raises(TlsFailed) as caught,
        open_session(SmtpAccount(endpoint, "", ""), step_seconds=2),
    ):
        pass
    assert caught.value.hint == "This port speaks TLS from the first byte: tick SMTP SSL/TLS."


def test_the_whole_session_ends_by_its_own_deadline() -> None:
    started = time.monotonic()
    with (
        RogueServer(smtp_script({"RCPT": lambda peer, _: peer.drip(b"250-x\r\n")})) as server,
        pytest.raises(Unreachable, match="in time"),
        open_session(rogue_account(server), step_seconds=30, run_seconds=0.5) as session,
    ):
        session.send(ADA, BOB, MAIL)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("user", ["ada\x00root", "ada\r\nMAIL FROM:<>"])
def test_logins_with_control_characters_never_reach_the_server(user: str) -> None:
    heard: list[bytes] = []
    error = failure(smtp_script(heard=heard), user=user)
    assert isinstance(error, LoginRefused)
    assert "control character" in str(error)
    assert not any(line.startswith(b"AUTH") for line in heard)
