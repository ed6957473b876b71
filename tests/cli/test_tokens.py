"""Tokens from the command line: shown once, listed without their secret."""

from __future__ import annotations

from flask import Flask

from flexmail.services import tokens, webhook_secrets
from tests.cli.conftest import Flexmail
from tests.conftest import NOW


def test_a_token_is_printed_once_and_works(app: Flask, flexmail: Flexmail) -> None:
    said = flexmail("tokens", "create", "ci", "--scope", "status", "--scope", "mail")
    secret, webhook_secret = said.out.split()
    assert webhook_secret.startswith("whsec_")
    assert said.code == 0
    with app.app_context():
        token = tokens.identify(secret, now=NOW)
        assert token
        assert token.scopes == ["mail", "status"]
    for listed in (flexmail("tokens", "list").out, flexmail("tokens", "list", "--json").out):
        assert secret not in listed
        assert webhook_secret not in listed


def test_json_holds_the_secret_once(flexmail: Flexmail) -> None:
    created = flexmail("tokens", "create", "ci", "--scope", "approvals", "--json").json
    assert created.pop("token").startswith("flexmail_")
    assert created.pop("webhook_secret").startswith("whsec_")
    assert flexmail("tokens", "list", "--json").json == {"items": [created], "next_cursor": None}


def test_the_secret_of_the_installation_stays_the_same(app: Flask, flexmail: Flexmail) -> None:
    secret = flexmail("tokens", "installation-secret").out.strip()
    with app.app_context():
        assert secret == webhook_secrets.of(None)
    again = flexmail("tokens", "installation-secret", "--json").json
    assert again == {"webhook_secret": secret}


def test_a_revoked_token_ends_and_stays_listed(app: Flask, flexmail: Flexmail) -> None:
    created = flexmail("tokens", "create", "ci", "--scope", "approvals", "--json").json
    revoked = flexmail("tokens", "revoke", str(created["id"]), "--json").json
    assert revoked["revoked_at"]
    with app.app_context():
        assert tokens.identify(created["token"], now=NOW) is None
    assert len(flexmail("tokens", "list", "--json").json["items"]) == 1
