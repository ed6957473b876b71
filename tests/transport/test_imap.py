"""The reply folder on the embedded server and on Dovecot, as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from flexmail.demo.mailserver import MailServer
from flexmail.errors import FolderMissing, LoginRefused, Refused, TlsFailed
from flexmail.transport.imap import STEPS, Fetched, ImapAccount, open_folder
from flexmail.transport.tls import Endpoint
from flexmail.transport.trace import Trace
from tests.fixtures_servers import need
from tests.servers import PASSWORD, Dovecot

ADA = "ada@example.test"
ACCENTS = "Genehmigungen/été"
NewAddress = Callable[[], str]

on_dovecot = pytest.mark.dovecot


def mail(number: int, *, body: bytes = b"Approve\r\n") -> bytes:
    return b"Subject: Re: Deploy %d\r\nMessage-ID: <%d@x.test>\r\n\r\n%s" % (number, number, body)


def embedded_account(
    server: MailServer, *, implicit: bool = False, starttls: bool = True
) -> ImapAccount:
    port = server.imaps_port if implicit else server.imap_port
    return ImapAccount(
        Endpoint(server.host, port, starttls, implicit, server.ca_pem), ADA, PASSWORD
    )


def dovecot_account(
    server: Dovecot,
    user: str,
    *,
    implicit: bool = False,
    starttls: bool = True,
    password: str = PASSWORD,
) -> ImapAccount:
    port = server.imaps_port if implicit else server.imap_port
    return ImapAccount(
        Endpoint(server.host, port, starttls, implicit, server.ca_pem), user, password
    )


@pytest.fixture(scope="module")
def without_uidplus() -> Iterator[Dovecot]:
    """Dovecot on mdbox that does not admit to UIDPLUS."""
    need("dovecot", "dovecot-imapd")
    with Dovecot(storage="mdbox", capability="IMAP4rev1 IDLE") as server:
        yield server


@pytest.mark.parametrize(
    ("implicit", "starttls", "said", "encrypted"),
    [
        (False, True, "STARTTLS", True),
        (True, True, "TLS from the first byte", True),
        (False, False, "not asked for", False),
    ],
)
def test_the_folder_opens_in_five_steps(
    embedded: MailServer, implicit: bool, starttls: bool, said: str, encrypted: bool
) -> None:
    embedded.deliver(ADA, mail(1))
    trace = Trace(STEPS)
    account = embedded_account(embedded, implicit=implicit, starttls=starttls)
    with open_folder(account, "INBOX", trace=trace) as folder:
        assert folder.encrypted is encrypted
        assert folder.exists == 1
        assert folder.uidvalidity > 0
    assert [(step.name, step.ok) for step in trace.steps] == [(name, True) for name in STEPS]
    assert [step.detail for step in trace.steps[2:]] == [said, "logged in", "1 mail in it"]


def test_an_empty_folder_lists_and_fetches_nothing(embedded: MailServer) -> None:
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        assert folder.oldest(30) == []
        assert list(folder.fetch([])) == []
        assert folder.some([]) == []
        assert folder.delete([]) == frozenset()


def test_the_oldest_come_first_and_no_more_than_asked(embedded: MailServer) -> None:
    for number in range(5):
        embedded.deliver(ADA, mail(number))
    uids = [uid for uid, _ in embedded.mailbox(ADA)]
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        assert [listed.uid for listed in folder.oldest(3)] == uids[:3]
        assert [listed.uid for listed in folder.oldest(3, skip=3)] == uids[3:]
        assert folder.oldest(3, skip=5) == []
        assert [listed.size for listed in folder.oldest(1)] == [len(mail(0))]


def test_mails_come_whole_in_the_order_asked_for_and_stay_unread(embedded: MailServer) -> None:
    for number in range(40):
        embedded.deliver(ADA, mail(number))
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        listed = folder.oldest(100)[::-1]
        fetched = list(folder.fetch(listed))
        assert fetched == [
            Fetched(mail_.uid, mail(39 - at), mail_.size) for at, mail_ in enumerate(listed)
        ]
        assert not any(mail_.partial for mail_ in fetched)
        assert not any("\\Seen" in mail_.flags for mail_ in folder.oldest(100))


def test_of_a_large_mail_only_the_beginning_is_fetched(embedded: MailServer) -> None:
    large = mail(1, body=b"x" * 5000)
    embedded.deliver(ADA, large)
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        [fetched] = folder.fetch(folder.oldest(1), max_bytes=1000)
    assert fetched.raw == large[:1000]
    assert (fetched.size, fetched.partial) == (len(large), True)


def test_headers_of_many_mails_are_read_without_their_bodies(embedded: MailServer) -> None:
    embedded.deliver(ADA, b"Subject: [FM #1]\r\nIn-Reply-To: <a@x>\r\nFrom: b\r\n\r\nno\r\n")
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        listed = folder.oldest(10)
        headers = folder.headers(1, 1, ("SUBJECT", "IN-REPLY-TO", "REFERENCES"))
    [raw] = headers.values()
    assert list(headers) == [listed[0].uid]
    assert b"[FM #1]" in raw
    assert b"<a@x>" in raw
    assert b"From" not in raw


def test_exactly_the_named_mails_are_removed(embedded: MailServer) -> None:
    for number in range(4):
        embedded.deliver(ADA, mail(number))
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        first, second, third, fourth = (listed.uid for listed in folder.oldest(10))
        assert folder.delete([first, third]) == frozenset()
        assert folder.exists == 2
    assert [uid for uid, _ in embedded.mailbox(ADA)] == [second, fourth]


def test_a_mail_can_be_put_back_and_found_by_a_header(embedded: MailServer) -> None:
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        folder.append(mail(1))
        folder.append(mail(2))
        [uid] = folder.find_header("Message-ID", "<2@x.test>")
        assert folder.find_header("Message-ID", "<3@x.test>") == []
        [fetched] = folder.fetch([uid])
    assert fetched.raw == mail(2)


@pytest.mark.parametrize("value", ["a\r\nX LOGOUT", "é", "\x00"])
def test_a_search_takes_nothing_that_could_be_a_command(embedded: MailServer, value: str) -> None:
    with (
        open_folder(embedded_account(embedded), "INBOX") as folder,
        pytest.raises(ValueError, match="ASCII"),
    ):
        folder.find_header("Subject", value)


@pytest.mark.parametrize("name", ["INBOX\r\nX DELETE INBOX", "a\x00b", "", "tab\t"])
def test_folder_names_with_control_characters_are_refused(embedded: MailServer, name: str) -> None:
    with (
        pytest.raises(FolderMissing) as caught,
        open_folder(embedded_account(embedded), name),
    ):
        pass
    assert caught.value.step == "folder"


def test_an_account_shows_no_password(embedded: MailServer) -> None:
    assert PASSWORD not in repr(embedded_account(embedded))


def test_a_clear_connection_to_a_tls_port_says_which_box_to_tick(embedded: MailServer) -> None:
    endpoint = Endpoint(embedded.host, embedded.imaps_port, True, False, embedded.ca_pem)
    account = ImapAccount(endpoint, ADA, PASSWORD)
    with pytest.raises(TlsFailed) as caught, open_folder(account, "INBOX", step_seconds=2):
        pass
    assert caught.value.step == "connect"
    assert caught.value.hint == "This port speaks TLS from the first byte: tick IMAP SSL/TLS."


def test_tls_to_a_clear_port_says_which_boxes_to_change(embedded: MailServer) -> None:
    endpoint = Endpoint(embedded.host, embedded.imap_port, True, True, embedded.ca_pem)
    account = ImapAccount(endpoint, ADA, PASSWORD)
    with pytest.raises(TlsFailed) as caught, open_folder(account, "INBOX"):
        pass
    assert "untick IMAP SSL/TLS and tick IMAP Enable STARTTLS" in caught.value.hint


@on_dovecot
@pytest.mark.parametrize("implicit", [False, True])
def test_dovecot_is_read_and_emptied_over_tls(
    dovecot: Dovecot, new_address: NewAddress, implicit: bool
) -> None:
    user = new_address()
    dovecot.deliver(user, *(mail(number) for number in range(3)))
    with open_folder(dovecot_account(dovecot, user, implicit=implicit), "INBOX") as folder:
        assert folder.encrypted
        assert folder.exists == 3
        listed = folder.oldest(30)
        fetched = list(folder.fetch(listed))
        assert [mail_.raw.endswith(mail(at)) for at, mail_ in enumerate(fetched)] == [True] * 3
        assert [mail_.size for mail_ in fetched] == [mail_.size for mail_ in listed]
        assert not any("\\Seen" in mail_.flags for mail_ in folder.oldest(30))
        assert folder.delete([mail_.uid for mail_ in listed]) == frozenset()
        assert folder.exists == 0


@on_dovecot
def test_dovecot_refuses_a_login_before_tls_and_the_box_is_named(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    account = dovecot_account(dovecot, new_address(), starttls=False)
    with pytest.raises(LoginRefused) as caught, open_folder(account, "INBOX"):
        pass
    assert "IMAP Enable STARTTLS" in caught.value.hint


@on_dovecot
def test_dovecot_refuses_a_wrong_password(dovecot: Dovecot, new_address: NewAddress) -> None:
    account = dovecot_account(dovecot, new_address(), password='wr"ong\\secret')
    with pytest.raises(LoginRefused) as caught, open_folder(account, "INBOX"):
        pass
    error = caught.value
    assert (error.step, error.temporary) == ("login", False)
    assert "IMAP Password" in error.hint
    assert "ong" not in str(error)


@on_dovecot
def test_dovecot_with_an_unknown_authority_is_refused(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    endpoint = Endpoint(dovecot.host, dovecot.imap_port, True, False)
    account = ImapAccount(endpoint, new_address(), PASSWORD)
    with pytest.raises(TlsFailed) as caught, open_folder(account, "INBOX"):
        pass
    assert "Extra CA certificates" in caught.value.hint


@on_dovecot
def test_a_missing_folder_is_told_with_those_that_exist(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    with dovecot.client(user) as other:
        other.create_folder(ACCENTS)
    with (
        pytest.raises(FolderMissing) as caught,
        open_folder(dovecot_account(dovecot, user), "Approvals"),
    ):
        pass
    error = caught.value
    assert (error.step, error.temporary) == ("folder", False)
    assert "Approvals" in str(error)
    assert ACCENTS in error.hint
    assert "INBOX" in error.hint
    with dovecot.client(user) as other:
        assert not other.folder_exists("Approvals")


@on_dovecot
def test_a_folder_with_an_accented_name_works_like_any_other(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    with dovecot.client(user) as other:
        other.create_folder(ACCENTS)
        other.append(ACCENTS, mail(1))
        other.append("INBOX", mail(2))
    with open_folder(dovecot_account(dovecot, user), ACCENTS) as folder:
        folder.append(mail(3))
        listed = folder.oldest(10)
        assert [mail_.raw for mail_ in folder.fetch(listed)] == [mail(1), mail(3)]
        assert folder.delete([listed[0].uid]) == frozenset()
        assert folder.exists == 1
    with dovecot.client(user) as other:
        assert other.folder_status("INBOX")[b"MESSAGES"] == 1


@on_dovecot
def test_reading_only_changes_nothing(dovecot: Dovecot, new_address: NewAddress) -> None:
    user = new_address()
    dovecot.deliver(user, mail(1))
    with open_folder(dovecot_account(dovecot, user), "INBOX", readonly=True) as folder:
        [fetched] = folder.fetch(folder.oldest(1))
        with pytest.raises(Refused, match="reading only"):
            folder.delete([fetched.uid])
    with dovecot.client(user) as other:
        other.select_folder("INBOX", readonly=True)
        [flags] = other.get_flags([1]).values()
    assert b"\\Seen" not in flags
    assert b"\\Deleted" not in flags


@on_dovecot
def test_mails_that_others_marked_deleted_stay(dovecot: Dovecot, new_address: NewAddress) -> None:
    user = new_address()
    dovecot.deliver(user, *(mail(number) for number in range(3)))
    with dovecot.client(user) as other:
        other.select_folder("INBOX")
        other.delete_messages([2])
        with open_folder(dovecot_account(dovecot, user), "INBOX") as folder:
            assert folder.delete([1]) == frozenset()
        other.noop()
        assert other.search() == [2, 3]
        assert b"\\Deleted" in other.get_flags([2])[2]
        assert b"\\Deleted" not in other.get_flags([3])[3]


@on_dovecot
def test_a_mail_that_another_client_removes_meanwhile_is_simply_absent(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    dovecot.deliver(user, *(mail(number) for number in range(4)))
    with open_folder(dovecot_account(dovecot, user), "INBOX") as folder:
        listed = folder.oldest(30)
        with dovecot.client(user) as other:
            other.select_folder("INBOX")
            other.delete_messages([1, 3])
            other.uid_expunge([1, 3])
        assert [mail_.uid for mail_ in folder.fetch(listed)] == [2, 4]
        assert folder.unreadable == {}
        assert folder.delete([1, 2, 3]) == frozenset()
        assert [mail_.uid for mail_ in folder.oldest(30)] == [4]


@on_dovecot
def test_mail_that_comes_in_meanwhile_waits_for_the_next_look(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    dovecot.deliver(user, mail(1))
    with open_folder(dovecot_account(dovecot, user), "INBOX") as folder:
        listed = folder.oldest(30)
        dovecot.deliver(user, mail(2))
        assert folder.delete([mail_.uid for mail_ in listed]) == frozenset()
        assert [mail_.uid for mail_ in folder.oldest(30)] == [2]


@on_dovecot
def test_without_uidplus_the_mails_are_removed_when_all_that_is_marked_is_ours(
    without_uidplus: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    without_uidplus.deliver(user, *(mail(number) for number in range(3)))
    with open_folder(dovecot_account(without_uidplus, user), "INBOX") as folder:
        assert folder.delete([1, 3]) == frozenset()
        assert [mail_.uid for mail_ in folder.oldest(30)] == [2]


@on_dovecot
def test_without_uidplus_nothing_is_removed_while_others_have_marked_mails(
    without_uidplus: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    without_uidplus.deliver(user, *(mail(number) for number in range(3)))
    with without_uidplus.client(user) as other:
        other.select_folder("INBOX")
        other.delete_messages([2])
        with (
            open_folder(dovecot_account(without_uidplus, user), "INBOX") as folder,
            pytest.raises(Refused, match="1 other mail") as caught,
        ):
            folder.delete([1])
        assert caught.value.temporary
        other.noop()
        assert other.search() == [1, 2, 3]
        assert b"\\Deleted" not in other.get_flags([1])[1]


@on_dovecot
def test_a_thousand_mails_are_listed_and_removed_in_few_commands(
    dovecot: Dovecot, new_address: NewAddress
) -> None:
    user = new_address()
    with dovecot.client(user) as other:
        other.multiappend("INBOX", [mail(number) for number in range(1000)])
    with open_folder(dovecot_account(dovecot, user), "INBOX") as folder:
        listed = folder.oldest(2000)
        assert len(listed) == 1000
        assert len(folder.headers(1, 1000, ("SUBJECT",))) == 1000
        every_other = [mail_.uid for mail_ in listed[::2]]
        assert folder.delete(every_other) == frozenset()
        assert folder.exists == 500


@on_dovecot
@pytest.mark.parametrize("implicit", [False, True])
def test_dovecot_tells_of_new_mail_while_the_folder_is_watched(
    dovecot: Dovecot, new_address: NewAddress, implicit: bool
) -> None:
    user = new_address()
    account = dovecot_account(dovecot, user, implicit=implicit)
    dovecot.deliver(user, mail(1))
    asked: list[bool] = []

    def deliver_once() -> bool:
        if not asked:
            dovecot.deliver(user, mail(2))
        asked.append(True)
        return len(asked) < 20

    with open_folder(account, "INBOX", readonly=True) as folder:
        assert folder.can_idle
        with open_folder(account, "INBOX") as other:
            other.delete([listed.uid for listed in other.oldest(5)])
        assert folder.idle(deliver_once)
        assert folder.exists == 1
        assert not folder.idle(lambda: False)
    assert len(asked) < 20


def test_the_place_of_a_uid_is_found_from_any_hint(embedded: MailServer) -> None:
    for number in range(60):
        embedded.deliver(ADA, mail(number))
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        uids = [listed.uid for listed in folder.oldest(60)]
        folder.delete(uids[::3])
        left = [uid for uid in uids if uid not in uids[::3]]
        for uid in (0, *uids, uids[-1] + 5):
            right = sum(one <= uid for one in left)
            for hint in (right, right + 1, 0, 60, 1000):
                assert folder.position_of(uid, hint) == right


def test_the_folder_tells_which_uids_are_still_to_come(embedded: MailServer) -> None:
    embedded.deliver(ADA, mail(1))
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        before, uidnext = folder.oldest(1)[0].uid, folder.uidnext
    embedded.deliver(ADA, mail(2))
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        assert before < uidnext <= folder.oldest(1, skip=1)[0].uid


def test_named_mails_are_listed_and_those_that_vanished_are_absent(embedded: MailServer) -> None:
    for number in range(3):
        embedded.deliver(ADA, mail(number))
    with open_folder(embedded_account(embedded), "INBOX") as folder:
        all_ = folder.oldest(3)
        folder.delete([all_[1].uid])
        assert folder.some([mail_.uid for mail_ in all_]) == [all_[0], all_[2]]
