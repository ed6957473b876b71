"""What stands in the docs is there, and what is there stands in the docs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

from flexmail import cli, demo
from flexmail.forms import EmailSettingsForm
from flexmail.mail.event_template import FIELDS, MAX_RENDERED, MAX_SOURCE, VARIABLES
from flexmail.models import OUTCOMES
from flexmail.services import event_types, webhook_secrets
from flexmail.services.approval_requests import NewApproval
from flexmail.services.new_event import NewEvent
from flexmail.services.tokens import SCOPES
from flexmail.transport.webhook import signed

ROOT = Path(__file__).parents[1]
DOCS = {path.name: path.read_text() for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]}


def test_every_setting_stands_in_the_admin_guide(app: Flask) -> None:
    with app.test_request_context():
        fields = [field.name for field in EmailSettingsForm(meta={"csrf": False})]
    assert [name for name in fields if f"`{name}`" not in DOCS["admin.md"]] == []


def test_every_default_in_the_admin_guide_is_the_forms(app: Flask) -> None:
    with app.test_request_context():
        fields = {field.name: field.default for field in EmailSettingsForm(meta={"csrf": False})}
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", DOCS["admin.md"], re.M)
    assert len(rows) >= 25
    told = {name: default.strip().strip("`") for name, default in rows if name in fields}
    shown = {True: "on", False: "off", "": "empty"}
    for name, default in told.items():
        if default != "–":
            assert default == str(shown.get(fields[name], fields[name])), name


def test_every_outcome_stands_in_the_admin_guide() -> None:
    assert [name for name in OUTCOMES if f"`{name}`" not in DOCS["admin.md"]] == []


def commands() -> click.Group:
    return click.Group("flexmail", {**cli.all_commands(), "demo": demo.command})


def _paths(group: click.Group, prefix: str) -> list[str]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += _paths(command, f"{prefix} {name}")
        elif not command.hidden:
            found.append(f"{prefix} {name}")
    return found


def test_every_command_stands_in_the_operations_guide() -> None:
    group = commands()
    for path in _paths(group, ""):
        words = path.split()
        assert " ".join(words) in DOCS["operations.md"], path


def test_every_command_in_the_docs_exists() -> None:
    known = {path.strip() for path in _paths(commands(), "")} | {"db upgrade"}
    for name, text in DOCS.items():
        for first, second in re.findall(r"flexmail (\w+)(?: (\w[\w-]*))?", text):
            if first in {path.split()[0] for path in known}:
                assert first in known or f"{first} {second}" in known, f"{name}: {first} {second}"


@pytest.mark.parametrize(
    "name",
    [
        "INSTANCE_PATH",
        "SQLALCHEMY_DATABASE_URI",
        "SECRET_KEY",
        "ENCRYPTION_KEYS",
        "INSTALLATION_MARK",
        "BASE_URL",
        "TIMEZONE",
        "TRUSTED_PROXIES",
        "LONG_POLLS",
        "EVENTS_PER_TOKEN_HOUR",
        "NOTIFICATIONS_PER_RECIPIENT_HOUR",
        "CALLBACK_ALLOWED_HOSTS",
    ],
)
def test_every_environment_variable_stands_in_the_operations_guide(name: str) -> None:
    assert f"`FLEXMAIL_{name}`" in DOCS["operations.md"]


def test_every_api_route_stands_in_the_api_guide(app: Flask) -> None:
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", "{id}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
    }
    assert routes
    assert [route for route in routes if route.removeprefix("/api/v1") not in DOCS["api.md"]] == []


def test_every_key_of_an_approval_stands_in_the_api_guide() -> None:
    keys = NewApproval.__dataclass_fields__
    assert [key for key in keys if f"`{key}`" not in DOCS["api.md"]] == []
    assert [scope for scope in SCOPES if f"`{scope}`" not in DOCS["api.md"]] == []


def test_every_key_of_an_event_and_every_type_stands_in_the_guides() -> None:
    keys = NewEvent.__dataclass_fields__
    assert [key for key in keys if f"| `{key}` |" not in DOCS["api.md"]] == []
    guide = DOCS["notifications.md"]
    for name, kind in event_types.BUILT_IN.items():
        (row,) = re.findall(rf"^\| `{name}` \| ([^|]+) \| (yes|no) \|$", guide, re.M)
        assert all(f"`data.{key}`" in row[0] for key in kind.to), name
        assert row[1] == ("yes" if kind.waits else "no"), name


def test_the_example_that_verifies_a_callback_works() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCS["api.md"], re.S)
    namespace: dict[str, Any] = {}
    exec(example, namespace)  # noqa: S102 (it is our own)
    secret, now = webhook_secrets.new(), datetime.now(UTC)
    body = b'{"type":"approval.decided","data":{"id":1}}'
    headers = signed("msg_1", body, secret=secret, at=now)
    verified = namespace["verified"]
    assert verified(body, headers, secret)["data"] == {"id": 1}
    old = signed("msg_1", body, secret=secret, at=now - timedelta(minutes=6))
    others = signed("msg_1", body, secret=webhook_secrets.new(), at=now)
    for changed, given in ((body + b" ", headers), (body, old), (body, others)):
        with pytest.raises(ValueError, match=r"signature|old"):
            verified(changed, given, secret)


def test_every_variable_and_limit_of_a_template_stands_in_its_guide() -> None:
    assert [name for name in VARIABLES if f"| `{name}` |" not in DOCS["templates.md"]] == []
    for field in FIELDS:
        limits = f"{MAX_SOURCE[field]:,} characters | {MAX_RENDERED[field]:,} characters"
        assert limits in DOCS["templates.md"]


def test_links_between_the_docs_lead_somewhere() -> None:
    for name, text in DOCS.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / target).exists(), f"{name}: {target}"


def test_every_fault_has_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (?!Fault |-)([^|]+) \| ([^|]+) \| ([^|]+) \|$", DOCS["faults.md"], re.M)
    assert len(rows) >= 40
    for fault, named, result in rows:
        found = re.findall(r"`([\w/]+\.py)::(test_\w+)`", named)
        assert found, fault
        assert len(found) == named.count("::"), fault
        assert result.strip().endswith("."), fault
        for path, name in found:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(), f"{fault}: {name}"
