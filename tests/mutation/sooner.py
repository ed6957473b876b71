"""The conditions under which something is read without the parser that would read it otherwise."""

from __future__ import annotations

from tests.mutation.mutant import rows

ODD = "test_an_odd_mail_is_left_to_the_standard_parser"

ORDERLY = rows(
    "flexmail/mail/orderly.py",
    "tests/mail/test_orderly.py",
    (
        "no line of an orderly mail ends with a carriage return alone",
        'if raw.count(b"\\r") > raw.count(b"\\r\\n"):',
        "if False:",
        ODD,
    ),
    (
        "an orderly mail is not a mail inside another",
        'or message.get_content_maintype() == "message":',
        "or False:",
        ODD,
    ),
    (
        "the boundary does not come in pieces",
        'if "*" in message.first("Content-Type") or',
        "if",
        ODD,
    ),
    ("an orderly mail is no digest", 'or kind == "multipart/digest":', "or False:", ODD),
    ("the boundary is a plain word", "if not _BOUNDARY.fullmatch(boundary):", "if False:", ODD),
    ("nothing follows a boundary on its line", 'if rest.strip(" \\t\\r"):', "if False:", ODD),
    (
        "an orderly mail has as many parts as are read, and no more",
        "for piece in pieces if len(pieces) < MAX_PARTS else ():",
        "for piece in pieces:",
        ODD,
    ),
    ("no boundary follows another at once", "if not line_end or", "if", ODD),
    (
        "no part of an orderly mail has parts or a mail inside",
        'or part.get_content_maintype() in {"multipart", "message"}:',
        "or False:",
        ODD,
    ),
)
