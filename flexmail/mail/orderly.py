"""A mail as nearly all programs write it, taken apart without a parser.

It becomes what the standard parser makes of it, or nothing: what is odd in any way, or has parts
inside its parts, is not for here. Linear. RFC 2046 (5.1.1), 5322 (2.2).
"""

from __future__ import annotations

import re

from flexmail.mail.part import MAX_PARTS, POLICY, Part

# Nothing that was taken is given back, or blanks at the end of the source would take for ever.
_FIELD = re.compile(r"([!-9;-~]++):[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)\n")
_BOUNDARY = re.compile(r"[\w'()+,./:=?-]+", re.ASCII)


def read_orderly(raw: bytes) -> Part | None:
    """Return an orderly mail that is one text, or parts side by side; None for any other."""
    if raw.count(b"\r") > raw.count(b"\r\n"):
        return None  # the standard parser ends a line there
    source = raw.decode("ascii", "surrogateescape")
    message = Part(POLICY)
    begin = _read_fields(message, source)
    if begin is None or message.get_content_maintype() == "message":
        return None
    if message.get_content_maintype() != "multipart":
        message.set_payload(source[begin:])
        return message
    return message if _read_parts(message, source[begin:]) else None


def _read_fields(part: Part, source: str) -> int | None:
    """Give a part its header fields; return where its content begins, None if that is not plain."""
    at = 0
    fields = []
    while field := _FIELD.match(source, at):
        fields.append((field[1], field[2].rstrip("\r\n")))
        at = field.end()
    part.take_fields(fields)
    for blank in ("\n", "\r\n"):
        if source.startswith(blank, at):
            return at + len(blank)
    return None


def _read_parts(message: Part, content: str) -> bool:
    """Give a mail its parts; return whether all of them are plain, up to the closing boundary."""
    boundary = message.parameter("boundary")
    kind = message.get_content_type()
    if "*" in message.first("Content-Type") or kind == "multipart/digest":
        return False
    if not _BOUNDARY.fullmatch(boundary):
        return False
    _, *pieces = f"\n{content}".split(f"\n--{boundary}", MAX_PARTS)
    for piece in pieces if len(pieces) < MAX_PARTS else ():
        rest, line_end, source = piece.removeprefix("--").partition("\n")
        if rest.strip(" \t\r"):
            return False  # a longer word than the boundary
        if piece.startswith("--"):
            return bool(message.children)
        if not line_end or not _read_leaf(message, f"{source}\n"):
            return False
    return False


def _read_leaf(message: Part, source: str) -> bool:
    part = Part(POLICY)
    begin = _read_fields(part, source)
    if begin is None or part.get_content_maintype() in {"multipart", "message"}:
        return False
    message.attach(part)
    # The line end before a boundary belongs to it.
    part.set_payload(source[begin:].removesuffix("\n").removesuffix("\r"))
    return True
