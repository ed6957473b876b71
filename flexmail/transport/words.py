"""Text that crosses the border: what servers say, and what people typed for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_MAX_CHARACTERS = 200


def in_words(answer: bytes | str, secrets: Iterable[str] = ()) -> str:
    """Return a server's text fit for a page or a log: short, one line, and without the secrets."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    seen = text
    if not text.isprintable():
        seen = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join(seen.split())[:_MAX_CHARACTERS]


def has_control(text: str) -> bool:
    """Tell whether a text holds a character that could end a line or a command."""
    return not text.isprintable() and any(unicodedata.category(char) == "Cc" for char in text)
