"""The text of an HTML page as flexmail writes it, without a parser.

A page counts as simple if no reader could see another text than stands between its tags: a few
elements, properly written, no style that hides, no odd character. Of any other this says nothing.
Linear.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain

from flexmail.mail.styles import MAX_REMEMBERED, declarations
from flexmail.mail.visibility import VISIBLE, look_of

_HEAD = re.compile(
    r"<!doctype html>\s*<html(?: lang=\"[a-z-]*\")?>\s*<head>(?:<meta[^<>]*>)*</head>\s*"
    r"<body((?: style=\"[^\"<>]*\")?)>"
)
_TAIL = re.compile(r"</body>\s*</html>\s*")
_TAG = re.compile(r"<(/?[a-z][a-z0-9]*)((?: (?:href|style)=\"[^\"<>]*\")*)>")
_HREF = re.compile(r" href=\"[^\"]*\"")
_STYLE = re.compile(r"(?: style=\"([^\"&]*)\")?")
_ENTITY = re.compile("&(?:amp|lt|gt|#34|#39);")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'"}
_ODD = re.compile("[^\t\n -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What an element stands for, and in which it may be: in any other a parser might end one sooner.
_STANDS_FOR = {**dict.fromkeys(("div", "h1", "p", "br"), "\n"), "a": "", "strong": ""}
_MAY_BE_IN = {
    **dict.fromkeys(("div", "h1", "p"), frozenset({"", "div"})),
    **dict.fromkeys(("a", "strong", "br"), frozenset({"", "div", "h1", "p"})),
}
_COLOURS = frozenset({"color", "background", "background-color"})


def simple_text(page: str) -> str | None:
    """Return what stands between the tags of a simple page, None for any other page.

    Each block begins a line; spaces and line ends are those of the source.
    """
    source = _TAG.split(_inside_body(page))
    texts, names, attributes = source[::3], tuple(source[1::3]), source[2::3]
    stand_for = _nested(names)
    if stand_for is None or not all(map(_is_harmless, filter(None, attributes))):
        return None
    outside = "".join(texts)
    read = texts
    if "&" in outside:
        read = [text for text in map(_without_entities, texts) if text is not None]
    if len(read) < len(texts) or "<" in outside:
        return None
    text = "".join(chain.from_iterable(zip(("", *stand_for), read, strict=True)))
    is_plain = text.isascii() and text.replace("\n", "").isprintable()
    return text if is_plain or _ODD.search(text) is None else None


@lru_cache(maxsize=8)  # the pages of one template have the same
def _nested(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what each tag of a page stands for, None where one may not stand where it does."""
    around = [""]
    if not all(_fits(name, around) for name in names) or len(around) > 1:
        return None
    return tuple(_STANDS_FOR[name.removeprefix("/")] for name in names)


def _inside_body(page: str) -> str:
    """Return what stands inside the body of a page; all of it if nothing else is written simply."""
    head = _HEAD.match(page)
    end = page.rfind("</body>")
    if head is None or (head[1] and not _is_harmless(head[1])) or not _TAIL.fullmatch(page, end):
        return page
    return page[head.end() : end]


def _fits(name: str, around: list[str]) -> bool:
    """Tell whether a tag may stand here; `around` are the open elements, which it changes."""
    if name.startswith("/"):
        return around.pop() == name[1:]
    if around[-1] not in _MAY_BE_IN.get(name, ()):
        return False
    if name != "br":
        around.append(name)
    return True


def _is_harmless(attributes: str) -> bool:
    attributes = _HREF.sub("", attributes) if "href" in attributes else attributes
    return not attributes or (len(attributes) <= MAX_REMEMBERED and _hides_nothing(attributes))


@lru_cache(maxsize=64)
def _hides_nothing(attributes: str) -> bool:
    """Tell whether a style leaves all text to be seen, whatever stands around it or inside.

    Who sets a colour sets what lies behind it too, for one without the other may be lost.
    """
    found = _STYLE.fullmatch(attributes)
    if found is None:
        return False
    look = look_of({"style": found[1]}, {}, "", VISIBLE)
    if look.hidden or look.struck:
        return False
    sets_both = look.colour is not None and look.background not in (None, VISIBLE.background)
    return sets_both or _COLOURS.isdisjoint(declarations(found[1]))


def _without_entities(text: str) -> str | None:
    """Return text with the characters that are written so by us, None if it holds others."""
    read, count = _ENTITY.subn(lambda entity: _ENTITIES[entity[0]], text)
    return read if count == text.count("&") else None
