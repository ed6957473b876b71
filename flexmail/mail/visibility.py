"""What a reader of an HTML mail cannot see: the few ways of CSS and HTML to hide text.

Every step is linear in the input. CSS 2.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from flexmail.mail.colour import WHITE, Colour, is_clear, look_alike, read_colour
from flexmail.mail.styles import (
    DECORATIONS,
    MAX_REMEMBERED,
    NOTHING,
    Declarations,
    declarations,
)

_LENGTH = re.compile(r"(-?\d{1,6}(?:\.\d{0,6})?|-?\.\d{1,6})([a-z%]{0,4})", re.ASCII)
_FAR_AWAY = -100.0
_TINY = {"px": 1.5, "pt": 1.5, "": 1.5, "%": 10.0}
_TINY_IN_OTHER_UNITS = 0.1
_BARELY_OPAQUE = 0.05
_IN_PIXELS = {"em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "in": 96.0, "cm": 38.0, "vw": 10.0}
_NO_AREA = re.compile(r"inset\((?:5\d|[6-9]\d|100)%|circle\(0|rect\((?:0(?:px)?[ ,)]+){3}")
_NO_SCALE = re.compile(r"scale(?:3d|x|y)?\([^)]*?(?<![\d.])0*\.?0+(?![\d.])")

# Attributes of HTML that say how text shows.
SAID_BY_HTML = frozenset({"hidden", "color", "text", "bgcolor", "background"})


@dataclass(frozen=True, slots=True)
class Look:
    """How text shows at one place of a page; a colour of `None` is one that nothing here tells.

    What is `gone` or `struck` stays so for all that it holds; size and colours hold until something
    inside sets its own.
    """

    gone: bool = False
    struck: bool = False
    tiny: bool = False
    clear: bool = False
    colour: Colour | None = None
    background: Colour | None = WHITE

    @property
    def hidden(self) -> bool:
        lost = self.tiny or self.clear or look_alike(self.colour, self.background)
        return self.gone or lost


VISIBLE = Look()


def look_of(
    attributes: Mapping[str, str], rules: Mapping[str, Declarations], tag: str, around: Look
) -> Look:
    """Say how text inside an element shows, given how it shows around it."""
    declared = declarations(attributes.get("style", ""))
    if rules:
        by_rules: dict[str, str] = {}
        for name in _names(attributes, tag):
            by_rules.update(rules.get(name, NOTHING))
        declared = by_rules | dict(declared)
    if not declared and SAID_BY_HTML.isdisjoint(attributes):
        return around
    size = declared.get("font-size") or _size_in(declared.get("font", ""))
    colour = declared.get("color") or attributes.get("color") or attributes.get("text", "")
    return Look(
        gone=around.gone or "hidden" in attributes or _is_taken_away(declared),
        struck=around.struck or any("line-through" in declared.get(n, "") for n in DECORATIONS),
        tiny=_is_tiny(size) if size else around.tiny,
        clear=is_clear(colour) if colour else around.clear,
        colour=read_colour(colour) if colour else around.colour,
        background=_background(declared, attributes, around),
    )


def _names(attributes: Mapping[str, str], tag: str) -> Iterator[str]:
    yield tag
    yield from (f".{name}" for name in attributes.get("class", "").lower().split())
    if identity := attributes.get("id"):
        yield f"#{identity.lower()}"


def _is_taken_away(declared: Declarations) -> bool:
    if sum(map(len, declared.values())) > MAX_REMEMBERED:
        return _takes_away(declared)
    return _short_takes_away(tuple(declared.items()))


@lru_cache(maxsize=512)
def _short_takes_away(declared: tuple[tuple[str, str], ...]) -> bool:
    return _takes_away(dict(declared))


def _takes_away(declared: Declarations) -> bool:
    def zero(name: str) -> bool:
        length = _length(declared.get(name, ""))
        return length is not None and length[0] == 0

    def below(name: str, limit: float) -> bool:
        length = _length(declared.get(name, ""))
        return length is not None and length[0] * _IN_PIXELS.get(length[1], 1.0) <= limit

    value = declared.get
    return (
        value("display") == "none"
        or value("visibility") in {"hidden", "collapse"}
        or value("mso-hide") == "all"
        or below("opacity", _BARELY_OPAQUE)
        or zero("max-height")
        or ("hidden" in value("overflow", "") and (zero("height") or zero("width")))
        or below("text-indent", _FAR_AWAY)
        or (
            value("position") in {"absolute", "fixed"}
            and any(below(side, _FAR_AWAY) for side in ("left", "top", "right"))
        )
        or any(below(side, _FAR_AWAY) for side in ("margin-left", "margin-top"))
        or below("margin", _FAR_AWAY)
        or bool(_NO_AREA.search(value("clip-path", "") + value("clip", "")))
        or bool(_NO_SCALE.search(value("transform", "")[:200]))
    )


def _length(value: str) -> tuple[float, str] | None:
    found = _LENGTH.fullmatch(value.strip()[:40])
    return (float(found[1]), found[2]) if found else None


def _size_in(font: str) -> str:
    """Return the size in a `font` declaration, or nothing."""
    words = (word.partition("/")[0] for word in font[:200].split())
    return next((word for word in words if _LENGTH.fullmatch(word)), "")


def _is_tiny(size: str) -> bool:
    length = _length(size)
    return length is not None and length[0] < _TINY.get(length[1], _TINY_IN_OTHER_UNITS)


def _background(
    declared: Declarations, attributes: Mapping[str, str], around: Look
) -> Colour | None:
    value = declared.get("background-color") or declared.get("background", "")
    value = value or attributes.get("bgcolor", "")
    if "background" in attributes or "url(" in value or "gradient" in value:
        return None
    if not value or value in {"none", "inherit", "initial", "unset"} or is_clear(value):
        return around.background
    return read_colour(value)
