"""The reply folder on servers that lie, stall, flood and break off.

Every visit must end in time, with a cause in words, and must never remove or make up a mail.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from flexmail.errors import (
    FolderMissing,
    LoginRefused,
    MailServerError,
    ProtocolViolation,
    Refused,
    TlsFailed,
    Unreachable,
)
from flexmail.transport.imap import Fetched, Folder, ImapAccount, Listed, open_folder
from flexmail.transport.tls import Endpoint
from tests.rogue import Answer
from tests.servers import Peer, RogueServer, imap_script

ADA = "ada@example.test"
SECRET = 'top"s3cret\\word'
TOKEN = base64.b64encode(f"\0{ADA}\0{SECRET}".encode())
OPEN = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK [READ-WRITE] open\r\n"

MANY_BYTES = b'* LIST (99999999999999) "/" INBOX\r\nTAG OK done\r\n'

Script = Callable[[Peer], None]


def account(server: RogueServer, *, starttls: bool = False, user: str = ADA) -> ImapAccount:
    return ImapAccount(Endpoint(server.host, server.port, starttls, False), user, SECRET)


def visit(
    script: Script,
    work: Callable[[Folder], object] = lambda folder: None,
    *,
    starttls: bool = False,
    user: str = ADA,
    name: str = "INBOX",
) -> object:
    """Open the folder of a rogue with short deadlines and work on it."""
    with (
        RogueServer(script) as server,
        open_folder(
            account(server, starttls=starttls, user=user),
            name,
            step_seconds=0.4,
            run_seconds=1.2,
        ) as folder,
    ):
        return work(folder)


def failure(
    script: Script,
    work: Callable[[Folder], object] = lambda folder: None,
    *,
    starttls: bool = False,
    name: str = "INBOX",
) -> MailServerError:
    started = time.monotonic()
    with pytest.raises(MailServerError) as caught:
        visit(script, work, starttls=starttls, name=name)
    assert time.monotonic() - started < 4
    told = str(caught.value) + caught.value.hint
    assert SECRET not in told
    assert len(told) < 600
    assert told.isprintable()
    return caught.value


def read_all(folder: Folder) -> list[Fetched]:
    return list(folder.fetch(folder.oldest(30)))


def listing(*uids: int, size: int = 20) -> bytes:
    lines = (
        b"* %d FETCH (UID %d RFC822.SIZE %d FLAGS ())\r\n" % (at, uid, size)
        for at, uid in enumerate(uids, 1)
    )
    return b"".join(lines) + b"TAG OK done\r\n"


def body(seq: int, uid: int, raw: bytes) -> bytes:
    return b"* %d FETCH (UID %d RFC822.SIZE %d BODY[]<0> {%d}\r\n%s)\r\n" % (
        seq,
        uid,
        len(raw),
        len(raw),
        raw,
    )


def asked_uids(line: bytes) -> list[int]:
    uids: list[int] = []
    for part in line.split()[3].split(b","):
        low, _, high = part.partition(b":")
        uids += range(int(low), int(high or low) + 1)
    return uids


def mailbox(*uids: int, refused: tuple[int, ...] = (), code: bytes = b"") -> dict[str, Answer]:
    """Answers of a server that hands over these mails, but says NO where refused ones are asked."""

    def fetch(peer: Peer, line: bytes) -> None:
        asked = asked_uids(line)
        for uid in asked:
            if uid in uids and uid not in refused:
                peer.send(body(uids.index(uid) + 1, uid, b"mail %d" % uid))
        bad = any(uid in refused for uid in asked)
        peer.send(line.split()[0] + (b" NO " + code + b"broken\r\n" if bad else b" OK done\r\n"))

    return {"SELECT": OPEN % len(uids), "FETCH": listing(*uids), "UID FETCH": fetch}


def silent(peer: Peer, _line: bytes) -> None:
    peer.keep_silent()


def hang_up(peer: Peer, _line: bytes) -> None:
    peer.close()


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (Peer.keep_silent, Unreachable, "in time"),
        (lambda peer: None, Unreachable, "closed the connection"),
        (lambda peer: peer.drip(b"* OK"), Unreachable, "in time"),
        (lambda peer: peer.flood(b"x" * 4096), ProtocolViolation, ""),
        (imap_script(greeting=b"* BYE too many users\r\n"), Unreachable, "too many users"),
        (imap_script(greeting=b"220 mx.test ESMTP\r\n"), ProtocolViolation, "220 mx.test"),
        (imap_script(greeting=b"\x00\xff\x1b[2J\r\n"), ProtocolViolation, "IMAP"),
        (imap_script(greeting=b"* PREAUTH welcome\r\n"), ProtocolViolation, "PREAUTH"),
        (imap_script(capability=b"POP3"), Refused, ""),
        (imap_script({"CAPABILITY": silent}), Unreachable, "in time"),
        (imap_script({"CAPABILITY": hang_up}), Unreachable, "closed the connection"),
        (imap_script({"CAPABILITY": b"* BYE shutting down\r\n"}), Unreachable, "shutting down"),
        (imap_script({"CAPABILITY": b"nonsense\r\n"}), ProtocolViolation, "IMAP"),
        (
            imap_script({"CAPABILITY": lambda peer, _: peer.flood(b"* OK x\r\n" * 99)}),
            ProtocolViolation,
            "",
        ),
    ],
)
def test_a_connection_that_does_not_come_about_ends_in_time_and_words(
    script: Script, kind: type[MailServerError], words: str
) -> None:
    error = failure(script)
    assert type(error) is kind
    assert error.step == "connect"
    assert words in str(error)


@pytest.mark.parametrize("user", [ADA, ""])
def test_preauth_in_clear_is_refused_where_tls_or_a_login_is_due(user: str) -> None:
    script = imap_script(greeting=b"* PREAUTH welcome\r\n")
    with pytest.raises(ProtocolViolation, match="PREAUTH"):
        visit(script, user=user, starttls=True)


def test_preauth_is_taken_where_nobody_asked_for_more() -> None:
    script = imap_script(greeting=b"* PREAUTH welcome\r\n")
    assert visit(script, lambda folder: folder.exists, user="") == 1


@pytest.mark.parametrize(
    ("greeting", "asked"),
    [
        (b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n", 1),
        (b"* OK [CAPABILITY POP3] ready\r\n", 2),
        (b"* OK ready\r\n", 2),
    ],
)
def test_a_server_is_asked_for_no_more_than_it_told(greeting: bytes, asked: int) -> None:
    heard: list[bytes] = []
    able = b"IMAP4rev1 SASL-IR AUTH=PLAIN"
    visit(imap_script(greeting=greeting, capability=able, heard=heard))
    commands = [line.split()[1:] for line in heard]
    assert commands.count([b"CAPABILITY"]) == asked
    assert [b"AUTHENTICATE", b"PLAIN", TOKEN] in commands
    assert len(commands) == asked + 3  # and SELECT and LOGOUT


def test_a_server_that_asks_for_what_it_was_given_gets_it_again() -> None:
    heard: list[bytes] = []

    def ask(peer: Peer, line: bytes) -> None:
        peer.send(b"+ \r\n")
        heard.append(peer.line())
        peer.send(line.split()[0] + b" OK in\r\n")

    able = b"IMAP4rev1 SASL-IR AUTH=PLAIN"
    script = imap_script({"AUTHENTICATE": ask}, capability=able)
    assert visit(script, lambda folder: folder.exists) == 1
    assert heard == [TOKEN]


def test_a_code_in_the_greeting_makes_nobody_logged_in() -> None:
    heard: list[bytes] = []
    visit(imap_script(greeting=b"* OK [PREAUTH] welcome\r\n", heard=heard))
    assert any(b"LOGIN" in line for line in heard)


@pytest.mark.parametrize(
    ("answers", "capability", "kind", "words"),
    [
        ({"LOGIN": b'TAG NO bad top"s3cret\\word\r\n'}, b"", LoginRefused, "bad …"),
        ({"LOGIN": b'TAG BAD what? top"s3cret\\word\r\n'}, b"", LoginRefused, "what? …"),
        ({"LOGIN": b'TAG BAD "top\\"s3cret\\\\word"\r\n'}, b"", LoginRefused, '"…"'),
        ({"LOGIN": b"TAG NO [UNAVAILABLE] later\r\n"}, b"", Unreachable, "later"),
        ({"LOGIN": b"* BYE enough\r\n"}, b"", Unreachable, "enough"),
        ({"LOGIN": silent}, b"", Unreachable, "in time"),
        ({"LOGIN": hang_up}, b"", Unreachable, "closed"),
        ({}, b" LOGINDISABLED", LoginRefused, "takes no password"),
        (
            {"AUTHENTICATE": b"TAG NO [AUTHENTICATIONFAILED] no\r\n"},
            b" AUTH=PLAIN",
            LoginRefused,
            "",
        ),
        ({"AUTHENTICATE": b"TAG NO [LIMIT] no\r\n"}, b" AUTH=PLAIN", Unreachable, ""),
        (
            {"AUTHENTICATE": b"TAG NO [AUTHENTICATIONFAILED] bad " + TOKEN + b"\r\n"},
            b" AUTH=PLAIN SASL-IR",
            LoginRefused,
            "bad …",
        ),
        ({"AUTHENTICATE": lambda peer, _: peer.drip(b"+ \r\n")}, b" AUTH=PLAIN", Unreachable, ""),
    ],
)
def test_a_login_that_fails_is_told_apart_and_never_with_the_password(
    answers: dict[str, Answer], capability: bytes, kind: type[MailServerError], words: str
) -> None:
    error = failure(imap_script(answers, capability=b"IMAP4rev1" + capability))
    assert type(error) is kind
    assert error.step == "login"
    assert error.temporary is (kind is Unreachable)
    assert words in str(error)


def test_user_and_password_are_quoted_and_can_carry_no_command() -> None:
    heard: list[bytes] = []
    visit(imap_script(heard=heard))
    [login] = [line for line in heard if b"LOGIN" in line]
    assert login.split(b" ", 2)[2] == b'"ada@example.test" "top\\"s3cret\\\\word"'
    with pytest.raises(LoginRefused, match="control character"):
        visit(imap_script(), user="ada\r\nX DELETE INBOX")


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ({"SELECT": b"TAG NO gone\r\n"}, FolderMissing, "no folder INBOX"),
        ({"SELECT": b"TAG NO gone\r\n", "LIST": silent}, FolderMissing, "no folder INBOX"),
        ({"SELECT": b"TAG NO gone\r\n", "LIST": MANY_BYTES}, Refused, "gone"),
        (
            {"SELECT": b"TAG NO no rights\r\n", "LIST": b'* LIST () "/" INBOX\r\nTAG OK x\r\n'},
            Refused,
            "no rights",
        ),
        (
            {"SELECT": b"TAG NO gone\r\n", "LIST": b"* LIST 5 NIL x\r\nTAG OK x\r\n"},
            FolderMissing,
            "",
        ),
        ({"SELECT": b"TAG NO [INUSE] locked\r\n"}, Unreachable, "locked"),
        ({"SELECT": b"* 1 EXISTS\r\nTAG OK open\r\n"}, ProtocolViolation, "UIDVALIDITY"),
        (
            {"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY x] v\r\nTAG OK open\r\n"},
            ProtocolViolation,
            "IMAP",
        ),
        (
            {"SELECT": b"* OK [UIDVALIDITY 7] v\r\nTAG OK open\r\n"},
            ProtocolViolation,
            "UIDVALIDITY",
        ),
        (
            {"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\nTAG OK [READ-ONLY] x\r\n"},
            Refused,
            "only be read",
        ),
        (
            {"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 9223372036854775808] v\r\nTAG OK x\r\n"},
            ProtocolViolation,
            "UIDVALIDITY",
        ),
        ({"SELECT": silent}, Unreachable, "in time"),
    ],
)
def test_a_folder_that_does_not_open_is_told_apart(
    answers: dict[str, Answer], kind: type[MailServerError], words: str
) -> None:
    error = failure(imap_script(answers))
    assert type(error) is kind
    assert error.step == "folder"
    assert words in str(error)


@pytest.mark.parametrize(
    ("name", "shown"), [(b"R&D", "R&D"), (b"&AA", "&AA"), (b"Entw&APw-rfe", "Entwürfe")]
)
def test_a_folder_whose_name_is_badly_encoded_hides_no_other(name: bytes, shown: str) -> None:
    rows = b'* LIST () "/" "%s"\r\n* LIST () "/" Answers\r\nTAG OK done\r\n' % name
    error = failure(imap_script({"SELECT": b"TAG NO gone\r\n", "LIST": rows}), name="Replies")
    assert type(error) is FolderMissing
    assert error.hint == f"Folders that exist: {shown}, Answers."


@pytest.mark.parametrize(
    ("fetch", "kind"),
    [
        (silent, Unreachable),
        (hang_up, Unreachable),
        (lambda peer, _: peer.drip(b"* 1 EXISTS\r\n"), Unreachable),
        (lambda peer, _: peer.flood(b"* 1 FETCH (UID 1)\r\n" * 999), MailServerError),
        (lambda peer, _: peer.flood(b"x" * 65536), ProtocolViolation),
        (b"* 1 FETCH (UID 1 BODY[]<0> {400000000}\r\n", ProtocolViolation),
        (b"* 1 FETCH (UID 1 BODY[]<0> {" + b"9" * 5000 + b"}\r\n", ProtocolViolation),
        (b"* 1 FETCH (UID 1 BODY[]<0> {20}\r\ntorn", Unreachable),
        (b"* 1 FETCH " + b"(" * 100_000 + b"\r\nTAG OK x\r\n", ProtocolViolation),
        (b"* 1 FETCH (UID 1 BODY[]<0>)\r\nTAG OK x\r\n", ProtocolViolation),
        (b"* 1 FETCH UID\r\nTAG OK x\r\n", ProtocolViolation),
        (b"* 1 FETCH (UID 1 BODY[]<0> (a b))\r\nTAG OK x\r\n", ProtocolViolation),
        (b'* 1 FETCH (UID "\r\nTAG OK x\r\n', ProtocolViolation),
        (b"\x00\xff garbage\r\n", ProtocolViolation),
        (b"* BYE shutting down\r\n", Unreachable),
        (b"TAG BAD what?\r\n", Refused),
        (b"TAG NO [UNAVAILABLE] storage is down\r\n", Refused),
        (b"TAG NO not this one\r\n", Refused),
        (b"OTHER OK done\r\n", MailServerError),
    ],
)
def test_reading_from_a_hostile_server_ends_in_time_and_yields_nothing(
    fetch: Answer, kind: type[MailServerError]
) -> None:
    answers: dict[str, Answer] = {"FETCH": listing(1), "UID FETCH": fetch}
    assert isinstance(failure(imap_script(answers), read_all), kind)


def test_a_listing_may_hold_anything_and_only_sound_lines_count() -> None:
    lines = (
        b"* 1 FETCH (UID 7 RFC822.SIZE 10 FLAGS (\\Seen))\r\n"
        b"* 2 FETCH (FLAGS (\\Seen))\r\n"
        b"* 3 FETCH (UID 0 RFC822.SIZE 10 FLAGS ())\r\n"
        b"* 9 EXISTS\r\n* 2 EXPUNGE\r\n* VANISHED 3\r\n"
        b"* 2 FETCH (UID 5 RFC822.SIZE 10 FLAGS ())\r\n"
        b"* 1 FETCH (UID 7 RFC822.SIZE 10 FLAGS ())\r\n"
        b"TAG OK done\r\n"
    )

    def work(folder: Folder) -> None:
        assert [mail.uid for mail in folder.oldest(30)] == [5, 7]
        assert folder.exists == 8

    visit(imap_script({"SELECT": OPEN % 3, "FETCH": lines}), work)


def test_a_flag_may_look_like_a_number() -> None:
    line = b"* 1 FETCH (UID 5 RFC822.SIZE 9 FLAGS (99999999999999 \\Seen) MODSEQ (1))\r\n"
    listed = visit(
        imap_script({"SELECT": OPEN % 1, "FETCH": line + b"TAG OK done\r\n"}),
        lambda folder: folder.oldest(1),
    )
    assert listed == [Listed(5, 9, frozenset({"99999999999999", "\\Seen"}))]


def test_mails_are_told_apart_by_uid_while_their_numbers_shift() -> None:
    shifting = (
        body(1, 10, b"ten")
        + b"* 1 EXPUNGE\r\n* 5 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"
        + body(1, 11, b"eleven")
        + body(2, 99, b"nobody asked")
        + b"TAG OK done\r\n"
    )
    answers: dict[str, Answer] = {
        "SELECT": OPEN % 3,
        "FETCH": listing(10, 11, 12),
        "UID FETCH": shifting,
    }
    fetched = visit(imap_script(answers), lambda folder: list(folder.fetch([10, 11, 12])))
    assert isinstance(fetched, list)
    assert [(mail.uid, mail.raw) for mail in fetched] == [(10, b"ten"), (11, b"eleven")]


def test_a_mail_in_seven_byte_segments_arrives_whole() -> None:
    answers = mailbox(1)
    answers["UID FETCH"] = lambda peer, line: peer.send_slowly(
        body(1, 1, b"x" * 5000) + line.split()[0] + b" OK done\r\n"
    )
    fetched = visit(imap_script(answers), read_all)
    assert fetched == [Fetched(1, b"x" * 5000, 5000)]


def test_a_slow_line_yields_what_it_can_before_its_time_is_over() -> None:
    def fetch(peer: Peer, line: bytes) -> None:
        for uid in asked_uids(line):
            peer.send_slowly(body(uid, uid, b"x" * 500), size=50, every_seconds=0.01)
        peer.send(line.split()[0] + b" OK done\r\n")

    uids = range(1, 101)
    answers: dict[str, Answer] = {
        "SELECT": OPEN % 100,
        "FETCH": listing(*uids, size=500),
        "UID FETCH": fetch,
    }
    read: list[int] = []

    def work(folder: Folder) -> None:
        for mail in folder.fetch(folder.oldest(100)):
            read.append(mail.uid)

    failure(imap_script(answers), work)
    assert 3 <= len(read) < 100
    assert read == list(uids)[: len(read)]


def test_one_mail_that_is_always_refused_holds_back_no_other() -> None:
    def work(folder: Folder) -> None:
        assert [mail.uid for mail in read_all(folder)] == [1, 2, 4, 5]
        assert folder.unreadable == {3: "broken"}

    visit(imap_script(mailbox(1, 2, 3, 4, 5, refused=(3,))), work)


def test_the_first_mail_being_refused_holds_back_no_other() -> None:
    def work(folder: Folder) -> None:
        assert [mail.uid for mail in read_all(folder)] == [2, 3]
        assert list(folder.unreadable) == [1]

    visit(imap_script(mailbox(1, 2, 3, refused=(1,))), work)


def test_a_server_that_refuses_every_mail_is_an_error_and_no_mail_is_blamed() -> None:
    error = failure(imap_script(mailbox(*range(1, 9), refused=tuple(range(1, 9)))), read_all)
    assert isinstance(error, Refused)
    assert error.temporary


def test_mails_that_were_expunged_meanwhile_are_not_called_unreadable() -> None:
    def work(folder: Folder) -> None:
        assert [mail.uid for mail in read_all(folder)] == [1, 3]
        assert folder.unreadable == {}

    visit(imap_script(mailbox(1, 2, 3, refused=(2,), code=b"[EXPUNGEISSUED] ")), work)


def test_an_empty_answer_for_a_mail_that_is_not_empty_is_no_mail() -> None:
    answers = mailbox(1, 2)

    def fetch(peer: Peer, line: bytes) -> None:
        for uid in asked_uids(line):
            raw = b'""' if uid == 1 else b"NIL"
            peer.send(b"* %d FETCH (UID %d RFC822.SIZE 20 BODY[]<0> %s)\r\n" % (uid, uid, raw))
        peer.send(line.split()[0] + b" OK done\r\n")

    def work(folder: Folder) -> None:
        assert read_all(folder) == []
        assert list(folder.unreadable) == [1]

    visit(imap_script(answers | {"UID FETCH": fetch}), work)


def test_more_than_was_asked_for_is_cut_off() -> None:
    answers = mailbox(1) | {"UID FETCH": body(1, 1, b"x" * 5000) + b"TAG OK done\r\n"}
    fetched = visit(imap_script(answers), lambda folder: list(folder.fetch([1], max_bytes=100)))
    assert fetched == [Fetched(1, b"x" * 100, 5000)]


def test_a_mail_is_no_larger_than_the_database_can_hold() -> None:
    huge = b"* 1 FETCH (UID 1 RFC822.SIZE 4294967295 BODY[]<0> {5}\r\nwhole)\r\nTAG OK done\r\n"
    answers = mailbox(1) | {"UID FETCH": huge}
    fetched = visit(imap_script(answers), lambda folder: list(folder.fetch([1], max_bytes=5)))
    assert fetched == [Fetched(1, b"whole", (1 << 31) - 1)]


def test_a_stated_size_that_is_wrong_makes_no_mail_partial() -> None:
    answer = b"* 1 FETCH (UID 1 RFC822.SIZE 999 BODY[]<0> {5}\r\nwhole)\r\nTAG OK done\r\n"
    fetched = visit(imap_script(mailbox(1) | {"UID FETCH": answer}), read_all)
    assert fetched == [Fetched(1, b"whole", 5)]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"UID STORE": b"TAG NO not yours\r\n"}, Refused),
        ({"UID STORE": hang_up}, Unreachable),
        ({"UID STORE": silent}, Unreachable),
        ({"UID EXPUNGE": b"TAG NO not yours\r\n"}, Refused),
        ({"UID EXPUNGE": hang_up}, Unreachable),
        ({"UID EXPUNGE": b"* BYE enough\r\n"}, Unreachable),
        ({"UID SEARCH": hang_up}, Unreachable),
        ({"UID SEARCH": b"* SEARCH 1 x\r\nTAG OK done\r\n"}, ProtocolViolation),
    ],
)
def test_a_removal_that_fails_is_an_error_and_never_silence(
    answers: dict[str, Answer], kind: type[MailServerError]
) -> None:
    error = failure(imap_script(answers), lambda folder: folder.delete([1]))
    assert type(error) is kind
    assert error.temporary


def test_mails_that_the_server_keeps_all_the_same_are_named() -> None:
    answers: dict[str, Answer] = {"UID SEARCH": b"* SEARCH 1 5\r\nTAG OK done\r\n"}
    kept = visit(imap_script(answers), lambda folder: folder.delete([1, 2, 3]))
    assert kept == frozenset({1})


def test_without_uidplus_marks_that_others_set_meanwhile_stop_the_removal() -> None:
    heard: list[bytes] = []
    searches = iter([b"* SEARCH\r\n", b"* SEARCH 1 2 3\r\n"])

    def search(peer: Peer, line: bytes) -> None:
        peer.send(next(searches) + line.split()[0] + b" OK done\r\n")

    script = imap_script({"UID SEARCH": search}, capability=b"IMAP4rev1", heard=heard)
    error = failure(script, lambda folder: folder.delete([1, 2]))
    assert isinstance(error, Refused)
    commands = [b" ".join(line.split()[1:]) for line in heard]
    assert b"UID STORE 1:2 +FLAGS.SILENT (\\Deleted)" in commands
    assert b"UID STORE 1:2 -FLAGS.SILENT (\\Deleted)" in commands
    assert b"EXPUNGE" not in commands


def test_many_mails_are_named_in_short_commands() -> None:
    heard: list[bytes] = []
    uids = range(1_000_000_001, 1_000_004_001, 2)
    visit(imap_script(heard=heard), lambda folder: folder.delete(uids))
    assert max(len(line) for line in heard) < 4000
    expunged = [uid for line in heard if b"UID EXPUNGE" in line for uid in asked_uids(line)]
    assert expunged == list(uids)


def test_starttls_that_is_offered_and_refused_sends_nothing_in_clear() -> None:
    heard: list[bytes] = []
    script = imap_script(
        {"STARTTLS": b"TAG NO not now\r\n"}, capability=b"IMAP4rev1 STARTTLS", heard=heard
    )
    error = failure(script, starttls=True)
    assert isinstance(error, TlsFailed)
    assert error.step == "tls"
    assert not any(b"LOGIN" in line for line in heard)


def test_answers_glued_to_the_one_before_tls_are_refused() -> None:
    script = imap_script(
        {"STARTTLS": b"TAG OK go on\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"},
        capability=b"IMAP4rev1 STARTTLS",
    )
    error = failure(script, starttls=True)
    assert isinstance(error, ProtocolViolation)
    assert "in clear" in str(error)


def test_a_server_that_never_says_goodbye_is_left_in_time() -> None:
    started = time.monotonic()
    visit(imap_script({"LOGOUT": silent}))
    assert time.monotonic() - started < 2


def test_without_uidplus_nothing_is_marked_while_others_have_marked_mails() -> None:
    heard: list[bytes] = []
    answers: dict[str, Answer] = {"UID SEARCH": b"* SEARCH 9\r\nTAG OK done\r\n"}
    script = imap_script(answers, capability=b"IMAP4rev1", heard=heard)
    assert isinstance(failure(script, lambda folder: folder.delete([1, 2])), Refused)
    assert not any(b"STORE" in line or b"EXPUNGE" in line for line in heard)


def test_a_mail_whose_headers_are_refused_hides_no_other() -> None:
    def fetch(peer: Peer, line: bytes) -> None:
        if b"HEADER" in line:
            head = b"Subject: yes\r\n\r\n"
            item = b"BODY[HEADER.FIELDS (SUBJECT)]<0>"
            peer.send(b"* 1 FETCH (UID 5 %s {%d}\r\n%s)\r\n" % (item, len(head), head))
            peer.send(line.split()[0] + b" NO [SERVERBUG] broken\r\n")
        else:
            peer.send(b"* 1 FETCH (UID 5)\r\n* 2 FETCH (UID 7)\r\n")
            peer.send(line.split()[0] + b" OK done\r\n")

    def work(folder: Folder) -> None:
        heads = folder.headers(1, 2, ("SUBJECT",))
        assert heads == {5: b"Subject: yes\r\n\r\n", 7: b""}

    visit(imap_script({"SELECT": OPEN % 2, "FETCH": fetch}), work)


def test_headers_stay_known_while_another_client_marks_the_mail() -> None:
    head = b"Subject: yes\r\n\r\n"
    item = b"BODY[HEADER.FIELDS (SUBJECT)]<0>"
    answer = b"* 1 FETCH (UID 5 %s {%d}\r\n%s)\r\n" % (item, len(head), head)
    told = b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\nTAG OK done\r\n"

    def work(folder: Folder) -> None:
        assert folder.headers(1, 1, ("SUBJECT",)) == {5: head}

    visit(imap_script({"SELECT": OPEN % 1, "FETCH": answer + told}), work)


def test_a_server_that_answers_for_no_place_ends_the_search() -> None:
    def work(folder: Folder) -> None:
        with pytest.raises(Refused, match="which mails are where"):
            folder.position_of(70, 3)

    visit(imap_script({"SELECT": OPEN % 90, "FETCH": b"TAG OK done\r\n"}), work)


def test_of_headers_no_more_is_taken_than_was_asked_for() -> None:
    head = b"Subject: " + b"x" * 50_000 + b"\r\n\r\n"
    item = b"BODY[HEADER.FIELDS (SUBJECT)]"
    answer = b"* 1 FETCH (UID 5 %s {%d}\r\n%s)\r\nTAG OK done\r\n" % (item, len(head), head)

    def work(folder: Folder) -> None:
        assert len(folder.headers(1, 1, ("SUBJECT",))[5]) == 8 << 10

    visit(imap_script({"SELECT": OPEN % 1, "FETCH": answer}), work)
