"""Undo from the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.demo.mailserver import MailServer
from flexmail.models import Reply
from tests.cli.conftest import Flexmail
from tests.cli.test_mail import use
from tests.conftest import Cast
from tests.services import stage

ADDRESS = "ada@example.test"
SHAPE = [
    *("id", "outcome", "reason", "approval_id", "from", "subject", "message_id", "processed_at"),
    *("first_seen_at", "size_bytes", "raw_partial", "restored_at"),
]


@pytest.fixture
def processed(app: Flask, cast: Cast, flexmail: Flexmail, embedded: MailServer) -> stage.Asked:
    """A reply from Bob that was not understood; it is mail 1."""
    use(app, embedded)
    with app.app_context():
        request = stage.ask(now=datetime.now(UTC))
        embedded.deliver(ADDRESS, stage.reply(request, "Genehmigt"))
    (told,) = flexmail("replies", "process", "--json").json["replies"]
    assert (told["id"], told["outcome"]) == (1, "unclear")
    return request


def test_a_mail_is_put_back_and_the_next_run_processes_it(
    processed: stage.Asked, flexmail: Flexmail, embedded: MailServer
) -> None:
    said = flexmail("replies", "restore", "1", "--json")
    assert (said.code, said.err, list(said.json)) == (0, "", SHAPE)
    assert said.json["restored_at"].endswith("Z")
    assert len(embedded.mailbox(ADDRESS)) == 1
    again = flexmail("replies", "restore", "1")
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)
    assert "was put back" in again.err
    assert flexmail("replies", "process", "--json").json["by_outcome"] == {"unclear": 1}
    assert flexmail("replies", "restore", "2").out == "Put mail 2 back into INBOX.\n"


def test_a_mail_is_processed_again_after_a_mend(
    processed: stage.Asked, app: Flask, flexmail: Flexmail
) -> None:
    assert flexmail("replies", "reprocess", "1").out.startswith("Mail 1 is unclear: ")
    flexmail("settings", "set", "approve_words=approve, genehmigt")
    said = flexmail("replies", "reprocess", "1", "--json")
    assert (said.code, said.json["outcome"], list(said.json)) == (0, "approved", SHAPE)
    again = flexmail("replies", "reprocess", "1")
    assert (again.code, again.out) == (1, "")
    assert "nothing to mend" in again.err


def test_a_copy_is_written_to_a_file_or_stdout_with_its_references_masked(
    processed: stage.Asked, flexmail: Flexmail, tmp_path: Path
) -> None:
    file = tmp_path / "mail.eml"
    said = flexmail("replies", "download", "1", "--output", str(file))
    assert (said.code, said.out, said.err) == (0, "", "")
    assert b"Genehmigt" in file.read_bytes()
    assert processed.reference.encode() not in file.read_bytes()
    assert flexmail("replies", "download", "1").out.encode() == file.read_bytes()
    for place in (tmp_path, tmp_path / "no" / "such"):
        said = flexmail("replies", "download", "1", "--output", str(place))
        assert (said.code, said.err.count("\n")) == (1 if place.exists() else said.code, 1)
        assert said.code in (1, 2)


@pytest.mark.parametrize("act", ["restore", "reprocess", "download"])
def test_a_partial_copy_says_what_it_lacks(
    act: str, processed: stage.Asked, app: Flask, flexmail: Flexmail
) -> None:
    with app.app_context(), transaction():
        row = db.session.get_one(Reply, 1)
        row.raw_partial, row.size_bytes = True, 10 << 20
    said = flexmail("replies", act, "1")
    assert said.code == 0
    assert "of 10 MB: attachments are cut off" in said.err


@pytest.mark.parametrize("act", ["restore", "reprocess", "download"])
def test_what_is_not_there_cannot_be_undone(
    act: str, processed: stage.Asked, app: Flask, flexmail: Flexmail
) -> None:
    assert flexmail("replies", act, "99").err == "There is no processed mail 99.\n"
    assert flexmail("replies", act, "0").code == 2
    with app.app_context(), transaction():
        db.session.get_one(Reply, 1).sealed_raw = None
    said = flexmail("replies", act, "1")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("No copy of")
