"""Run commands as `flexmail` does, in this process and on the test's own database."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from flexmail import cli
from flexmail.forms import values_from
from flexmail.services import settings


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.StringIO):
    """Somebody sits there and types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored_log() -> Iterator[None]:
    """Give back the log that some commands make quiet for the rest of their process."""
    log = logging.getLogger("flexmail")
    level = log.level
    yield
    log.setLevel(level)


Flexmail = Callable[..., Said]


@pytest.fixture
def flexmail(
    app: Flask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Flexmail:
    """Return a function that runs one command; `stdin` is what is piped into it."""

    def run(*args: str, stdin: str = "", terminal: bool = False) -> Said:
        monkeypatch.setattr("sys.stdin", (Terminal if terminal else io.StringIO)(stdin))
        capsys.readouterr()
        code = cli.run(args, lambda: app)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def mail_is_set_up(app: Flask) -> None:
    """Give flexmail a mail server that refuses every connection."""
    set_up(app, smtp_host_name="127.0.0.1", smtp_host_port=1, smtp_from_address="deploy@corp.test")


def set_up(app: Flask, **given: object) -> None:
    with app.app_context():
        settings.save(values_from(settings.stored_values(settings.load()), given))
