"""What the small forms share: texts without the space around them, and errors beside fields."""

from __future__ import annotations

from typing import Any

from wtforms import Field, Form, PasswordField, StringField

from flexmail.errors import InvalidInput


def text(label: str, help_text: str = "", *, id: str | None = None, **render: Any) -> Field:
    """Return a field of one line; the service behind the form knows the rules."""
    return StringField(
        label, description=help_text, filters=[_stripped], id=id, render_kw=render or None
    )


def password(label: str, help_text: str = "", *, autocomplete: str, required: bool = True) -> Field:
    """Return a field for a password, which is never shown again."""
    render = {"autocomplete": autocomplete, "required": required}
    return PasswordField(label, description=help_text, default="", render_kw=render)


def show(form: Form, error: InvalidInput) -> None:
    """Put each sentence beside its field, or at the top where it has none."""
    for name, sentences in error.errors.items():
        if name in form:
            form[name].errors = [*form[name].errors, *sentences]
        else:
            form.form_errors.extend(sentences)


def _stripped(given: str | None) -> str:
    return (given or "").strip()
