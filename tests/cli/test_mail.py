"""Replies and outbox from the command line."""

from __future__ import annotations

from flask import Flask

from flexmail.demo.mailserver import MailServer
from tests.cli.conftest import Flexmail, set_up
from tests.conftest import Cast
from tests.servers import PASSWORD as MAIL_PASSWORD

ASK = ("approvals", "request", "--title", "Deploy", "--approver", "bob@corp.test")
PROCESS = ("replies", "process")


def use(app: Flask, server: MailServer, **more: object) -> None:
    set_up(
        app,
        smtp_host_name="127.0.0.1",
        smtp_host_port=server.smtp_port,
        smtp_enable_starttls=False,
        smtp_from_address="ada@example.test",
        enable_email_approval=True,
        imap_host_name="127.0.0.1",
        imap_host_port=server.imap_port,
        imap_enable_starttls=False,
        imap_user="ada@example.test",
        imap_password=MAIL_PASSWORD,
        **more,
    )


def junk(number: int) -> bytes:
    return (
        f"From: Charlie <charlie@evil.test>\r\nTo: ada@example.test\r\nSubject: junk {number}\r\n"
        f"Message-ID: <{number}@evil.test>\r\n\r\nApprove\r\n"
    ).encode()


def test_with_approval_off_nothing_is_touched_and_it_says_so(
    app: Flask, flexmail: Flexmail, embedded: MailServer
) -> None:
    embedded.deliver("ada@example.test", junk(1))
    use(app, embedded)
    set_up(app, enable_email_approval=False)
    said = flexmail(*PROCESS)
    assert (said.code, said.out) == (0, "")
    assert "off" in said.err
    assert flexmail(*PROCESS, "--json").json["error"]
    assert len(embedded.mailbox("ada@example.test")) == 1


def test_what_became_of_each_mail_is_printed(
    app: Flask, flexmail: Flexmail, embedded: MailServer
) -> None:
    use(app, embedded, email_reply_process_count=2)
    assert flexmail(*PROCESS).out == "Processed 0, 0 left in the folder.\n"
    for number in range(3):
        embedded.deliver("ada@example.test", junk(number))
    said = flexmail(*PROCESS, "--json")
    run = said.json
    assert said.code == 0
    assert list(run) == [
        *("at", "looked_at", "left", "held", "by_outcome", "replies", "seconds", "error"),
    ]
    assert (run["looked_at"], run["left"]) == (2, 1)
    assert run["by_outcome"] == {"unknown_reference": 2}
    assert run["error"] == ""
    reply = run["replies"][0]
    assert list(reply) == [
        *("id", "outcome", "reason", "approval_id", "from", "subject", "message_id"),
    ]
    assert (reply["outcome"], reply["approval_id"]) == ("unknown_reference", None)
    assert reply["from"] == "Charlie <charlie@evil.test>"
    text = flexmail(*PROCESS).out
    assert "junk 2" in text
    assert "Processed 1, 0 left" in text


def test_a_server_that_is_away_is_a_failure(
    app: Flask, flexmail: Flexmail, embedded: MailServer
) -> None:
    use(app, embedded)
    set_up(app, imap_host_port=1, imap_password=MAIL_PASSWORD)
    for args in (PROCESS, (*PROCESS, "--json")):
        said = flexmail(*args)
        assert said.code == 1
        assert said.err.count("\n") == 1


def test_mail_that_could_not_be_sent_waits_and_goes_when_asked(
    app: Flask, flexmail: Flexmail, cast: Cast, embedded: MailServer
) -> None:
    use(app, embedded)
    set_up(app, smtp_host_port=1)
    asked = flexmail(*ASK)
    assert asked.code == 0
    assert "waits in the outbox" in asked.err
    failed = flexmail("outbox", "send")
    assert failed.code == 1
    assert failed.err.count("\n") == 1
    (mail,) = flexmail("outbox", "list", "--json").json["items"]
    assert mail["state"] == "queued"
    set_up(app, smtp_host_port=embedded.smtp_port)
    sent = flexmail("outbox", "send", "--json")
    assert sent.code == 0, sent.err
    assert sent.json["sent"] + sent.json["failed"] + sent.json["deferred"] == 1
    assert flexmail("outbox", "list", "--state", "queued", "--json").json["items"] == []


def test_a_mail_can_be_queued_once_more_unless_it_went(
    app: Flask, flexmail: Flexmail, cast: Cast, mail_is_set_up: None
) -> None:
    flexmail(*ASK)
    retried = flexmail("outbox", "retry", "1", "--json")
    assert retried.json["state"] == "queued"
    assert "bob@corp.test" in flexmail("outbox", "retry", "1").out
    listed = flexmail("outbox", "list").out
    assert listed.count("\n") == 2
    assert "FM-" not in listed


def test_a_list_says_where_it_goes_on(flexmail: Flexmail, cast: Cast, mail_is_set_up: None) -> None:
    for _ in range(3):
        flexmail(*ASK)
    said = flexmail("outbox", "list", "--limit", "2")
    assert said.err == "There is more: --cursor 2\n"
    rest = flexmail("outbox", "list", "--limit", "2", "--cursor", "2", "--json").json
    assert [mail["id"] for mail in rest["items"]] == [1]


def test_the_tables_can_be_brought_up_to_date(flexmail: Flexmail) -> None:
    said = flexmail("db", "upgrade")
    assert said.code == 0
    assert "up to date" in said.out


def test_mail_that_was_there_before_is_held_back_until_it_is_confirmed(
    app: Flask, flexmail: Flexmail, embedded: MailServer
) -> None:
    embedded.deliver("ada@example.test", junk(1))
    use(app, embedded)
    said = flexmail(*PROCESS)
    assert said.code == 0
    assert "1 were there before flexmail" in said.out
    assert flexmail(*PROCESS, "--json").json["held"] == 1
    assert len(embedded.mailbox("ada@example.test")) == 1

    unseen = flexmail("settings", "set", "confirm_deletion=true", "email_reply_folder=Archive")
    assert unseen.code != 0
    assert "look at what is held back" in unseen.err
    confirmed = flexmail("settings", "set", "confirm_deletion=true", "--json")
    assert "1 mails that were held back" in " ".join(confirmed.json["notices"])
    assert "confirm_deletion" not in confirmed.json
    run = flexmail(*PROCESS, "--json").json
    assert (run["looked_at"], run["held"]) == (1, 0)
    again = flexmail("settings", "set", "confirm_deletion=true")
    assert "nothing to confirm" in again.out
