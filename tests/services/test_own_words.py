"""Our own mail, handed back in whatever form, never approves anything."""

from __future__ import annotations

import pytest
from flask import Flask

from flexmail.mail.html import visible_text
from flexmail.mail.parse import Parsed
from flexmail.mail.reply import DEFAULT_WORDS, read
from tests.services.stage import ask, set_up, text_of


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
