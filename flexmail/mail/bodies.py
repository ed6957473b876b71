"""The author's text in the parts of a mail: what a reader sees as one body, plain and HTML.

What stands side by side (a picture between) is one text, in its order; what is offered as
alternatives is the same, said twice. Attachments and mails inside a mail are never the author's.
RFC 2045, 2046 (5.1), 2183, 2387, 3676.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from flexmail.mail.bounded import Part
from flexmail.mail.charset import charset_of_page, decode_text
from flexmail.mail.html import goes_on, visible_text
from flexmail.mail.lines import is_blank, without_armour

# What no database takes as text: NUL, and halves of characters that some charsets can spell.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Bodies:
    """The texts of a part; of those it has both, plain and HTML say the same.

    `beside` are pages that are neither: they cannot approve, but they can say not to. `more` is
    whatever else is text, with the source of every page that is not `html` itself.
    """

    plain: str | None = None
    html: str | None = None
    beside: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


def bodies(message: Part, *, cut: bool) -> Bodies:
    """Return the texts of a mail.

    Where the fetch `cut` the mail, its last part is torn: of plain text the whole lines count, so
    that a torn sentence decides nothing; of HTML nothing counts but what it may say against.
    """
    return _bodies(message, message.leaves()[-1] if cut else None)


def is_torn(message: Part) -> bool:
    """Tell whether it is a text that was cut, where the fetch cut the mail."""
    last = message.leaves()[-1]
    return not _is_attachment(last) and last.get_content_maintype() in ("text", "multipart")


def _bodies(part: Part, torn: Part | None) -> Bodies:
    if _is_attachment(part):
        return Bodies()
    kind = part.get_content_type()
    if kind.startswith("multipart/") and part.children:
        found = [_bodies(child, torn) for child in part.children]
        return _same(found) if kind == "multipart/alternative" else _row(found)
    # A multipart whose boundary is missing stays one text, as people would see it.
    if kind == "text/plain" or kind.startswith("multipart/"):
        return Bodies(plain=_plain(part, is_torn=part is torn))
    if not kind.startswith("text/"):
        return Bodies()
    text = _text(part)
    if kind != "text/html":
        return Bodies(more=(text,))
    return Bodies(beside=(text,), more=(text,)) if part is torn else Bodies(html=text)


def _same(found: Sequence[Bodies]) -> Bodies:
    """Return the bodies of alternatives: of each kind the first that shows something."""
    plain = _first([body.plain for body in found])
    html = _first([body.html for body in found], shows=_shows_page)
    plains = [body.plain for body in found if body.plain and body.plain is not plain]
    pages = [body.html for body in found if body.html and body.html is not html]
    return Bodies(
        plain=plain,
        html=html,
        beside=(*_beside(found), *map(_page, plains), *pages),
        more=(*_more(found), *plains, *pages),
    )


def _row(found: Sequence[Bodies]) -> Bodies:
    """Return the bodies of what stands one below the other.

    The first that shows something says how to read them: a page makes all of them one page; plain
    text goes on in plain text, and a page that only stands beside it, as list servers append
    them, is none of it.
    """
    shown = [body for body in found if _shows(body.plain) or _shows_page(body.html)]
    if len(shown) < 2:
        only = shown[0] if shown else None
        plain = only.plain if only else _first([body.plain for body in found])
        html = only.html if only else _first([body.html for body in found])
        return Bodies(plain, html, _beside(found), _more(found))
    beside: list[str] = []
    plain = None
    if _shows(shown[0].plain):
        plain = "\n".join(body.plain or "" for body in shown if _shows(body.plain))
        beside = [body.html for body in shown if body.html and not _shows(body.plain)]
        shown = [body for body in shown if _shows(body.plain)]
        if not any(_shows_page(body.html) for body in shown):
            return Bodies(plain, None, (*_beside(found), *beside), (*_more(found), *beside))
    pages = [body.html or _page(body.plain or "") for body in shown]
    sources = [body.html for body in shown if body.html]
    return Bodies(
        plain=plain,
        html=_joined(pages),
        beside=(*_beside(found), *beside),
        more=(*_more(found), *beside, *sources),
    )


def _joined(pages: Sequence[str]) -> str:
    """Return pages as one; what one of them leaves open must not swallow the next."""
    if len(pages) == 1 or any(map(goes_on, pages)):
        return "\n".join(pages)
    return "".join(_page(visible_text(page)) for page in pages)


def _page(text: str) -> str:
    return f"<pre>{escape(text, quote=False)}\n</pre>"


def _beside(found: Sequence[Bodies]) -> tuple[str, ...]:
    return tuple(page for body in found for page in body.beside)


def _more(found: Sequence[Bodies]) -> tuple[str, ...]:
    return tuple(text for body in found for text in body.more)


def _shows(text: str | None) -> bool:
    return bool(text) and not is_blank(text or "")


def _shows_page(html: str | None) -> bool:
    return bool(html) and (_shows(visible_text(html or "")) or goes_on(html or ""))


def _first(texts: Sequence[str | None], shows: Callable[[str | None], bool] = _shows) -> str | None:
    present = [text for text in texts if text is not None]
    if len(present) < 2:
        return present[0] if present else None
    return next(filter(shows, present), present[0])


def _is_attachment(part: Part) -> bool:
    named = part.parameter("filename", "content-disposition") or part.parameter("name")
    return bool(named) or part.is_attached


def _plain(leaf: Part, *, is_torn: bool) -> str:
    text = _whole_lines(_text(leaf)) if is_torn else _text(leaf)
    text = without_armour(text)
    if leaf.parameter("format").lower() == "flowed":
        text = _unflowed(text, del_space=leaf.parameter("delsp").lower() == "yes")
    return text


def _text(leaf: Part) -> str:
    raw = leaf.get_payload(decode=True)
    charset = leaf.parameter("charset")
    if not charset and leaf.get_content_type() == "text/html" and isinstance(raw, bytes):
        charset = charset_of_page(raw)
    text = decode_text(raw, charset) if isinstance(raw, bytes) else ""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    is_text = text.isascii() and "\0" not in text
    return text if is_text else _NOT_TEXT.sub("\ufffd", text)


def _whole_lines(text: str) -> str:
    """Return torn text without the lines that may go on after the end of the fetch."""
    lines = text.split("\n")[:-1]
    while lines and lines[-1].endswith(" "):
        lines.pop()
    return "\n".join(lines)


def _unflowed(text: str, *, del_space: bool) -> str:
    """Return the paragraphs of format=flowed text as one line each (RFC 3676)."""
    paragraphs: list[list[str]] = []
    open_depth = -1
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        soft = content.endswith(" ") and content != "-- "
        if depth != open_depth or content in {"", "-- "}:
            paragraphs.append([">" * depth + " " if depth else ""])
        paragraphs[-1].append(content[:-1] if soft and del_space else content)
        open_depth = depth if soft else -1
    return "\n".join("".join(pieces) for pieces in paragraphs)
