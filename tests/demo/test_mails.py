"""What the demo's mailboxes make of a mail."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from flexmail.demo import mails
from flexmail.mail.compose import mailto, reply_body
from flexmail.mail.parse import parse
from flexmail.mail.reference import find_references, new_reference
from flexmail.mail.reply import DEFAULT_WORDS, read

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
REFERENCE = new_reference()
SUBJECT = "Re: 100 % & more [FM #1]"


def shown(text: str) -> mails.Shown:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "flexmail <approvals@demo.test>", "Deploy? [FM #1]"
    mail["Date"], mail["Message-ID"] = NOW, "<fm-1@demo.test>"
    mail.set_content(text)
    return mails.show(7, bytes(mail))


def request() -> mails.Shown:
    link = mailto("approvals@demo.test", SUBJECT, reply_body("Approve", REFERENCE))
    return shown(f"Deploy?\n\nApprove: {link}\n\nSee http://127.0.0.1:8000/approvals/1\n")


def answer(key: str, word: str = "") -> bytes:
    draft = request().drafts[key]
    mail = mails.written(
        draft,
        sender="Bob <bob@demo.test>",
        subject=draft.subject,
        body=(word + draft.body).replace("\n", "\r\n"),
        now=NOW,
    )
    return mail.as_bytes()


def test_a_mailto_link_becomes_a_filled_in_answer() -> None:
    draft = request().drafts["1"]
    assert (draft.label, draft.recipient) == ("Approve", "approvals@demo.test")
    assert (draft.subject, draft.body) == (SUBJECT, reply_body("Approve", REFERENCE).strip())
    assert not draft.in_reply_to


def test_the_text_keeps_everything_but_the_long_address_of_a_link() -> None:
    pieces = request().pieces
    assert "".join(piece.text for piece in pieces) == (
        "Deploy?\n\nApprove: Approve\n\nSee http://127.0.0.1:8000/approvals/1"
    )
    assert [piece.link for piece in pieces if piece.link] == ["http://127.0.0.1:8000/approvals/1"]


def test_no_other_kind_of_link_can_be_pressed() -> None:
    pieces = shown("javascript:alert(1) file:///etc/passwd <b>bold</b>").pieces
    assert not [piece for piece in pieces if piece.link or piece.draft]


def test_a_filled_in_answer_approves_as_it_is() -> None:
    parsed = parse(answer("1"))
    assert read(parsed, DEFAULT_WORDS).verdict == "approve"
    assert find_references(parsed.plain or "") == {REFERENCE}
    assert not parsed.in_reply_to


@pytest.mark.parametrize(("word", "verdict"), [("Reject", "reject"), ("", None)])
def test_a_reply_with_history_decides_by_what_stands_above_it(
    word: str, verdict: str | None
) -> None:
    parsed = parse(answer("reply", word))
    assert read(parsed, DEFAULT_WORDS).verdict == verdict
    assert find_references(parsed.plain or "") == {REFERENCE}
    assert parsed.in_reply_to == ("<fm-1@demo.test>",)
    assert parsed.subject == "Re: Deploy? [FM #1]"


def test_a_subject_of_two_lines_is_refused() -> None:
    draft = request().drafts["1"]
    with pytest.raises(ValueError, match="linefeed"):
        mails.written(draft, sender="b@demo.test", subject="a\r\nBcc: x@y.test", body="", now=NOW)


@pytest.mark.parametrize("raw", [b"", b"\0\xff", b"Date: never\r\n\r\nno sender"])
def test_a_broken_mail_is_shown_and_has_no_answer(raw: bytes) -> None:
    assert not mails.show(1, raw).drafts
