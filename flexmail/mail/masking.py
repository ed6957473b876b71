"""Find references that no mask reaches, because a client has to decode something to show them.

Nothing here is exact and nothing is judged by it: a mail in which a reference may hide is shown to
people in another form, or without that part. Every step is linear in the input.
"""

from __future__ import annotations

import html
import quopri
import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator
from urllib.parse import unquote

from flexmail.mail.reference import INVISIBLE, mask, mask_bytes

LEFT_OUT = "(left out: it holds a reference of flexmail)"

_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"\?=[ \t\r\n]+=\?")
_TAG = re.compile(r"<[^<>]*>")
_UNSEEN = re.compile(f"[{INVISIBLE}]")
_FIELD_END = re.compile(rb"\r?\n(?![ \t])")
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def hides(source: bytes | str) -> bool:
    """Tell whether a reference shows in a text once coding, markup and unseen characters are gone.

    What stands in plain sight counts too. Base64 of whole parts is not decoded.
    """
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    plain = raw.decode("utf-8", "replace")
    unquoted = quopri.decodestring(raw).decode("utf-8", "replace") if b"=" in raw else plain
    texts = dict.fromkeys([plain, unquoted])
    return any(mask(form) != form for text in texts for form in _forms(text))


def open_header(raw: bytes) -> tuple[bytes, bytes]:
    """Return the header block of a mail, and what follows from the end of its last line on.

    A field that hides a reference is left out but for its name; one in plain sight stays.
    """
    end = _HEADER_END.search(raw)
    size = end.start() if end else len(raw)
    head = raw[:size]
    if hides(mask_bytes(head)):
        head = b"\r\n".join(map(_open_field, _FIELD_END.split(head)))
    return head, raw[size:]


def _open_field(field: bytes) -> bytes:
    if not hides(mask_bytes(field)):
        return field
    name, colon, _ = field.partition(b":")
    return (name if colon and not hides(name) else b"X-Field") + b": " + LEFT_OUT.encode()


def _forms(text: str) -> Iterator[str]:
    """Yield the text as it looks after each step of decoding."""
    for step in (_without_encoded_words, html.unescape, unquote, _seen, _without_tags):
        yield text
        text = step(text)
    yield text


def _seen(text: str) -> str:
    return _UNSEEN.sub("", text)


def _without_tags(text: str) -> str:
    return _TAG.sub("", text)


def _without_encoded_words(text: str) -> str:
    return _ENCODED_WORD.sub(_word, _BETWEEN_WORDS.sub("?==?", text)) if "=?" in text else text


def _word(found: re.Match[str]) -> str:
    charset, coding, said = found.groups()
    raw = said.encode("utf-8", "surrogatepass")
    try:
        octets = a2b_base64(raw) if coding in "bB" else a2b_qp(raw, header=True)
        return octets.decode(charset.partition("*")[0], "replace")
    except (Error, LookupError, ValueError):
        return found[0]
