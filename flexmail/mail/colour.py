"""Colours of CSS and HTML, as far as text and what lies behind it can look alike. CSS Color 4."""

from __future__ import annotations

import re

_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})(?![0-9a-f])")
_RGB = re.compile(r"rgba?\(([\d.,%/ ]{1,60})\)")
_NAMED = {
    "white": (255, 255, 255),
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "ghostwhite": (248, 248, 255),
    "whitesmoke": (245, 245, 245),
    "window": (255, 255, 255),
    "black": (0, 0, 0),
}
_TOO_CLOSE = 24
_CLEAR = 0.05

Colour = tuple[int, int, int] | str
"""Red, green and blue (0-255), or the words of a colour that is not looked into."""
_NO_COLOURS = frozenset({"", "inherit", "initial", "unset", "revert", "currentcolor", "auto"})
WHITE: Colour = (255, 255, 255)


def read_colour(value: str) -> Colour | None:
    """Return the colour that a value names, `None` if it names none of its own."""
    value = value.strip().lower()[:80]
    if found := _HEX.match(value):
        digits = found[1] if len(found[1]) > 4 else "".join(2 * digit for digit in found[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if found := _RGB.match(value):
        channels = [_number(part, 255) for part in _parts(found[1])]
        if len(channels) >= 3 and None not in channels:
            red, green, blue = (round(channel or 0) for channel in channels[:3])
            return red, green, blue
    words = "".join(value.split()) if "(" in value else value.partition(" ")[0]
    return None if words in _NO_COLOURS else _NAMED.get(words, words)


def is_clear(value: str) -> bool:
    """Tell whether a colour is so transparent that nothing shows."""
    value = value.strip().lower()[:80]
    alpha: float | None = None
    if (found := _RGB.match(value)) and len(parts := _parts(found[1])) == 4:
        alpha = _number(parts[3], 1)
    elif (found := _HEX.match(value)) and len(found[1]) in {4, 8}:
        width = len(found[1]) // 4
        alpha = int(found[1][-width:], 16) / (16**width - 1)
    return value == "transparent" or (alpha is not None and alpha <= _CLEAR)


def look_alike(one: Colour | None, other: Colour | None) -> bool:
    """Tell whether text of one colour is lost on the other."""
    if one is None or other is None:
        return False
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return all(abs(a - b) <= _TOO_CLOSE for a, b in zip(one, other, strict=True))


def _parts(inside: str) -> list[str]:
    return inside.replace(",", " ").replace("/", " ").split()


def _number(text: str, whole: float) -> float | None:
    try:
        return float(text[:-1]) / 100 * whole if text.endswith("%") else float(text)
    except ValueError:
        return None
