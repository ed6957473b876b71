"""Where a signature starts: its mark, what a client signs with, what a lawyer has added.

Nothing here tells a name and a telephone number from a comment: only what is marked, or worded by
a machine, is taken for a signature. RFC 3676 section 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from flexmail.mail.lines import MAX_SEEN, bare, is_blank
from flexmail.mail.phrases import DISCLAIMER_STARTS, DISCLAIMER_WORDS
from flexmail.mail.wordings import CLIENT_SIGNATURES, SURE_SIGNATURES

_MAX_SIGNATURE = 120
_MAX_DISCLAIMER_LINES = 6
_MARKS = frozenset({"--", "—", "––", "—-"})
_BEFORE = " \t*_([<\"'“«"


def starts_signature(lines: Sequence[str], at: int, begin: int) -> bool:
    """Tell whether a signature starts at a line; lines above `begin` are not looked at."""
    line = bare(lines[at][:MAX_SEEN]).strip()
    if line in _MARKS:
        return True
    said = line.lower().lstrip(_BEFORE)
    is_short = len(lines[at].strip()) <= _MAX_SIGNATURE
    if is_short and said.startswith(SURE_SIGNATURES):
        return True
    if at > begin and not is_blank(lines[at - 1]):
        return False
    if is_short and said.startswith(CLIENT_SIGNATURES):
        return True
    return said.startswith(DISCLAIMER_STARTS) and _is_disclaimer(lines, at)


def _is_disclaimer(lines: Sequence[str], at: int) -> bool:
    """Tell whether the paragraph that starts at a line speaks of secrets, errors or viruses."""
    paragraph = []
    for line in lines[at : at + _MAX_DISCLAIMER_LINES]:
        if is_blank(line):
            break
        paragraph.append(bare(line[:MAX_SEEN]).lower())
    text = " ".join(paragraph)
    return any(word in text for word in DISCLAIMER_WORDS)
