"""Signing in: one sentence for whatever is wrong, and guessing is slow."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from flask import Flask

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.models import SignInFailure
from flexmail.services import accounts, sign_in
from flexmail.services.sign_in import MAX_FAILURES, MAX_FAILURES_PER_ADDRESS, WINDOW
from tests.conftest import NOW, PASSWORD, Cast
from tests.services.stage import together

HERE, THERE = "192.0.2.1", "192.0.2.2"


def enter(email: str, password: str = PASSWORD, *, at: str = HERE, minutes: float = 0) -> str:
    now = NOW + timedelta(minutes=minutes)
    return sign_in.sign_in(email, password, remote_address=at, now=now).email


def has_failed(key: str, count: int) -> None:
    with transaction():
        db.session.merge(SignInFailure(key=key, count=count, since=NOW))


def failures(key: str) -> int:
    db.session.rollback()
    row = db.session.get(SignInFailure, key)
    return row.count if row else 0


@pytest.mark.parametrize("spelled", ["bob@corp.test", "bob@CORP.test"])
def test_address_and_password_open_the_account(spelled: str, context: Flask, cast: Cast) -> None:
    assert enter(spelled) == cast.bob


def test_whatever_is_wrong_is_said_in_one_sentence(context: Flask, cast: Cast) -> None:
    accounts.add("carol@corp.test", role="approver", now=NOW)
    accounts.add("dan@corp.test", role="approver", password=PASSWORD, now=NOW)
    accounts.set_active("dan@corp.test", False)
    said = set()
    for email, password in [
        (cast.bob, "wrong password"),
        (cast.bob, ""),
        (cast.bob, PASSWORD + " "),
        (cast.bob, "x" * 100_000),
        (cast.charlie, PASSWORD),
        ("no address", PASSWORD),
        ("Bob@corp.test", PASSWORD),
        ("carol@corp.test", PASSWORD),
        ("carol@corp.test", "compared with when there is no such account"),
        ("dan@corp.test", PASSWORD),
    ]:
        with pytest.raises(InvalidInput) as raised:
            enter(email, password)
        said.add(str(raised.value))
    assert len(said) == 1


def test_after_ten_failures_the_right_password_does_not_help_either(
    context: Flask, cast: Cast
) -> None:
    for _ in range(MAX_FAILURES):
        with pytest.raises(InvalidInput):
            enter(cast.bob, "wrong password")
    with pytest.raises(Conflict, match="15 min"):
        enter(cast.bob, at=THERE, minutes=0.5)
    assert enter(cast.ada) == cast.ada


def test_a_throttled_try_is_not_counted_again(context: Flask, cast: Cast) -> None:
    has_failed(f"account:{cast.bob}", MAX_FAILURES)
    with pytest.raises(Conflict):
        enter(cast.bob, "wrong password")
    assert failures(f"account:{cast.bob}") == MAX_FAILURES
    assert failures(f"address:{HERE}") == 0


@pytest.mark.parametrize(("minutes", "open_again"), [(14.9, False), (15, True), (60, True)])
def test_the_wait_ends_with_the_window(
    minutes: float, open_again: bool, context: Flask, cast: Cast
) -> None:
    has_failed(f"account:{cast.bob}", MAX_FAILURES)
    if open_again:
        assert enter(cast.bob, minutes=minutes) == cast.bob
    else:
        with pytest.raises(Conflict):
            enter(cast.bob, minutes=minutes)


@pytest.mark.parametrize("meanwhile", ["another password", "disabled and enabled"])
def test_a_password_that_is_changed_while_it_is_compared_opens_nothing(
    meanwhile: str, context: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = sign_in._matches

    def slowly(password_hash: str | None, password: str) -> bool:
        found = compare(password_hash, password)
        if meanwhile == "another password":
            accounts.set_password(cast.bob, "another " + PASSWORD)
        else:
            accounts.set_active(cast.bob, False)
            accounts.set_active(cast.bob, True)
        return found

    monkeypatch.setattr(sign_in, "_matches", slowly)
    with pytest.raises(InvalidInput):
        enter(cast.bob)


def test_a_success_forgets_the_failures_of_that_account_only(context: Flask, cast: Cast) -> None:
    has_failed(f"account:{cast.bob}", MAX_FAILURES - 1)
    has_failed(f"account:{cast.ada}", 3)
    has_failed(f"address:{HERE}", 5)
    enter(cast.bob)
    assert failures(f"account:{cast.bob}") == 0
    assert failures(f"account:{cast.ada}") == 3
    assert failures(f"address:{HERE}") == 5


def test_one_network_address_cannot_try_many_accounts(context: Flask, cast: Cast) -> None:
    has_failed(f"address:{HERE}", MAX_FAILURES_PER_ADDRESS - 1)
    with pytest.raises(InvalidInput):
        enter("somebody@corp.test", "wrong password")
    with pytest.raises(Conflict):
        enter(cast.bob)
    assert enter(cast.bob, at=THERE) == cast.bob


@pytest.mark.parametrize(
    "spelled",
    [
        *("bob@CORP.test", " bob@corp.test ", "BOB@corp.test"),
        *("bob@corp。test", "bob@ｃｏｒｐ.test"),  # IDNA makes both of them plain
    ],
)
def test_another_spelling_of_the_account_gives_no_further_guesses(
    spelled: str, context: Flask, cast: Cast
) -> None:
    has_failed(f"account:{cast.bob}", MAX_FAILURES)
    with pytest.raises(Conflict):
        enter(spelled)


def test_failures_of_long_ago_are_removed(context: Flask, cast: Cast) -> None:
    has_failed("account:old@corp.test", 3)
    with pytest.raises(InvalidInput):
        enter(cast.bob, "wrong password", minutes=WINDOW.total_seconds() / 60 + 1)
    assert failures("account:old@corp.test") == 0
    assert failures(f"account:{cast.bob}") == 1


def test_no_password_is_stored_with_a_failure(context: Flask, cast: Cast) -> None:
    with pytest.raises(InvalidInput):
        enter(cast.bob, "wrong password")
    rows = db.session.query(SignInFailure).all()
    assert {row.key for row in rows} == {f"account:{cast.bob}", f"address:{HERE}"}


def first_admin(token: str, email: str = "first@corp.test") -> str:
    user = sign_in.set_up(token, email=email, name="First", password=PASSWORD, now=NOW)
    return f"{user.email} {user.role}"


def test_the_set_up_link_makes_the_first_admin_once(context: Flask) -> None:
    token, another = sign_in.setup_token(), sign_in.setup_token()
    sign_in.check_setup_token(token)
    assert first_admin(token) == "first@corp.test admin"
    for used in (token, another):
        with pytest.raises(Conflict, match="has been used"):
            sign_in.check_setup_token(used)
        with pytest.raises(Conflict):
            first_admin(used, "second@corp.test")
    assert [user.email for user in accounts.everyone()] == ["first@corp.test"]


def test_a_set_up_that_was_refused_leaves_the_link_good(context: Flask) -> None:
    token = sign_in.setup_token()
    with pytest.raises(InvalidInput):
        sign_in.set_up(token, email="x", name="", password=PASSWORD, now=NOW)
    assert first_admin(token)


def test_two_who_follow_the_set_up_link_at_once_make_one_admin(context: Flask) -> None:
    token = sign_in.setup_token()
    results = together(
        context,
        lambda: first_admin(token, "one@corp.test"),
        lambda: first_admin(token, "two@corp.test"),
    )
    assert [type(result) for result in results].count(Conflict) == 1
    assert len(accounts.everyone()) == 1


@pytest.mark.parametrize("token", ["", "x", "ImZpcnN0IGFkbWluIg.aaaa.bbbb", "ü"])
def test_a_made_up_set_up_link_is_refused(token: str, context: Flask) -> None:
    with pytest.raises(Conflict):
        first_admin(token)
    assert accounts.none_yet()


def test_a_set_up_link_ends_after_a_day(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    token = sign_in.setup_token()
    issued = time.time()
    day = sign_in.SETUP_LINK_SECONDS
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: issued + day - 5)
    sign_in.check_setup_token(token)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: issued + day + 5)
    with pytest.raises(Conflict, match="too old"):
        sign_in.check_setup_token(token)


def test_a_set_up_link_of_another_installation_is_refused(context: Flask) -> None:
    token = sign_in.setup_token()
    context.config["SECRET_KEY"] = "another secret"
    with pytest.raises(Conflict):
        first_admin(token)
