"""What became of mail: lists, and texts without open references."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from flexmail import create_app
from flexmail.db import db, transaction
from flexmail.errors import NotFound, SecretUnreadable
from flexmail.mail import parse
from flexmail.mail.masking import hides
from flexmail.mail.reference import mask
from flexmail.models import Reply
from flexmail.services import approvals, explaining, reply_log
from tests.conftest import NOW
from tests.services.stage import Asked, ask, hand_in, read, reply, set_up, text_of


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


def shown(row: Reply) -> str:
    return reply_log.shown_text(reply_log.get(row.id))


def test_mails_are_listed_by_outcome_the_newest_first(ready: Flask) -> None:
    request = ask()
    unclear, approved = hand_in(reply(request, "Hm")), hand_in(reply(request))
    assert [row.id for row in reply_log.listing().items] == [approved.id, unclear.id]
    assert [row.id for row in reply_log.listing(outcome="unclear").items] == [unclear.id]
    page = reply_log.listing(limit=1)
    assert [row.id for row in reply_log.listing(cursor=page.next_cursor).items] == [unclear.id]
    assert [row.id for row in reply_log.by_ids([approved.id, unclear.id])] == [
        approved.id,
        unclear.id,
    ]


def test_a_mail_that_is_still_tried_is_not_shown(ready: Flask) -> None:
    row = hand_in(reply(None))
    with transaction():
        db.session.get_one(Reply, row.id).outcome = None
    assert reply_log.listing().items == []
    with pytest.raises(NotFound):
        reply_log.get(row.id)


def test_an_unknown_mail_is_not_found(ready: Flask) -> None:
    with pytest.raises(NotFound):
        reply_log.get(99)


def in_base64(request: Asked) -> bytes:
    text = f"Hm\r\n\r\n> Reference: {request.reference}\r\n"
    return reply(
        request,
        headers=("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64"),
        body=base64.encodebytes(text.encode()).decode().strip().replace("\n", "\r\n"),
    )


def test_a_mail_that_broke_its_reader_is_not_decoded_to_be_shown(
    ready: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = hand_in(in_base64(ask()))
    decoded = shown(row)
    with transaction():
        db.session.get_one(Reply, row.id).outcome = "failed"
    monkeypatch.setattr(parse, "parse", lambda *_, **__: pytest.fail("It was parsed."))
    assert shown(row).startswith(decoded.partition("\n\n")[0])
    assert shown(row).endswith("(The text is not shown: reading this mail failed.)")


def in_html(request: Asked) -> bytes:
    return reply(
        request,
        headers=("Content-Type: text/html; charset=utf-8",),
        body=f"<p>Hm</p><p>{request.reference[:9]}<wbr>{request.reference[9:]}</p>",
    )


def in_quoted_printable(request: Asked) -> bytes:
    spelled = "".join(f"={ord(letter):02X}" for letter in request.reference)
    return reply(
        request,
        headers=(
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
        ),
        body=f"Hm\r\n\r\n> Reference:=20=\r\n{spelled[:60]}=\r\n{spelled[60:]}\r\n",
    )


def in_the_subject(request: Asked) -> bytes:
    word = base64.b64encode(f"About {request.reference}".encode()).decode()
    return reply(request, "Hm", headers=(f"X-Subject: =?utf-8?B?{word}?=",))


def in_an_address(request: Asked) -> bytes:
    return reply(
        request,
        headers=("Content-Type: text/html; charset=utf-8",),
        body=f'<p>Hm</p><a href="mailto:a@b.test?body=%46M-{request.reference[3:]}">Reply</a>',
    )


def torn_by_unseen_characters(request: Asked) -> bytes:
    torn = "&shy;".join(request.reference[at : at + 5] for at in range(0, 29, 5))
    return reply(
        request,
        headers=("Content-Type: text/html; charset=utf-8",),
        body=f"<p>Hm</p><p>{torn}</p>",
    )


def attached(request: Asked) -> bytes:
    inner = base64.encodebytes(request.raw).decode().strip().replace("\n", "\r\n")
    return reply(
        request,
        headers=("Content-Type: multipart/mixed; boundary=b",),
        body="--b\r\nContent-Type: text/plain\r\n\r\nHm\r\n--b\r\n"
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{inner}\r\n--b--",
    )


HIDING = [
    lambda request: reply(request, "Hm"),
    lambda request: reply(request, f"Hm {request.reference.lower()}"),
    lambda request: reply(request, "Hm", headers=(f"X-Seen: {request.reference}",)),
    in_base64,
    in_html,
    in_quoted_printable,
    attached,
    in_the_subject,
    in_an_address,
    torn_by_unseen_characters,
    lambda request: request.raw,
]


@pytest.mark.parametrize("make", HIDING)
def test_the_shown_text_holds_no_open_secret_in_any_coding(make: object, ready: Flask) -> None:
    request = ask()
    row = hand_in(make(request))  # type: ignore[operator]
    assert approvals.get(request.approval_id).status == "pending"
    text = shown(row).lower()
    assert not hides(text)
    assert "from:" in text
    for secret in (request.reference.lower(), request.message_id.lower()):
        assert secret not in text
        assert secret.strip("<>") not in text
        for letters in (secret[3:9], secret[9:15]):
            assert letters not in text
    assert base64.b64encode(request.reference.encode()).decode().lower() not in text


def test_the_source_is_shown_as_it_came_but_for_references(ready: Flask) -> None:
    raw = reply(ask())
    row = hand_in(raw)
    assert row.outcome == "approved"
    assert shown(row) == mask(raw.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("make", HIDING)
def test_a_saved_copy_answers_for_nobody(make: object, ready: Flask) -> None:
    request = ask()
    row = hand_in(make(request))  # type: ignore[operator]
    copy = reply_log.saved_copy(reply_log.get(row.id))
    assert not hides(copy)
    told = explaining.explain(copy, now=NOW)
    assert told.reference.count == 0
    looked = read(copy)
    for text in (str(looked), text_of(copy) if looked.get_body(("plain",)) else ""):
        assert request.reference.lower() not in text.lower()
        assert request.message_id.strip("<>") not in text.lower()
    assert looked["From"] == read(make(request))["From"]  # type: ignore[operator]
    assert max(map(len, copy.split(b"\r\n"))) <= 998


def test_a_saved_copy_is_the_mail_as_it_came_with_its_references_starred(ready: Flask) -> None:
    request = ask()
    raw = reply(request, "Hm: \N{SNOWMAN}").replace("\N{SNOWMAN}".encode(), b"\xff\xfe")
    copy = reply_log.saved_copy(reply_log.get(hand_in(raw).id))
    assert len(copy) == len(raw)
    differs = [(old, new) for old, new in zip(raw, copy, strict=True) if old != new]
    assert {new for _, new in differs} == {ord("*")}
    assert b"FM-" + b"*" * 26 in copy


def test_a_saved_copy_that_was_decoded_says_how_its_body_was_coded(ready: Flask) -> None:
    copy = read(reply_log.saved_copy(reply_log.get(hand_in(in_base64(ask())).id)))
    assert copy["X-Original-Content-Transfer-Encoding"] == "base64"
    assert copy.get_content_type() == "text/plain"
    assert copy.get_content().splitlines()[0] == "Hm"


def test_without_a_copy_there_is_nothing_to_save(ready: Flask) -> None:
    row = hand_in(reply(ask()))
    reply_log.remove_old_copies(now=NOW + timedelta(days=31))
    assert reply_log.saved_copy(reply_log.get(row.id)) == b""
    assert reply_log.missing(reply_log.get(row.id)) == ""


@pytest.mark.parametrize(
    ("kept", "whole", "said"),
    [
        (64 << 10, 10 << 20, "the first 64 KB of 10 MB: attachments are cut off"),
        (1 << 20, 3 << 19, "the first 1 MB of 1.5 MB: attachments are cut off"),
        (300, 5000, "the first 1 KB of 4 KB: attachments are cut off"),
    ],
)
def test_a_partial_copy_says_what_is_missing(
    kept: int, whole: int, said: str, ready: Flask
) -> None:
    raw = reply(None)
    row = hand_in(raw + b"x" * (kept - len(raw)), partial=True)
    with transaction():
        db.session.get_one(Reply, row.id).size_bytes = whole
    assert reply_log.missing(reply_log.get(row.id)) == said


def test_a_whole_copy_lacks_nothing(ready: Flask) -> None:
    assert reply_log.missing(reply_log.get(hand_in(reply(None)).id)) == ""


def test_a_reply_shows_no_open_reference_of_another_request(ready: Flask) -> None:
    other = ask(title="Deploy shop 2.4")
    raw = reply(ask()).replace(
        b"\r\n\r\n", b"\r\nX-Seen: " + other.message_id.encode() + b"\r\n\r\n", 1
    )
    text = shown(hand_in(raw))
    assert other.message_id not in text


def test_a_copy_is_gone_after_the_days_that_the_settings_say(ready: Flask) -> None:
    set_up(keep_processed_days=30)
    row = hand_in(reply(ask()))
    assert reply_log.remove_old_copies(now=NOW + timedelta(days=30)) == 0
    assert shown(row)
    assert reply_log.remove_old_copies(now=NOW + timedelta(days=30, seconds=1)) == 1
    assert reply_log.remove_old_copies(now=NOW + timedelta(days=31)) == 0
    db.session.rollback()
    assert shown(row) == ""
    kept = reply_log.get(row.id)
    assert (kept.outcome, bool(kept.reason), kept.sender) == ("approved", True, row.sender)


def test_zero_days_keep_no_copy(ready: Flask) -> None:
    set_up(keep_processed_days=0)
    hand_in(reply(ask()))
    assert reply_log.remove_old_copies(now=NOW + timedelta(seconds=1)) == 1


def test_a_copy_that_no_key_opens_says_so_and_the_rest_is_shown(ready: Flask) -> None:
    row = hand_in(reply(ask()))
    row_id = row.id
    other = create_app({"TESTING": True, "ENCRYPTION_KEYS": Fernet.generate_key().decode()})
    with other.app_context():
        found = reply_log.get(row_id)
        assert found.outcome == "approved"
        with pytest.raises(SecretUnreadable):
            reply_log.shown_text(found)
