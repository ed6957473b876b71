"""`flexmail replies explain`: what a mail would do, on a terminal and for scripts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flexmail import cli
from tests.cli.conftest import Flexmail
from tests.conftest import Cast
from tests.services import stage

KEYS = (
    *("outcome", "reason", "decision", "comment", "words_read", "cut_off"),
    *("reference", "rules", "answer"),
)


@pytest.fixture
def asked(app: Flask, cast: Cast) -> stage.Asked:
    from datetime import UTC, datetime

    with app.app_context():
        stage.set_up()
        return stage.ask(cast.bob, now=datetime.now(UTC))


def saved(folder: Path, raw: bytes) -> str:
    file = folder / "mail.eml"
    file.write_bytes(raw)
    return str(file)


def test_a_mail_is_explained_as_json(
    asked: stage.Asked, flexmail: Flexmail, tmp_path: Path
) -> None:
    raw = stage.reply(asked, "Approve\r\nLooks good, Müller.")
    said = flexmail("replies", "explain", saved(tmp_path, raw), "--json")
    assert (said.code, said.err) == (0, "")
    told = said.json
    assert tuple(told) == KEYS
    assert (told["outcome"], told["decision"]) == ("approved", "approve")
    assert told["comment"] == "Looks good, Müller."
    assert told["words_read"] == "Approve"
    assert told["reference"] == {
        "count": 1,
        "found_in": ["text", "In-Reply-To", "References"],
        "approval_id": asked.approval_id,
        "approver": "bob@corp.test",
    }
    assert {tuple(rule) for rule in told["rules"]} == {("rule", "ok", "finding")}
    assert {rule["ok"] for rule in told["rules"]} == {True}
    assert tuple(told["answer"]) == ("kind", "to", "subject", "text")
    assert told["answer"]["to"] == "bob@corp.test"
    assert not stage.REFERENCE.search(said.out)
    assert flexmail("approvals", "show", "1", "--json").json["status"] == "pending"


def test_a_mail_is_explained_to_people(
    asked: stage.Asked, flexmail: Flexmail, tmp_path: Path
) -> None:
    file = saved(tmp_path, stage.reply(asked, "Reject\r\nNot on a Friday.\r\nNever."))
    said = flexmail("replies", "explain", file)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "rejected: bob@corp.test rejected the request."
    assert "comment: Not on a Friday." in lines
    assert "  Never." in lines
    (row,) = [line for line in lines if "  sender " in line]
    assert row.startswith("yes ")
    assert any(line.startswith("reply_confirmation to bob@corp.test") for line in lines)
    assert not stage.REFERENCE.search(said.out)


def test_whatever_the_outcome_is_the_exit_code_is_0(
    asked: stage.Asked, flexmail: Flexmail, tmp_path: Path
) -> None:
    for raw in (b"\x00\xff\xfe", stage.reply(None), stage.reply(asked, sender="c@evil.test")):
        said = flexmail("replies", "explain", saved(tmp_path, raw))
        assert (said.code, said.err) == (0, "")
        assert "no  " in said.out


def test_what_a_mail_says_moves_no_cursor(
    asked: stage.Asked, flexmail: Flexmail, tmp_path: Path
) -> None:
    raw = stage.reply(asked, "Approve \x1b[31mred\x1b[0m")
    assert "\x1b" not in flexmail("replies", "explain", saved(tmp_path, raw)).out


def test_a_mail_may_come_through_stdin(
    app: Flask,
    asked: stage.Asked,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    raw = stage.reply(asked, "Approve").replace(b"\r\n", b"\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert cli.run(["replies", "explain", "-"], lambda: app) == 0
    assert capsys.readouterr().out.startswith("approved: ")


@pytest.mark.parametrize("what", ["missing", "folder", "empty", "blank"])
def test_a_file_that_holds_no_mail_is_bad_use(
    what: str, flexmail: Flexmail, tmp_path: Path
) -> None:
    file = tmp_path / what
    if what == "folder":
        file.mkdir()
    elif what != "missing":
        file.write_bytes(b"" if what == "empty" else b"\r\n \n")
    said = flexmail("replies", "explain", str(file))
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_a_file_that_cannot_be_read_to_its_end_is_bad_use(
    flexmail: Flexmail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Torn(io.BytesIO):
        name = "torn.eml"

        def read(self, *_: Any) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("click.File.convert", lambda *_: Torn())
    said = flexmail("replies", "explain", "torn.eml")
    assert said.code == 2
    assert "torn.eml cannot be read: Input/output error." in said.err
