"""The lines of one HTML page, collected from the events of a parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import Signature

from flexmail.mail.element import Element, element_of
from flexmail.mail.markup import BLOCKS
from flexmail.mail.styles import Declarations, style_rules
from flexmail.mail.visibility import VISIBLE, Look, look_of

MAX_STYLE_RULES = 2000
# What lies below this many elements is not read: no answer needs them.
MAX_ELEMENTS = 50_000
# Nor below so many that are open: for each stray end tag libxml2 looks at all of them.
MAX_DEPTH = 1000

_RULE = "-" * 32
_SIGNATURE = "-- "
_BLANKS = " \t\r\n\f"
# One space is one space already.
_SPACES = re.compile(rf"[{_BLANKS}]{{2,}}|[{_BLANKS.strip(' ')}]")


# Compared by identity: what is inside the same elements again is the same place again.
@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """What the elements around some text say about it."""

    look: Look = VISIBLE
    unseen: bool = False
    dropped: bool = False
    quoted: bool = False
    struck: bool = False
    keeps_lines: bool = False


def _inside(element: Element, around: _Place, rules: Mapping[str, Declarations]) -> _Place:
    look = look_of(element.attributes, rules, element.tag, around.look)
    dropped = around.dropped or element.is_dropped
    return _Place(
        look=look,
        unseen=dropped or look.hidden,
        dropped=dropped,
        quoted=around.quoted or element.is_quote,
        struck=around.struck or element.is_struck or look.struck,
        keeps_lines=around.keeps_lines if element.keeps_lines is None else element.keeps_lines,
    )


@lru_cache(maxsize=512)
def _inside_without_rules(element: Element, around: _Place) -> _Place:
    return _inside(element, around, {})


_OUTSIDE = (element_of("", {}), _Place())


class Page:
    """The target of libxml2's events: collects lines.

    `is_full` once a cap is passed: what follows is not read.
    """

    def __init__(self) -> None:
        self._open = [_OUTSIDE]
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
        if self._elements > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            self.is_full = True
        if self.is_full:
            return
        element = element_of(tag, attributes)
        around = self._open[-1][1]
        if not around.dropped:
            if self._line and element.is_block:
                self._break()
            if element.is_announced:
                self._announce(element)
        place = around
        if self._rules or not element.is_neutral:
            place = self._enter(element, around)
        self._open.append((element, place))
        if place.struck and not around.struck:
            self._write("~", place)

    # lxml asks each target for it, to see whether it takes namespaces; working it out takes long.
    start.__signature__ = Signature()  # type: ignore[attr-defined]

    def end(self, tag: str) -> None:
        if self.is_full:
            return
        element, place = self._open.pop() if len(self._open) > 1 else _OUTSIDE
        if tag == "style":
            self._read_sheet()
        if place.struck and not self._open[-1][1].struck:
            self._write("~", place)
        if place.dropped:
            return
        if self._line and tag in BLOCKS:
            self._break()
        if element.is_set_off and self._lines and self._lines[-1].strip("> "):
            self._add("")

    def data(self, text: str) -> None:
        if self.is_full:
            return
        element, place = self._open[-1]
        if element.tag == "style":
            self._sheet.append(text)
        if place.keeps_lines:
            first, *others = text.split("\n")
            self._write(first, place)
            for line in others:
                self._break(always=True)
                self._write(line, place)
        elif self._line or text.strip(_BLANKS):  # a line begins with what shows
            self._write(text, place)

    def close(self) -> None:
        self._break()

    def text(self) -> str:
        return "\n".join(self._lines)

    def _enter(self, element: Element, around: _Place) -> _Place:
        if self._rules:
            return _inside(element, around, self._rules)
        if element.is_long:
            return _inside(element, around, {})
        return _inside_without_rules(element, around)

    def _announce(self, element: Element) -> None:
        """Write what an element itself stands for, before anything inside it."""
        if element.starts_history:
            self._break()
            self._history = True
        if element.tag == "br":
            self._break(always=True)
        elif element.tag == "hr":
            self._add(_RULE)
        elif element.is_cell:
            self._write(" ", self._open[-1][1])
        if element.is_signature:
            self._break()
            self._add(_SIGNATURE)

    def _write(self, text: str, place: _Place) -> None:
        if not text or place.unseen:
            return
        quoted = place.quoted or self._history
        if quoted != self._line_quoted:
            self._break()
            self._line_quoted = quoted
        self._line.append(text)

    def _break(self, *, always: bool = False) -> None:
        text = "".join(self._line).replace("\u00a0", " ").strip(_BLANKS) if self._line else ""
        self._line.clear()
        if text:
            text = _SPACES.sub(" ", text)
            self._lines.append(f"> {text}" if self._line_quoted else text)
        elif always:
            self._add("")

    def _add(self, text: str) -> None:
        quoted = self._open[-1][1].quoted or self._history
        self._lines.append(f"> {text}".rstrip() if quoted else text)

    def _read_sheet(self) -> None:
        for name, declared in style_rules("".join(self._sheet)):
            if len(self._rules) < MAX_STYLE_RULES:
                self._rules[name] = {**self._rules.get(name, {}), **declared}
        self._sheet.clear()
