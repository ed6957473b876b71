"""What a run asks the database for besides its mails; most runs find none."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from flask import Flask
from sqlalchemy import event

from flexmail.db import db
from flexmail.demo.mailserver import MailServer
from flexmail.services.inbox import process_replies
from tests.conftest import NOW
from tests.services.stage import connect


def test_a_run_that_finds_nothing_asks_for_each_thing_once(
    people: Flask, server: MailServer
) -> None:
    connect(server)
    process_replies(now=NOW)
    asked: Counter[str] = Counter()

    def note(*arguments: object) -> None:
        verb, *words = str(arguments[2]).split()
        if verb == "SELECT":
            asked[f"SELECT {words[words.index('FROM') + 1]}"] += 1
        elif verb == "UPDATE":
            asked[f"UPDATE {words[0]}"] += 1
        else:
            assert verb in ("BEGIN", "PRAGMA")

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert process_replies(now=NOW + timedelta(minutes=1)).error == ""
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert asked == {
        "SELECT email_settings": 1,
        "SELECT installation": 1,
        "SELECT channels": 2,
        "SELECT leases": 1,
        "UPDATE leases": 2,
        "UPDATE channels": 2,
        "SELECT reply_folders": 1,
        "SELECT replies": 1,
    }
