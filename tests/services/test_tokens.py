"""API tokens: shown once, known by their digest, gone when revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from flexmail.db import db
from flexmail.errors import InvalidInput, NotFound
from flexmail.services import tokens
from tests.conftest import NOW


def test_a_token_identifies_itself_until_it_is_revoked(context: Flask) -> None:
    token, secret = tokens.create("pipeline", ["approvals"], now=NOW)
    found = tokens.identify(secret, now=NOW)
    assert found is not None
    assert (found.id, found.name, found.scopes) == (token.id, "pipeline", ["approvals"])
    tokens.revoke(token.id, now=NOW)
    assert tokens.identify(secret, now=NOW) is None


@pytest.mark.parametrize("harm", ["", " ", "flexmail_", "flexmail_guess", "bearer", "\ud800"])
def test_what_is_no_token_identifies_nobody(harm: str, context: Flask) -> None:
    tokens.create("pipeline", ["approvals"], now=NOW)
    assert tokens.identify(harm, now=NOW) is None


@pytest.mark.parametrize("change", [str.upper, lambda secret: secret[:-1], lambda s: s + " "])
def test_a_token_counts_only_as_a_whole(change: object, context: Flask) -> None:
    _, secret = tokens.create("pipeline", ["approvals"], now=NOW)
    assert tokens.identify(change(secret), now=NOW) is None  # type: ignore[operator]


def test_no_column_holds_the_secret(context: Flask) -> None:
    token, secret = tokens.create("pipeline", ["approvals"], now=NOW)
    stored = [str(getattr(token, column.key)) for column in token.__table__.columns]
    assert not any(secret.removeprefix("flexmail_") in value for value in stored)
    assert secret not in repr(token)


def test_two_tokens_never_share_a_secret(context: Flask) -> None:
    made = {tokens.create("same", ["status"], now=NOW)[1] for _ in range(5)}
    assert len(made) == 5
    assert all(len(secret) >= 43 for secret in made)


@pytest.mark.parametrize(
    "scopes", [[], ["callbacks"], ["approvals", "root"], [""], ["Approvals"], ["approvals "]]
)
def test_a_scope_that_does_not_exist_is_refused(scopes: list[str], context: Flask) -> None:
    with pytest.raises(InvalidInput) as raised:
        tokens.create("pipeline", scopes, now=NOW)
    assert list(raised.value.errors) == ["scope"]
    assert tokens.everything() == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 121, "two\nlines", "nul\x00"])
def test_a_name_that_will_not_do_is_refused(name: str, context: Flask) -> None:
    with pytest.raises(InvalidInput) as raised:
        tokens.create(name, ["approvals"], now=NOW)
    assert list(raised.value.errors) == ["name"]


def test_scopes_are_stored_sorted_and_once(context: Flask) -> None:
    token, _ = tokens.create("pipeline", ["status", "approvals", "status"], now=NOW)
    assert token.scopes == ["approvals", "status"]


@pytest.mark.parametrize(("minutes", "noted"), [(1, 0), (10, 0), (11, 11)])
def test_the_last_use_is_noted_now_and_then(minutes: int, noted: int, context: Flask) -> None:
    token, secret = tokens.create("pipeline", ["status"], now=NOW)
    assert token.last_used_at is None
    tokens.identify(secret, now=NOW)
    tokens.identify(secret, now=NOW + timedelta(minutes=minutes))
    db.session.rollback()
    assert tokens.everything()[0].last_used_at == NOW + timedelta(minutes=noted)


def test_a_token_is_revoked_once_and_stays_listed(context: Flask) -> None:
    first, _ = tokens.create("first", ["status"], now=NOW)
    tokens.create("second", ["status"], now=NOW)
    tokens.revoke(first.id, now=NOW)
    tokens.revoke(first.id, now=NOW + timedelta(days=1))
    assert [(t.name, t.revoked_at) for t in tokens.everything()] == [
        ("second", None),
        ("first", NOW),
    ]


def test_an_unknown_token_cannot_be_revoked(context: Flask) -> None:
    with pytest.raises(NotFound):
        tokens.revoke(99, now=NOW)
