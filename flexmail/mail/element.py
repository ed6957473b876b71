"""The start tags of HTML mail, each with what it says to a reader of text.

A page, and all pages of one mail program, say the same few again and again: what a short one says
is worked out once. Nothing here knows what stands around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from flexmail.mail.markup import (
    BLOCKS,
    CELLS,
    DROPPED,
    NAMING,
    QUOTES,
    SIGNATURES,
    STRUCK,
    is_set_off,
    names,
    starts_history,
)
from flexmail.mail.styles import MAX_REMEMBERED, declarations
from flexmail.mail.visibility import SAID_BY_HTML

_TELLING = SAID_BY_HTML.union(NAMING, ("style", "data-signatureblock"))


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """What an element says; `attributes` are those that matter. The same one is the same object.

    It `is_announced` where something stands for it before anything inside it, and `is_neutral`
    where what it holds shows as what is around it does, unless a style sheet says otherwise.
    One that `is_long` is not to be remembered.
    """

    tag: str
    attributes: Mapping[str, str]
    is_block: bool
    is_cell: bool
    is_dropped: bool
    is_quote: bool
    is_struck: bool
    is_signature: bool
    is_set_off: bool
    starts_history: bool
    keeps_lines: bool | None
    is_announced: bool
    is_neutral: bool
    is_long: bool


def element_of(tag: str, attributes: Mapping[str, str]) -> Element:
    """Return what an element says, given its attributes."""
    telling: tuple[tuple[str, str], ...] = ()
    length = len(tag)
    if attributes:
        telling = tuple([each for each in attributes.items() if each[0] in _TELLING])
        for _, value in telling:
            length += len(value)
    return _short(tag, telling) if length <= MAX_REMEMBERED else _element(tag, telling)


def _element(tag: str, telling: tuple[tuple[str, str], ...], *, is_long: bool = True) -> Element:
    attributes = dict(telling)
    named = names(attributes)
    style = declarations(attributes.get("style", ""))
    is_block, is_cell = tag in BLOCKS, tag in CELLS
    is_dropped, is_struck = tag in DROPPED, tag in STRUCK
    is_quote = tag == "blockquote" or bool(QUOTES.search(named))
    is_signature = bool(SIGNATURES.search(named)) or "data-signatureblock" in attributes
    history = starts_history(attributes, named)
    keeps_lines: bool | None = True if tag == "pre" else None
    if "white-space" in style:
        keeps_lines = style["white-space"].startswith(("pre", "break-spaces"))
    shows_alike = not style and SAID_BY_HTML.isdisjoint(attributes)
    return Element(
        tag=tag,
        attributes=attributes,
        is_block=is_block,
        is_cell=is_cell,
        is_dropped=is_dropped,
        is_quote=is_quote,
        is_struck=is_struck,
        is_signature=is_signature,
        is_set_off=is_set_off(tag, attributes, named),
        starts_history=history,
        keeps_lines=keeps_lines,
        is_announced=is_cell or is_signature or history or tag in {"br", "hr"},
        is_neutral=shows_alike
        and keeps_lines is None
        and not (is_dropped or is_quote or is_struck),
        is_long=is_long,
    )


_short = lru_cache(maxsize=512)(partial(_element, is_long=False))
