"""Addresses: what people type, what we write, and who alone wrote a mail.

The grammar is a small, strict part of RFC 5322: an optional display name and one address. Groups,
lists, routes, quoted local parts and comments after the address are refused, since readers differ
on them and a wrong reading would be a wrong identity. RFC 2047, 5322, 5890, 6532.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header
from functools import lru_cache

from flexmail.mail.charset import decode_text as decode_text

MAX_LINE = 998
MAX_ADDRESS = 254
MAX_DISPLAY_NAME = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ADDRESS = re.compile(r"(?P<name>[^<>]*)<(?P<angle>[^<>\s]*)>|(?P<bare>[^<>\s]*)")
_PHRASE_PIECE = re.compile(
    r"""[ ]+
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | \([^()<>@"\\,;:]*\)
      | [^\s()<>@,;:\\"\[\]]+
    """,
    re.VERBOSE,
)
_ENCODED_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?\s]*)\?=")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address with its display name; the domain is lower-case and in A-labels."""

    display_name: str
    addr_spec: str

    def __str__(self) -> str:
        name = self.display_name
        if not name:
            return self.addr_spec
        if not name.isascii() or "=?" in name:
            name = " ".join(Header(name, "utf-8", maxlinelen=75).encode().split())
        elif not _PLAIN_NAME.fullmatch(name):
            name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
        return f"{name} <{self.addr_spec}>"


def parse_mailbox(text: str) -> Mailbox:
    """Read what a person typed as one address, with or without a display name.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    return _mailbox(*_split(text))


@lru_cache(maxsize=256)
def normalise(addr_spec: str) -> str:
    """Return the address as it is stored and compared: whole, domain lower-case in A-labels.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    if not is_safe_header(addr_spec):
        raise ValueError("An address must not hold line breaks or control characters.")
    if len(addr_spec) > MAX_ADDRESS:
        raise ValueError(f"An address has at most {MAX_ADDRESS} characters.")
    from flexmail.mail.addr_spec import checked  # slow to load, and many a command has no address

    return checked(addr_spec)


def sole_author(from_values: Sequence[str]) -> Mailbox | None:
    """Return who alone wrote a mail, or None where any reader could see someone else.

    One From line, one address, plain ASCII in the address, and a display name that shows no other
    address. `from_values` are unfolded header values as received, not decoded.
    """
    if len(from_values) != 1 or len(from_values[0]) > MAX_LINE:
        return None
    try:
        name, addr_spec = _split(from_values[0].replace("\t", " "))
        return _mailbox(name, addr_spec) if addr_spec.isascii() else None
    except ValueError:
        return None


def is_safe_header(text: str) -> bool:
    """Say whether the text may stand in a header or an address: no line break, control or half a
    character (a lone surrogate).
    """
    return _CONTROL.search(text) is None


def decode_words(text: str) -> str:
    """Return a header value with its encoded words (RFC 2047) read; what is broken stays."""
    out: list[str] = []
    pending, charset, end = b"", "", 0
    for match in _ENCODED_WORD.finditer(text):
        raw = _word_bytes(match[2], match[3])
        if raw is None:
            continue
        gap = text[end : match.start()]
        if gap.strip() or end == 0 or match[1].lower() != charset:
            out += [decode_text(pending, charset), gap if gap.strip() or end == 0 else ""]
            pending, charset = b"", match[1].lower()
        pending, end = pending + raw, match.end()
    return "".join([*out, decode_text(pending, charset), text[end:]])


def _word_bytes(encoding: str, encoded: str) -> bytes | None:
    """Return the bytes of one encoded word, or None if it is none."""
    if not encoded.isascii():
        return None
    if encoding in "qQ":
        return binascii.a2b_qp(encoded, header=True)
    try:
        return binascii.a2b_base64(encoded + "==")
    except binascii.Error:
        return None


def _split(text: str) -> tuple[str, str]:
    """Return the decoded display name and the address as written, by the strict grammar."""
    if not is_safe_header(text):
        raise ValueError("An address must not hold line breaks or control characters.")
    match = _ADDRESS.fullmatch(text.strip(" "))
    if match is None:
        raise ValueError('Give exactly one address, as "bob@example.com" or "Bob <bob@…>".')
    if match["bare"] is not None:
        return "", match["bare"]
    return decode_words(_phrase(match["name"])).strip(), match["angle"]


def _phrase(text: str) -> str:
    """Return a display name without its quotes and escapes."""
    out: list[str] = []
    position = 0
    while position < len(text):
        piece = _PHRASE_PIECE.match(text, position)
        if piece is None:
            raise ValueError("A name with , : ; @ or the like must stand in double quotes.")
        quoted = piece["quoted"]
        out.append(piece[0] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = piece.end()
    return " ".join("".join(out).split())


def _mailbox(name: str, addr_spec: str) -> Mailbox:
    """Return the mailbox, or raise ValueError for a name that could mislead."""
    mailbox = Mailbox(display_name=name, addr_spec=normalise(addr_spec))
    if not is_safe_header(name) or len(name) > MAX_DISPLAY_NAME:
        raise ValueError(f"The name must be plain text of at most {MAX_DISPLAY_NAME} characters.")
    shown = unicodedata.normalize("NFKC", name).strip(" '\"")
    if "@" in shown and shown.lower() != mailbox.addr_spec.lower():
        raise ValueError("The name before the address must not look like another address.")
    return mailbox
