"""What servers answer, as sentences for people."""

from __future__ import annotations

import pytest

from flexmail.mail import server_answer
from flexmail.mail.server_answer import meaning


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        ("The server refused the recipient: 550 5.1.1 nobody", "", "mailbox does not exist"),
        ("5.1.1 user unknown", "5.1.1", "mailbox does not exist"),
        ("452 4.2.2 over quota", "", "mailbox is full"),
        ("552 5.2.2 over quota", "", "mailbox is full"),
        ("The server refused the mail: 554 5.7.26 unauthenticated", "", "SPF and DKIM"),
        ("550 5.7.1 blocked", "", "does not let us send"),
        ("550 5.6.7 needs SMTPUTF8", "", "letters beyond ASCII"),
        ("556 5.1.10 null MX", "", "takes no mail"),
        # The reply code where there is no enhanced one, or none that is known.
        ("The server refused the recipient: 550 no", "", "mailbox does not exist or"),
        ("550 5.999.9 odd", "", "mailbox does not exist or"),
        ("450-one moment", "", "not available for now"),
        ("The server closes down: 421 bye", "", "closed the connection"),
        # What the report of a bounce says counts more than words in its text.
        ("550 5.1.1 quoted", "5.2.2", "mailbox is full"),
    ],
)
def test_a_code_says_what_it_means_and_what_to_do(answer: str, code: str, sentence: str) -> None:
    said = meaning(answer, code)
    assert sentence in said
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("", ""),
        ("250 2.1.1 taken", ""),
        ("2.1.1 relayed", "2.1.1"),
        ("The connection is closed.", ""),
        ("The request was closed before this mail went out.", ""),
        ("5500 mails", ""),
        ("10.1.450 is the version", ""),
        ("599 never heard of", ""),
    ],
)
def test_where_no_code_is_known_nothing_is_added(answer: str, code: str) -> None:
    assert meaning(answer, code) == ""


def test_every_sentence_is_one_line_for_people() -> None:
    tables = (server_answer._BY_ENHANCED_CODE, server_answer._BY_REPLY_CODE)
    for said in (text for table in tables for text in table.values()):
        assert said[0].isupper()
        assert said.endswith(".")
        assert len(said) <= 100
