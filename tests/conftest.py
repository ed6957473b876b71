"""The cast and the stage: Ada is admin, Bob approves, Charlie must never change anything.

Every test that asks for `app` gets an instance folder and a real SQLite database of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from flexmail import create_app
from flexmail.services import account_rules, accounts

pytest_plugins = ["tests.no_skips", "tests.fixtures_servers"]

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cast:
    """Addresses of the people; all have `PASSWORD`."""

    ada: str = "ada@corp.test"
    bob: str = "bob@corp.test"
    charlie: str = "charlie@evil.test"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own flexmail out of the tests."""
    import os

    for name in list(os.environ):
        if name.startswith("FLEXMAIL_") and name != "FLEXMAIL_CORPUS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLEXMAIL_INSTANCE_PATH", str(tmp_path / "instance"))


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    """Hash as argon2id all the same, but in no time: hundreds of tests make accounts."""
    account_rules.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session")
def fresh_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as a first start leaves it, to be copied instead of made anew."""
    folder = tmp_path_factory.mktemp("fresh") / "instance"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEXMAIL_INSTANCE_PATH", str(folder))
        create_app({"TESTING": True})
    return folder


@pytest.fixture
def app(no_environment: None, fresh_instance: Path, tmp_path: Path) -> Flask:
    shutil.copytree(fresh_instance, tmp_path / "instance", dirs_exist_ok=True)
    return create_app({"TESTING": True})


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """An application context, for tests that call services."""
    with app.app_context():
        yield app


@pytest.fixture
def cast(app: Flask) -> Cast:
    """Make Ada (admin) and Bob (approver); Charlie has no account."""
    people = Cast()
    with app.app_context():
        accounts.add(people.ada, role="admin", name="Ada", password=PASSWORD, now=NOW)
        accounts.add(people.bob, role="approver", name="Bob", password=PASSWORD, now=NOW)
    return people


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
