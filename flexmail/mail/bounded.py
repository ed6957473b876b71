"""The standard parser, held to caps while it works.

Size, number and depth of parts and the length of header values are what exhaust it: it stops at
the number. Most mails are taken apart sooner, to the same parts. RFC 2045, 5322.
"""

from __future__ import annotations

from email.parser import BytesFeedParser
from typing import cast

from flexmail.mail.orderly import read_orderly
from flexmail.mail.part import (
    MAX_DEFECTS,
    MAX_DEPTH,
    MAX_HEADER_VALUE,
    MAX_PARTS,
    POLICY,
    Part,
    TooMuch,
)

__all__ = [
    "MAX_DEFECTS",
    "MAX_DEPTH",
    "MAX_HEADER_VALUE",
    "MAX_PARTS",
    "Part",
    "TooMuch",
    "ends_differ",
    "has_bare_cr",
    "header_block",
    "read",
]

MAX_HEADER_BYTES = 64 << 10


def header_block(raw: bytes) -> bytes:
    """Return the headers with the empty line after them.

    Raises:
        TooMuch: when they are larger than 64 KiB.
    """
    head = raw[: MAX_HEADER_BYTES + 2]
    end = head.find(b"\n\r\n")
    sooner = head.find(b"\n\n", 0, end + 1 if end >= 0 else len(head))
    if sooner >= 0:
        return raw[: sooner + 2]
    if end >= 0:
        return raw[: end + 3]
    if len(raw) > MAX_HEADER_BYTES:
        raise TooMuch("The headers are larger than 64 KiB.")
    return raw


def has_bare_cr(head: bytes) -> bool:
    """Tell whether a carriage return stands alone among the headers.

    The standard parser ends a line there and mail servers do not, so each would see other headers:
    a From or an Authentication-Results that the server never saw (RFC 5322, section 2.2).
    """
    return head.count(b"\r") > head.count(b"\r\n")


def ends_differ(head: bytes) -> bool:
    """Tell whether some lines among the headers end in CRLF and others in LF alone.

    A mail server that goes by CRLF has seen other headers then, and an end further down.
    """
    return 0 < head.count(b"\r\n") < head.count(b"\n")


def read(raw: bytes) -> Part:
    """Parse bytes of at most MAX_BYTES.

    Raises:
        TooMuch: at the first part over a cap.
    """
    orderly = read_orderly(raw)
    return read_standard(raw) if orderly is None else orderly


def read_standard(raw: bytes) -> Part:
    """Do the same by the standard parser, whatever is wrong with the mail."""
    parser = BytesFeedParser(policy=POLICY)
    parser.feed(raw)
    return cast(Part, parser.close())
