"""One part of a mail: headers as plain text, held to caps, and the parts inside it.

Headers come out unfolded, raw 8-bit read, bounded. RFC 2045, 5322.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import MessageDefect
from email.message import Message
from email.policy import Compat32, Policy
from typing import Any, cast

from flexmail.mail.charset import decode_text

MAX_HEADER_VALUE = 16 << 10
MAX_PARAMETERS = 2 << 10
MAX_PARTS = 50
MAX_DEPTH = 10
MAX_DEFECTS = 1000

# Parameters as nearly all programs write them: the standard reader takes its time for each.
_PLAIN_PARAMETER = re.compile(r';[ \t]*([\w-]+)="?([\w.+/:= -]+)"?', re.ASCII)
_PLAIN_PARAMETERS = re.compile(
    r"[\w.+-]+/?[\w.+-]*((?:;[ \t]*[\w-]+="
    r'(?:[\w.+/:-]+|"[\w.+/:=-](?:[\w.+/:= -]*[\w.+/:=-])?"))*)',
    re.ASCII,
)
_FOLD = re.compile(r"[\r\n]+[ \t]*")


class TooMuch(Exception):
    """The mail is over a cap; the sentence says which."""


class Part(Message):
    """A part that refuses children over the caps, which stops the parser at the number."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._sources: dict[str, list[tuple[str, str]]] = {}
        self._values: dict[str, tuple[str, ...]] = {}
        self._parameters: dict[str, dict[str, str]] = {}
        self._type = ""
        self.depth = 0
        self._count = [1]
        """How many parts the whole mail has so far, for each of them the same list."""
        self.children: list[Part] = []

    def attach(self, payload: Part) -> None:  # type: ignore[override]
        payload.depth, payload._count = self.depth + 1, self._count
        self._count[0] += 1
        if self._count[0] > MAX_PARTS:
            raise TooMuch(f"The mail has more than {MAX_PARTS} parts.")
        if payload.depth > MAX_DEPTH:
            raise TooMuch(f"The parts of the mail are nested more than {MAX_DEPTH} deep.")
        self.children.append(payload)
        super().attach(payload)

    def set_raw(self, name: str, value: str) -> None:
        """Take a header from the parser; they are asked for all the time, so they are indexed."""
        super().set_raw(name, value)
        key = name.lower()
        self._sources.setdefault(key, []).append((name, value))
        if self._values or self._parameters:  # somebody has asked already
            self._values.pop(key, None)
            self._parameters.pop(key, None)
        self._type = ""

    def take_fields(self, fields: list[tuple[str, str]]) -> None:
        """Take all headers of a part that has none and was asked for none."""
        self._headers = fields
        for field in fields:
            self._sources.setdefault(field[0].lower(), []).append(field)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, topmost first."""
        key = name.lower()
        values = self._values.get(key)
        if values is None:
            if key not in self._sources:
                return ()
            fetch = self.policy.header_fetch_parse
            values = tuple([str(fetch(*each)) for each in self._sources[key]])
            self._values[key] = values
        return values

    def first(self, name: str) -> str:
        """Return the topmost value of a header, or nothing."""
        values = self.all(name)
        return values[0] if values else ""

    def get(self, name: str, failobj: Any = None) -> Any:
        """Return the topmost value of a header, or `failobj`."""
        values = self.all(name)
        return values[0] if values else failobj

    def __contains__(self, name: object) -> bool:
        return str(name).lower() in self._sources

    def get_content_type(self) -> str:
        """Return it in lower case."""
        self._type = self._type or super().get_content_type()
        return self._type

    def set_default_type(self, ctype: str) -> None:
        """Say what it is where no header does."""
        super().set_default_type(ctype)
        self._type = ""

    def parameter(self, name: str, header: str = "content-type") -> str:
        """Return a parameter of a header, not decoded, or nothing."""
        parameters = self._parameters.get(header)
        if parameters is None:
            parameters = self._parameters[header] = {}
            value = self.first(header)
            if not value:
                return ""
            plain = _PLAIN_PARAMETERS.fullmatch(value)
            found = _PLAIN_PARAMETER.findall(plain[1]) if plain else self._odd_parameters(header)
            for key, text in found:
                parameters.setdefault(key.lower(), text)
        return parameters.get(name, "")

    def _odd_parameters(self, header: str) -> Iterator[tuple[str, str]]:
        for key, value in cast(list[tuple[str, Any]], self.get_params([], header)):
            yield key, str(value[2] if isinstance(value, tuple) else value)

    @property
    def is_attached(self) -> bool:
        """Tell whether the part says of itself that it is an attachment (RFC 2183)."""
        return self.get_content_disposition() == "attachment"

    def leaves(self) -> list[Part]:
        """Return the parts that hold content, in order; a mail inside the mail is one of them."""
        if self.get_content_maintype() == "multipart" and self.children:
            return [leaf for child in self.children for leaf in child.leaves()]
        return [self]


class _Policy(Compat32):
    def header_fetch_parse(self, name: str, value: str) -> str:
        # The standard reader of parameters is quadratic on quotes and semicolons.
        cap = MAX_PARAMETERS if name.lower().startswith("content-") else MAX_HEADER_VALUE
        # Who wrote it is never read from half a line; all headers together have a cap of their own.
        text = value if name.lower() == "from" else value[:cap]
        if not text.isascii():
            text = decode_text(text.encode("utf-8", "surrogateescape"), "utf-8")
        return (_FOLD.sub(" ", text) if "\n" in text or "\r" in text else text).strip()

    def register_defect(self, obj: Message, defect: MessageDefect) -> None:
        # The parser notes one for each of half a million lines: it stops here instead.
        if isinstance(obj, Part) and obj.depth and len(obj.defects) >= MAX_DEFECTS:
            raise TooMuch(f"A part of the mail has more than {MAX_DEFECTS} faults.")
        super().register_defect(obj, defect)


POLICY = _Policy(message_factory=Part)
