"""What the HTML of a notification may hold: what mail clients show, and nothing that acts.

Escaping keeps what a program told from being markup; an address in a link or a whole attribute can
still be made of it. So what a template gave is looked at once more, as libxml2 reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lxml import etree

from flexmail.mail.html import goes_on, visible_text

_NAMES = """
a abbr address article aside b bdi bdo big blockquote body br caption center cite code col colgroup
dd del dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 head header hr html i img
ins kbd li main mark nav ol p pre q s samp section small span strike strong style sub sup table
tbody td tfoot th thead time tr tt u ul var wbr
"""
ELEMENTS = frozenset(_NAMES.split())
SCHEMES = frozenset(("http", "https", "mailto", "tel"))
"""Where a link may lead; one without a scheme leads nowhere in a mail, and does no harm."""

_ADDRESSES = frozenset(("href", "src", "background", "cite"))
_SPACE = re.compile(r"[\x00-\x20]+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_END = "This line has to be seen."


def fault_of(html: str) -> str:
    """Say what is wrong with the inside of a page, or nothing."""
    whole = f"{html}<p>{_END}</p>"  # read once: it is done for every event
    if goes_on(whole):
        return "It holds too many elements, or they are nested too deep."
    if fault := _Rules().fault_of(html):
        return fault
    shown = visible_text(whole).rstrip()
    if shown.endswith(_END):
        return "" if shown.removesuffix(_END).strip() else "It gives nothing."
    if not visible_text(html).strip():
        return "It gives nothing."
    return "It hides what stands below it: something is not closed, such as a comment."


class _Rules:
    """The target of libxml2's events: remembers the first thing that may not be."""

    def __init__(self) -> None:
        self._fault = ""

    def fault_of(self, html: str) -> str:
        target: Any = self  # lxml's stubs ask for methods that lxml does not need
        parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
        with suppress(etree.XMLSyntaxError):  # nothing but white space
            parser.feed(html.replace("\0", "\ufffd").encode("utf-8", "replace") or b" ")
            parser.close()
        return self._fault

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag not in ELEMENTS:
            self._fault = self._fault or f"A notification cannot hold <{tag[:40]}>."
        for name, value in attributes.items():
            if name.startswith("on"):
                self._fault = self._fault or f"A notification cannot hold {name[:40]}=."
            found = _SCHEME.match(_SPACE.sub("", value)) if name in _ADDRESSES else None
            if found and found[1].lower() not in SCHEMES:
                sentence = f"An address begins with {found[1][:40]}:, which no mail may hold."
                self._fault = self._fault or sentence

    def close(self) -> None:
        """Have nothing to end."""
