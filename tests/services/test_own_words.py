"""Our own mail, handed back in whatever form, never approves anything."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import event

from flexmail.crypto import key_store
from flexmail.db import db
from flexmail.mail.html import visible_text
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed
from flexmail.mail.reply import DEFAULT_WORDS, read
from flexmail.services import approval_requests
from flexmail.services.approval_requests import NewApproval
from flexmail.services.notifications import sent_for
from tests.conftest import NOW
from tests.services.stage import ADA, BOB, ask, asked, set_up, text_of


@pytest.mark.parametrize("mail_decision", ["allow", "reject_only"])
@pytest.mark.usefixtures("cast")
def test_no_end_of_the_mail_that_asks_reads_as_an_approval(
    context: Flask, mail_decision: str
) -> None:
    set_up()
    raw = ask(mail_decision=mail_decision).raw
    for text in (text_of(raw), visible_text(text_of(raw, "html"))):
        lines = text.splitlines()
        for start in range(len(lines)):
            rest = Parsed(plain="\n".join(lines[start:]))
            assert read(rest, DEFAULT_WORDS).verdict != "approve", rest.plain


@pytest.mark.usefixtures("cast")
def test_the_mail_that_asks_handed_back_whole_decides_nothing(context: Flask) -> None:
    set_up()
    raw = ask().raw
    plain, html = text_of(raw), text_of(raw, "html")
    for parsed in (Parsed(plain=plain), Parsed(html=html), Parsed(plain=plain, html=html)):
        assert read(parsed, DEFAULT_WORDS).verdict is None


@pytest.fixture
def ready(people: Flask) -> Flask:
    set_up()
    return people


@pytest.mark.usefixtures("ready")
def test_what_we_had_sent_is_found_by_the_reference_or_by_our_message_id() -> None:
    request = ask(BOB, ADA, title="Deploy billing 4.2")
    plain, html = (text_of(request.raw, kind).replace("\r\n", "\n") for kind in ("plain", "html"))
    expected = Sent(plain, html, ("Deploy billing 4.2",))
    other = "FM-" + "A" * 26
    for references, message_ids in (
        ([request.reference], []),
        ([], [request.message_id]),
        ([request.reference, other], ["<other@corp.test>", request.message_id]),
    ):
        assert sent_for([*references, *message_ids]) == expected


@pytest.mark.usefixtures("ready")
def test_what_the_requester_wrote_is_told_apart() -> None:
    wanted = NewApproval(
        title="T", approvers=(BOB,), details="D", submitter="S", link="https://ci.corp.test/1"
    )
    request = asked(approval_requests.request(wanted, now=NOW).id)
    sent = sent_for([request.reference])
    assert sent is not None
    assert sent.given == ("T", "D", "S", "https://ci.corp.test/1")


@pytest.mark.usefixtures("ready")
def test_nothing_that_leads_nowhere_or_to_two_requests_is_what_we_had_sent() -> None:
    one, other = ask(), ask()
    assert sent_for([]) is None
    assert sent_for(["FM-" + "A" * 26, "<a@corp.test>"]) is None
    assert sent_for([one.reference, other.message_id]) is None
    assert sent_for([one.reference, other.reference]) is None


@pytest.mark.usefixtures("ready")
def test_what_no_key_opens_is_not_known() -> None:
    request = ask()
    key_store().replace([Fernet.generate_key().decode()])
    assert sent_for([request.reference]) is None


@pytest.mark.usefixtures("ready")
def test_looking_up_what_we_had_sent_writes_nothing() -> None:
    request = ask()
    db.session.rollback()
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert sent_for([request.reference, request.message_id])
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert statements
    assert all(statement.startswith(("SELECT", "BEGIN")) for statement in statements)
