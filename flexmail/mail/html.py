"""HTML mail as the lines that a reader sees, with quoted history marked by "> ".

A walker over libxml2's events: no tree and no recursion, and every step is linear. Hidden text is
left out; struck-out text stands between "~", so that it is no word. Nothing here decides what
belongs to the author apart from what the markup itself says is a quote.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

from lxml import etree

from flexmail.mail.page import Page

# At the first piece that passes a cap of the page, reading stops.
_PIECE = 16 << 10


def visible_text(html: str) -> str:
    """Return the visible lines of an HTML mail; a quoted line starts with "> ".

    Raises nothing but MemoryError: whatever libxml2 makes of bad HTML is read.
    """
    return _read(html)[0]


def goes_on(html: str) -> bool:
    """Tell whether a page holds more than `visible_text` reads of it."""
    return _read(html)[1]


@lru_cache(maxsize=2)  # a reply and what it answers are both looked at more than once
def _read(html: str) -> tuple[str, bool]:
    page = Page()
    target: Any = page  # lxml's stubs ask for methods that lxml does not need
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
    # A NUL would end the page for libxml2.
    raw = html.replace("\0", "\ufffd").encode("utf-8", "replace") or b" "
    for start in range(0, len(raw), _PIECE):
        parser.feed(raw[start : start + _PIECE])
        if page.is_full:
            break
    with suppress(etree.XMLSyntaxError):  # nothing but white space
        parser.close()
    if any(error.type == etree.ErrorTypes.ERR_NO_MEMORY for error in parser.feed_error_log):
        raise MemoryError  # libxml2 took the page to end there, and says nothing else
    return page.text(), page.is_full
