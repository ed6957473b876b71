"""Accounts: what they may be, and that power which is taken away is gone at once."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flexmail.errors import Conflict, InvalidInput, NotFound
from flexmail.models import User
from flexmail.services import accounts
from tests.conftest import NOW, PASSWORD
from tests.services.stage import ADA, BOB, together


def add(email: str, role: str = "approver", **given: Any) -> User:
    return accounts.add(email, role=role, now=NOW, **given)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("carol@corp.test", "carol@corp.test"),
        ("Carol@CORP.Test", "Carol@corp.test"),
        ("carol@bücher.test", "carol@xn--bcher-kva.test"),
        ("carol@BÜCHER.test", "carol@xn--bcher-kva.test"),
        ("o'hara+ops@corp.test", "o'hara+ops@corp.test"),
    ],
)
def test_an_address_is_stored_with_its_domain_lower_case_in_a_labels(
    given: str, stored: str, context: Flask
) -> None:
    assert add(given).email == stored
    assert accounts.get(given).email == stored
    assert accounts.find(stored) is not None


@pytest.mark.parametrize(
    "given",
    [
        *("", "carol", "carol@", "@corp.test", "carol@@corp.test", "a b@corp.test"),
        *(
            "carol@corp.test\r\nBcc: x@evil.test",
            "Carol <carol@corp.test>",
            "c@corp.test, d@x.test",
        ),
        *("carol@corp.test\x00", "carol@corp..test", "a" * 245 + "@corp.test", "\ud800@corp.test"),
    ],
)
def test_what_is_no_address_is_refused(given: str, context: Flask) -> None:
    with pytest.raises(InvalidInput) as raised:
        add(given)
    assert list(raised.value.errors) == ["email"]
    assert accounts.find(given) is None
    with pytest.raises(NotFound):
        accounts.get(given)


@pytest.mark.parametrize("again", [BOB, "bob@CORP.TEST"])
def test_an_address_has_one_account(again: str, people: Flask) -> None:
    with pytest.raises(Conflict):
        add(again)
    assert [user.email for user in accounts.everyone()] == [ADA, BOB]


def test_two_who_add_the_same_address_at_once_make_one_account(context: Flask) -> None:
    results = together(context, *[lambda: bool(add("carol@corp.test").email)] * 4)
    assert sorted(str(type(result).__name__) for result in results) == ["Conflict"] * 3 + ["bool"]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("role", {"role": "root"}),
        ("role", {"role": ""}),
        ("role", {"role": "Admin"}),
        ("name", {"name": "two\nlines"}),
        ("name", {"name": "a" * 121}),
        ("groups", {"groups": ["has space"]}),
        ("groups", {"groups": ["ops", "-dash"]}),
        ("groups", {"groups": ["a" * 65]}),
        ("groups", {"groups": ["größe"]}),
        ("groups", {"groups": ["group:ops"]}),
        ("password", {"password": "too short"}),
        ("password", {"password": ""}),
        ("password", {"password": "a" * 513}),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_nothing_is_made(
    field: str, given: dict[str, Any], context: Flask
) -> None:
    with pytest.raises(InvalidInput) as raised:
        add("carol@corp.test", **given)
    assert list(raised.value.errors) == [field]
    assert accounts.none_yet()


def test_a_password_that_is_too_long_is_told_so(context: Flask) -> None:
    with pytest.raises(InvalidInput, match=r"512|most|long"):
        add("carol@corp.test", password="a" * 513)


def test_groups_are_sorted_lower_case_and_each_once(context: Flask) -> None:
    user = add("carol@corp.test", groups=["Ops", " dba ", "ops", ""])
    assert user.group_names == ["dba", "ops"]


def test_a_password_is_stored_as_an_argon2id_hash(context: Flask) -> None:
    user = add("carol@corp.test", password=PASSWORD)
    assert str(user.password_hash).startswith("$argon2id$")
    assert PASSWORD not in str(user.password_hash)


def test_only_what_is_given_is_changed(people: Flask) -> None:
    accounts.edit(BOB, groups=["ops"])
    accounts.edit(BOB, name="Robert")
    accounts.edit(BOB, role="admin")
    user = accounts.get(BOB)
    assert (user.name, user.role, user.group_names) == ("Robert", "admin", ["ops"])


@pytest.mark.parametrize(
    ("before", "after"),
    [([], ["ops"]), (["ops"], []), (["a", "b"], ["b", "c"]), (["a"], ["a"])],
)
def test_groups_become_what_is_given(before: list[str], after: list[str], people: Flask) -> None:
    accounts.edit(BOB, groups=before)
    assert accounts.edit(BOB, groups=after).group_names == after


def test_a_change_with_one_wrong_part_changes_nothing(people: Flask) -> None:
    with pytest.raises(InvalidInput):
        accounts.edit(BOB, role="admin", name="Robert", groups=["not good"])
    user = accounts.get(BOB)
    assert (user.role, user.name) == ("approver", "Bob")


def test_disabling_enabling_and_a_new_password_end_all_sessions(people: Flask) -> None:
    versions = [accounts.get(BOB).session_version]
    versions.append(accounts.set_active(BOB, False).session_version)
    versions.append(accounts.set_active(BOB, True).session_version)
    versions.append(accounts.set_password(BOB, PASSWORD).session_version)
    accounts.end_sessions(accounts.get(BOB).id)
    versions.append(accounts.get(BOB).session_version)
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("act", ["edit", "set_active", "set_password"])
def test_an_unknown_account_cannot_be_changed(act: str, people: Flask) -> None:
    with pytest.raises(NotFound):
        {
            "edit": lambda: accounts.edit("x@corp.test", name="X"),
            "set_active": lambda: accounts.set_active("x@corp.test", False),
            "set_password": lambda: accounts.set_password("x@corp.test", PASSWORD),
        }[act]()


def test_the_last_active_admin_stays_admin_and_active(people: Flask) -> None:
    with pytest.raises(Conflict, match="last active admin"):
        accounts.set_active(ADA, False)
    with pytest.raises(Conflict, match="last active admin"):
        accounts.edit(ADA, role="approver", name="Nobody")
    ada = accounts.get(ADA)
    assert (ada.role, ada.active, ada.name) == ("admin", True, "Ada")


def test_a_disabled_admin_does_not_count_as_another(people: Flask) -> None:
    add("carol@corp.test", role="admin")
    accounts.set_active("carol@corp.test", False)
    with pytest.raises(Conflict):
        accounts.set_active(ADA, False)
    accounts.set_active("carol@corp.test", True)
    assert not accounts.set_active(ADA, False).active


def test_a_disabled_admin_may_be_made_an_approver(people: Flask) -> None:
    add("carol@corp.test", role="admin")
    accounts.set_active("carol@corp.test", False)
    assert accounts.edit("carol@corp.test", role="approver").role == "approver"


def test_two_admins_who_disable_each_other_at_once_leave_one(people: Flask) -> None:
    accounts.edit(BOB, role="admin")
    results = together(
        people,
        lambda: accounts.set_active(ADA, False).id,
        lambda: accounts.set_active(BOB, False).id,
    )
    assert [type(result) for result in results].count(Conflict) == 1
    assert len([user for user in accounts.everyone() if user.active]) == 1


def test_only_one_account_is_ever_the_first(context: Flask) -> None:
    results = together(
        context,
        *[
            lambda email=f"first{number}@corp.test": (
                accounts.add(email, role="admin", now=NOW, only_if_first=True).id
            )
            for number in range(4)
        ],
    )
    assert [type(result) for result in results].count(Conflict) == 3
    assert len(accounts.everyone()) == 1


def test_an_account_shows_no_hash_in_its_repr(context: Flask) -> None:
    user = add("carol@corp.test", password=PASSWORD)
    assert "argon2" not in repr(user)
