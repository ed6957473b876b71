"""Styles of HTML mail: what an attribute or a rule of a style sheet declares, as far as it matters.

A style sheet counts as far as its selectors are one tag, class or id; rules inside `@media` and the
like do not. Every step is linear in the input. CSS 2.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

_SELECTOR = re.compile(
    r"[a-z][a-z0-9]{0,20}|(?:[a-z][a-z0-9]{0,20})?(?P<name>[.#][\w-]{1,80})", re.ASCII
)
_DISPLAY = re.compile(
    "none|contents|initial|inherit|unset|revert|flow-root|run-in|list-item|table(?:-[a-z-]+)?"
    "|(?:inline|block)(?:[ -][a-z-]+)?|flex|grid"
)

DECORATIONS = ("text-decoration", "text-decoration-line")
_PROPERTIES = frozenset(
    {
        *("background", "background-color", "clip", "clip-path", "color", "display", "font"),
        *("font-size", "height", "left", "margin", "margin-left", "margin-top", "max-height"),
        *("mso-hide", "opacity", "overflow", "position", "right"),
        *("text-indent", "top", "transform", "visibility", "white-space", "width", *DECORATIONS),
    }
)

Declarations = Mapping[str, str]
NOTHING: Declarations = {}
MAX_REMEMBERED = 400


def declarations(style: str) -> Declarations:
    """Read `a: b; c: d` into a mapping of what matters here; the last value wins.

    Pages say the same again and again: the mapping is everybody's, and not to be changed.
    """
    if not style:
        return NOTHING
    return _short(style) if len(style) <= MAX_REMEMBERED else _declarations(style)


def _declarations(style: str) -> Declarations:
    found: dict[str, str] = {}
    for part in _without_comments(style).lower().split(";"):
        name, colon, value = part.partition(":")
        value = value.replace("!important", "").strip()
        if colon and (name := name.strip()) in _PROPERTIES and _is_known(name, value):
            found[name] = value
    return found


_short = lru_cache(maxsize=512)(_declarations)


def _is_known(name: str, value: str) -> bool:
    """Tell whether readers take a value: one that they do not know leaves an earlier one alone."""
    return name != "display" or bool(_DISPLAY.fullmatch(value))


def style_rules(sheet: str) -> Iterator[tuple[str, Declarations]]:
    """Yield (`tag`, `.class` or `#id`, what it declares) of the plain rules of a style sheet."""
    depth = 0
    for chunk in _without_comments(sheet).replace("<!--", "").replace("-->", "").split("}"):
        opened = chunk.count("{")
        if opened == 1 and depth == 0:
            selectors, _, body = chunk.partition("{")
            declared = declarations(body)
            for selector in selectors.lower().split(","):
                if found := _SELECTOR.fullmatch(selector.strip()):
                    yield found["name"] or found[0], declared
        depth = max(0, depth + opened - 1)


def _without_comments(css: str) -> str:
    return "".join(part.partition("/*")[0] for part in css.split("*/"))
