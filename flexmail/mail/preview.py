"""A mail's page for a page of ours, whose policy takes no styles from attributes.

Every `style` attribute becomes a rule of one style sheet that carries the nonce; pictures are not
fetched. Whoever shows it puts it into a frame that runs nothing.
"""

from __future__ import annotations

import lxml.html
from lxml import etree
from lxml.html import HtmlElement

_FETCHED = ("src", "srcset", "background")
_ESCAPED = str.maketrans({"<": r"\3c ", "{": r"\7b ", "}": r"\7d "})


def framed(html: str, nonce: str) -> str:
    """Return a whole page that looks as the mail does, for an `iframe` with `sandbox`."""
    page: HtmlElement = lxml.html.document_fromstring(html)
    classes: dict[str, str] = {}
    for element in page.iter(etree.Element):
        for name in _FETCHED:
            element.attrib.pop(name, None)
        if element.tag == "style":
            element.set("nonce", nonce)
        if style := element.attrib.pop("style", None):
            name = classes.setdefault(style, f"fm-{len(classes)}")
            element.set("class", f"{element.get('class', '')} {name}".strip())
    # An attribute wins over a style sheet, so its rule has to.
    rules = "\n".join(
        f"{f'.{name}' * 3} {{{style.translate(_ESCAPED)}}}" for style, name in classes.items()
    )
    head = page.head if page.head is not None else page
    etree.SubElement(head, "style", nonce=nonce).text = rules
    # Links open nowhere: the frame may open nothing, and not leave either.
    etree.SubElement(head, "base", target="_blank")
    return lxml.html.tostring(page, encoding="unicode", doctype="<!doctype html>")
