"""Jinja's sandbox, as the words of notifications use it: values in, text out, and nothing else.

It says nothing about time and memory: whoever runs it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jinja2 import ChainableUndefined, TemplateRuntimeError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one kind of text: HTML, where all values are escaped, or any other."""

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=ChainableUndefined,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.globals.clear()
        self.filters.pop("safe", None)
        # Jinja's own marks quotes as safe, also within an attribute.
        self.filters["tojson"] = _json

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell what a template may use; MarkupSafe leaves what is translated unescaped."""
        is_markup_translate = isinstance(obj, Markup) and attr == "translate"
        return not is_markup_translate and super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what was told under a name, rather than what Python's dict can do."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _shown(value: Any) -> Any:
    if isinstance(value, Iterator):
        raise TemplateRuntimeError("A filter gave no text yet: add |list or |join(', ')")
    if callable(value) and not isinstance(value, Undefined):
        raise TemplateRuntimeError("A function cannot be shown: put () behind its name")
    return "" if value is None else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_null)


def _null(value: Any) -> None:
    if not isinstance(value, Undefined):
        raise TypeError(f"{type(value).__name__} is no JSON")
