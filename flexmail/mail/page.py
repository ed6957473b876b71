"""The lines of one HTML page, collected from the events of a parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from flexmail.mail.markup import (
    BLOCKS,
    CELLS,
    DROPPED,
    QUOTES,
    SIGNATURES,
    STRUCK,
    is_set_off,
    names,
    starts_history,
)
from flexmail.mail.styles import Declarations, declarations, style_rules
from flexmail.mail.visibility import VISIBLE, Look, look_of

MAX_STYLE_RULES = 2000
# What lies below this many elements is not read: no answer needs them.
MAX_ELEMENTS = 50_000
# Nor below so many that are open: for each stray end tag libxml2 looks at all of them.
MAX_DEPTH = 1000

_RULE = "-" * 32
_SIGNATURE = "-- "
_SPACES = re.compile(r"[ \t\r\n\f]+")


class _Place(NamedTuple):
    """Where the walker stands: what the elements around it say about text."""

    tag: str = ""
    look: Look = VISIBLE
    dropped: bool = False
    quoted: bool = False
    struck: bool = False
    keeps_lines: bool = False
    spaced: bool = False


class Page:
    """The target of libxml2's events: collects lines.

    `is_full` once a cap is passed: what follows is not read.
    """

    def __init__(self) -> None:
        self._places = [_Place()]
        self._rules: dict[str, Declarations] = {}
        self._sheet: list[str] = []
        self._line: list[str] = []
        self._lines: list[str] = []
        self._line_quoted = False
        self._history = False
        self._elements = 0
        self.is_full = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        self.is_full |= self._elements > MAX_ELEMENTS or len(self._places) > MAX_DEPTH
        if self.is_full:
            return
        around = self._places[-1]
        named = names(attributes)
        if not around.dropped:
            self._announce(tag, attributes, named)
        place = self._enter(tag, attributes, named, around)
        self._places.append(place)
        if place.struck and not around.struck:
            self._write("~", place)

    def end(self, tag: str) -> None:
        if self.is_full:
            return
        place = self._places.pop() if len(self._places) > 1 else self._places[-1]
        if tag == "style":
            self._read_sheet()
        if place.struck and not self._places[-1].struck:
            self._write("~", place)
        if place.dropped:
            return
        if tag in BLOCKS:
            self._break()
        if place.spaced and self._lines and self._lines[-1].strip("> "):
            self._add("")

    def data(self, text: str) -> None:
        if self.is_full:
            return
        place = self._places[-1]
        if place.tag == "style":
            self._sheet.append(text)
        if place.keeps_lines:
            first, *others = text.split("\n")
            self._write(first, place)
            for line in others:
                self._break(always=True)
                self._write(line, place)
        else:
            self._write(_SPACES.sub(" ", text), place)

    def close(self) -> None:
        self._break()

    def text(self) -> str:
        return "\n".join(self._lines)

    def _enter(self, tag: str, attributes: Mapping[str, str], named: str, around: _Place) -> _Place:
        style = declarations(attributes.get("style", ""))
        look = look_of(attributes, self._rules, tag, around.look)
        return _Place(
            tag=tag,
            look=look,
            dropped=around.dropped or tag in DROPPED,
            quoted=around.quoted or tag == "blockquote" or bool(QUOTES.search(named)),
            struck=around.struck or tag in STRUCK or look.struck,
            spaced=is_set_off(tag, attributes, named),
            keeps_lines=(around.keeps_lines or tag == "pre")
            if "white-space" not in style
            else style["white-space"].startswith(("pre", "break-spaces")),
        )

    def _announce(self, tag: str, attributes: Mapping[str, str], named: str) -> None:
        """Write what an element itself stands for, before anything inside it."""
        if tag in BLOCKS:
            self._break()
        if starts_history(attributes, named):
            self._break()
            self._history = True
        if tag == "br":
            self._break(always=True)
        elif tag == "hr":
            self._add(_RULE)
        elif tag in CELLS:
            self._write(" ", self._places[-1])
        if SIGNATURES.search(named) or "data-signatureblock" in attributes:
            self._break()
            self._add(_SIGNATURE)

    def _write(self, text: str, place: _Place) -> None:
        if not text or place.dropped or place.look.hidden:
            return
        quoted = place.quoted or self._history
        if quoted != self._line_quoted:
            self._break()
            self._line_quoted = quoted
        self._line.append(text.replace("\u00a0", " "))

    def _break(self, *, always: bool = False) -> None:
        text = _SPACES.sub(" ", "".join(self._line)).strip(" ")
        self._line.clear()
        if text:
            self._lines.append(f"> {text}" if self._line_quoted else text)
        elif always:
            self._add("")

    def _add(self, text: str) -> None:
        quoted = self._places[-1].quoted or self._history
        self._lines.append(f"> {text}".rstrip() if quoted else text)

    def _read_sheet(self) -> None:
        for name, declared in style_rules("".join(self._sheet)):
            if len(self._rules) < MAX_STYLE_RULES:
                self._rules[name] = {**self._rules.get(name, {}), **declared}
        self._sheet.clear()
