"""Audit, keys, backup and restore from the command line."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from flask import Flask

from flexmail.services import accounts, settings
from tests.cli.conftest import Flexmail, set_up
from tests.conftest import Cast
from tests.services.test_audit import entries, tamper
from tests.services.test_installation import claim_elsewhere


def test_the_log_names_the_user_of_the_machine(app: Flask, flexmail: Flexmail) -> None:
    flexmail("users", "add", "ada@corp.test", "--role", "admin")
    with app.app_context():
        entry = entries()[-1]
        assert (entry.actor, entry.channel) == (getpass.getuser(), "command")
    listed = flexmail("audit", "list", "--json", "--action", "account_added").json["items"]
    assert [item["subject"] for item in listed] == ["account ada@corp.test"]
    assert "account ada@corp.test" in flexmail("audit", "list").out


def test_a_log_that_fits_says_where_it_ends(app: Flask, flexmail: Flexmail, cast: Cast) -> None:
    said = flexmail("audit", "verify")
    assert said.code == 0
    assert "All 3 entries fit" in said.out
    noted = said.out.split()[-1]
    assert flexmail("audit", "verify", "--noted", noted).code == 0
    assert flexmail("audit", "verify", "--json").json["ok"] is True


def test_a_log_that_was_changed_exits_1_and_names_the_entry(
    app: Flask, flexmail: Flexmail, cast: Cast
) -> None:
    noted = flexmail("audit", "verify").out.split()[-1]
    with app.app_context():
        tamper("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    said = flexmail("audit", "verify")
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("Entry 2 does not fit")
    assert flexmail("audit", "verify", "--noted", noted, "--json").json["ok"] is False


@pytest.mark.parametrize("noted", ["x", "1:abc", "0:" + "0" * 64])
def test_an_end_that_is_none_is_bad_use(noted: str, flexmail: Flexmail) -> None:
    assert flexmail("audit", "verify", "--noted", noted).code == 2


def test_keys_rotate_in_two_steps(app: Flask, flexmail: Flexmail, mail_is_set_up: None) -> None:
    set_up(app, smtp_user="deploy", smtp_password="kept-all-the-way")
    path = Path(app.instance_path, "encryption.key")
    old = path.read_text().strip()
    rotated = flexmail("keys", "rotate")
    assert rotated.code == 0
    assert "Sealed 2 secrets" in rotated.out
    dropped = flexmail("keys", "rotate", "--drop-old")
    assert "Dropped 1" in dropped.out
    assert "There is one key only" in flexmail("keys", "rotate", "--drop-old").out
    new = path.read_text().strip()
    assert old not in new
    assert new not in rotated.out + rotated.err + dropped.out + dropped.err
    with app.app_context():
        assert settings.smtp_account(settings.load()).password == "kept-all-the-way"


def test_a_backup_comes_back(app: Flask, flexmail: Flexmail, cast: Cast, tmp_path: Path) -> None:
    target = str(tmp_path / "copy.db")
    made = flexmail("backup", target)
    assert made.code == 0
    assert target in made.out
    again = flexmail("backup", target)
    assert again.code == 1
    assert "exists already" in again.err
    flexmail("users", "disable", cast.bob)
    said = flexmail("restore", target)
    assert said.code == 0
    assert "before-restore" in said.out
    assert said.err == ""
    with app.app_context():
        assert accounts.get(cast.bob).active


def test_a_backup_whose_keys_are_gone_says_so(
    app: Flask, flexmail: Flexmail, mail_is_set_up: None, tmp_path: Path
) -> None:
    set_up(app, smtp_user="deploy", smtp_password="sealed-with-an-old-key")
    target = str(tmp_path / "copy.db")
    flexmail("backup", target)
    flexmail("keys", "rotate")
    flexmail("keys", "rotate", "--drop-old")
    said = flexmail("restore", target)
    assert said.code == 0
    assert "No key opens 1 stored secrets" in said.err


def test_a_file_that_is_no_backup_is_named(flexmail: Flexmail, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear Ada")
    said = flexmail("restore", str(tmp_path / "letter"))
    assert said.code == 2
    assert "letter" in said.err


@pytest.mark.parametrize("args", [(), ("copy.db", "--claim")])
def test_restore_wants_a_file_or_a_claim(args: tuple[str, ...], flexmail: Flexmail) -> None:
    assert flexmail("restore", *args).code == 2


def test_a_copy_reads_nothing_until_it_is_claimed(
    app: Flask, flexmail: Flexmail, mail_is_set_up: None
) -> None:
    set_up(app, enable_email_approval=True, imap_host_name="127.0.0.1", imap_host_port=1)
    with app.app_context():
        claim_elsewhere()
    said = flexmail("replies", "process")
    assert said.code == 1
    assert "flexmail restore --claim" in said.err
    assert flexmail("restore", "--claim").out == "The database is claimed.\n"
    assert flexmail("restore", "--claim").out == "The database is ours already.\n"
    assert "another flexmail" not in flexmail("replies", "process").err
