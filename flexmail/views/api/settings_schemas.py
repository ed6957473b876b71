"""The description of the settings, made from the form's fields: one definition for people and
programs. Nothing here checks a value.
"""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from wtforms import BooleanField, Field, IntegerField, SelectField
from wtforms.validators import Length, NumberRange

from flexmail.forms import EmailSettingsForm
from flexmail.services.settings import SECRETS

Json = dict[str, Any]
_STATE = {"type": "string", "enum": ["set", "not set"], "description": "Whether one is stored."}


def reference_to(name: str) -> Json:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def body_of(name: str) -> Json:
    """Describe a request body."""
    content = {"application/json": {"schema": reference_to(name)}}
    return {"required": True, "content": content}


def describe(spec: APISpec) -> None:
    """Add the components that the settings' routes refer to; needs an application context."""
    form = EmailSettingsForm(formdata=None, meta={"csrf": False})
    given = {field.name: _property(field) for field in form}
    stored = {
        name: {"title": described["title"], **_STATE} if name in SECRETS else described
        for name, described in given.items()
        if not name.endswith("_remove") and name != "confirm_deletion"
    }
    stored["in_force"] = _in_force()
    notices = {"type": "array", "items": {"type": "string"}}
    to = {"type": "string", "description": "Address of an account; it gets the test mail."}
    round_trip = {
        "type": "boolean",
        "default": False,
        "description": "Also send a probe to the Approval Reply Address and await it.",
    }
    for name, properties, required in (
        ("EmailSettings", stored, [*stored]),
        ("SavedEmailSettings", {**stored, "notices": notices}, [*stored, "notices"]),
        ("EmailSettingsChange", given, []),
        ("EmailSettingsTest", {**given, "to": to, "round_trip": round_trip}, ["to"]),
        ("EmailSettingsReport", {"smtp": _side(), "imap": _imap_side()}, ["smtp", "imap"]),
    ):
        spec.components.schema(name, _object(properties, required))


def _property(field: Field) -> Json:
    found: Json = {
        "type": "string",
        "title": field.label.text,
        "description": str(field.description),
        "default": field.default,
    }
    if isinstance(field, BooleanField):
        found |= {"type": "boolean", "default": bool(field.default)}
    elif isinstance(field, IntegerField):
        found["type"] = "integer"
    elif isinstance(field, SelectField):
        found["enum"] = [choice.value for choice in field.choices]
    for validator in field.validators:
        if isinstance(validator, NumberRange):
            found |= {"minimum": validator.min, "maximum": validator.max}
        elif isinstance(validator, Length):
            found["maxLength"] = validator.max
    return {key: value for key, value in found.items() if value is not None}


def _in_force() -> Json:
    names = ("imap_user", "imap_auth", "email_reply_folder", "approval_reply_address")
    properties: Json = {name: {"type": "string"} for name in names}
    source = {"type": "string", "enum": ["set", "SMTP Password", "not set"]}
    properties["imap_password"] = source | {"description": "Where it comes from."}
    return _object(properties, [*properties]) | {"description": "What empty fields fall back on."}


def _object(properties: Json, required: list[str]) -> Json:
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def _side(**more: Any) -> Json:
    step = {
        "name": {"type": "string"},
        "ok": {"type": ["boolean", "null"], "description": "null: not reached."},
        "seconds": {"type": ["number", "null"]},
        "detail": {"type": "string", "description": "What happened, in words."},
        "hint": {"type": "string", "description": "What to change."},
    }
    steps = {"type": "array", "items": _object(step, [*step])}
    properties = {"ok": {"type": "boolean"}, "steps": steps, **more}
    return _object(properties, [*properties])


def _imap_side() -> Json:
    waiting = {
        "type": ["integer", "null"],
        "description": "Mails in the reply folder; they are deleted once approval is on.",
    }
    return _side(waiting=waiting) | {
        "type": ["object", "null"],
        "description": "null when no IMAP host is given.",
    }
