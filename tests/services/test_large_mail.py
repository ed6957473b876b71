"""Mail with more in it than is read: only where no text can follow does what was read decide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from flexmail.db import db
from flexmail.mail.sizes import HEAD_BYTES, MAX_BYTES
from flexmail.models import Reply
from flexmail.services import answers, explaining, inbox, kept_mail, undo
from flexmail.services.reply_run import text_is_behind
from tests.conftest import NOW
from tests.fixtures_servers import need
from tests.servers import PASSWORD, Dovecot
from tests.services.stage import Asked, ask, reply, set_up

USER = "approvals@example.test"
TEXT = "Content-Type: text/plain\r\n\r\n"
HTML = "Content-Type: text/html\r\n\r\n"
PICTURE = (
    'Content-Type: image/jpeg; name="a.jpg"\r\nContent-Disposition: inline; filename="a.jpg"\r\n'
)
ATTACHED = 'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
BASE64 = "Content-Transfer-Encoding: base64\r\n\r\n"
BUT = f"{TEXT}But not before Monday."
LATE = f"{TEXT}No, I reject."


def filled(size: int) -> str:
    line = "QUJD" * 19 + "\r\n"
    return (line * (size // len(line) + 1))[:size].rstrip()


def made_of(*parts: str, asked: Asked | None = None) -> bytes:
    request = asked or ask(now=NOW)
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--"
    kind = "Content-Type: multipart/mixed; boundary=b"
    return reply(request, headers=(kind, "MIME-Version: 1.0"), body=body)


def picture(size: int) -> str:
    return PICTURE + BASE64 + filled(size)


def attached(size: int) -> str:
    return ATTACHED + BASE64 + filled(size)


@pytest.fixture(scope="module")
def large_dovecot() -> Iterator[Dovecot]:
    need("dovecot", "dovecot-imapd")
    with Dovecot(storage="mdbox") as server:
        yield server


@pytest.fixture
def dovecot(people: Flask, large_dovecot: Dovecot) -> Iterator[Dovecot]:
    set_up(
        imap_host_name=large_dovecot.host,
        imap_host_port=large_dovecot.imap_port,
        imap_user=USER,
        imap_password=PASSWORD,
        tls_ca_certificates=large_dovecot.ca_pem,
    )
    yield large_dovecot
    with large_dovecot.client(USER) as client:
        client.select_folder("INBOX")
        if left := client.search("ALL"):
            client.delete_messages(left)
            client.expunge()


def outcome_of(raw: bytes, dovecot: Dovecot) -> Reply:
    with dovecot.client(USER) as client:
        client.append("INBOX", raw)
    report = inbox.process_replies(now=NOW, at_once=True)
    assert report.error == ""
    db.session.rollback()
    return db.session.scalars(select(Reply).order_by(Reply.id.desc()).limit(1)).one()


@pytest.mark.dovecot
@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_of_a_mail_whose_text_comes_first_64_kib_are_read(size: int, dovecot: Dovecot) -> None:
    row = outcome_of(made_of(f"{TEXT}Approve", attached(size), picture(50_000)), dovecot)
    assert (row.outcome, row.raw_partial) == ("approved", True)
    assert len(kept_mail.raw_of(row)) == HEAD_BYTES
    assert row.size_bytes > size


@pytest.mark.dovecot
@pytest.mark.parametrize("part", [picture(200_000), attached(200_000)])
@pytest.mark.parametrize("last", [BUT, LATE])
def test_what_is_said_below_a_picture_or_an_attachment_counts(
    last: str, part: str, dovecot: Dovecot
) -> None:
    row = outcome_of(made_of(f"{TEXT}Approve", part, last), dovecot)
    assert row.outcome == "unclear"
    assert not row.raw_partial


@pytest.mark.dovecot
def test_what_is_said_below_a_large_picture_is_not_passed_over(dovecot: Dovecot) -> None:
    row = outcome_of(made_of(f"{TEXT}Approve", picture(2_000_000), BUT), dovecot)
    assert (row.outcome, row.raw_partial) == ("too_large", True)
    told = explaining.explain_kept(row.id, now=NOW)
    assert told.outcome == "too_large"
    assert undo.reprocess(row.id, now=NOW).outcome == "too_large"


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        (f"{TEXT}Approve\r\n\r\n" + "> x\r\n" * 40_000, "approved"),
        (f"{TEXT}Approve\r\n\r\n" + "x\r\n" * 40_000 + "But not before Monday.", "unclear"),
        (f"{HTML}<p>Approve</p>" + "<p>&nbsp;</p>\r\n" * 9_000 + "<p>But not now.</p>", "unclear"),
    ],
)
def test_a_long_text_is_read_to_its_end(first: str, outcome: str, dovecot: Dovecot) -> None:
    assert len(first) > HEAD_BYTES
    row = outcome_of(made_of(first, attached(50_000)), dovecot)
    assert (row.outcome, row.raw_partial) == (outcome, False)


@pytest.mark.dovecot
def test_a_text_behind_all_attachments_is_found_where_it_lies_in_the_first_mib(
    dovecot: Dovecot,
) -> None:
    row = outcome_of(made_of(attached(300_000), f"{TEXT}Approve"), dovecot)
    assert row.outcome == "approved"
    row = outcome_of(made_of(attached(MAX_BYTES), f"{TEXT}Approve"), dovecot)
    assert row.outcome == "too_large"


@pytest.mark.dovecot
def test_a_large_mail_is_no_second_one_when_it_comes_again(dovecot: Dovecot) -> None:
    raw = made_of(f"{TEXT}Approve", attached(200_000))
    assert outcome_of(raw, dovecot).outcome == "approved"
    assert outcome_of(raw, dovecot).outcome == "duplicate"


@pytest.mark.dovecot
def test_headers_of_a_part_that_hide_where_its_text_ends_decide_nothing(dovecot: Dovecot) -> None:
    much = "X-Padding: " + "x" * 900 + "\r\n"
    text = f"{much * 68}{TEXT}Approve\r\n\r\nBut not before Monday.\r\n" + "x\r\n" * 2000
    row = outcome_of(made_of(text, attached(50_000)), dovecot)
    assert row.outcome in ("too_large", "unclear", "malformed")


@pytest.mark.dovecot
@pytest.mark.parametrize("hidden_by", ["headers", "an epilogue", "an epilogue of more than 1 MiB"])
def test_what_no_part_counts_hides_no_text_behind_it(hidden_by: str, dovecot: Dovecot) -> None:
    if hidden_by == "headers":
        much = "X-Padding: " + "x" * 900 + "\r\n"
        middle = PICTURE + much * 68 + BASE64 + filled(9000)
        raw = made_of(f"{TEXT}Approve", middle, LATE)
    else:
        epilogue = "x\r\n" * (400_000 if "MiB" in hidden_by else 30_000)
        inner = f"--c\r\n{TEXT}Approve\r\n--c\r\n{picture(900)}\r\n--c--\r\n{epilogue}"
        raw = made_of(f"Content-Type: multipart/related; boundary=c\r\n\r\n{inner}", LATE)
    assert outcome_of(raw, dovecot).outcome in ("unclear", "malformed", "too_large")


@pytest.mark.dovecot
def test_a_mail_that_was_given_up_is_not_judged_later_by_half_of_it(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(answers, "queue", breaks)
        outcome_of(made_of(f"{TEXT}Approve", picture(2_000_000), BUT), dovecot)
        for _ in range(2):
            inbox.process_replies(now=NOW, at_once=True)
    db.session.rollback()
    row = db.session.scalars(select(Reply)).one()
    assert (row.tries, row.outcome) == (3, "too_large")
    assert undo.reprocess(row.id, now=NOW).outcome == "too_large"


@pytest.mark.parametrize("outcome", ["own_mail", "bounce", "auto_reply", "malformed", "too_large"])
def test_of_what_was_judged_before_its_text_was_looked_at_nobody_knows_the_end(
    outcome: str,
) -> None:
    assert text_is_behind(Reply(outcome=outcome, raw_partial=True))
    assert not text_is_behind(Reply(outcome=outcome, raw_partial=False))
    assert not text_is_behind(Reply(outcome="unclear", raw_partial=True))
