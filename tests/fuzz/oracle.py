"""What must be true of any mail that approves, found by other means than flexmail's own.

The standard library's two readers of addresses, and a text without any layout. Wider than
flexmail on purpose: what flexmail accepts and these do not is a finding.
"""

from __future__ import annotations

import email
import html
import re
from email import policy
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses

from tests.fuzz.judgement import BOB

_TAGS = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
_LAYOUT = re.compile(r"[\s>|=\u200b\ufeff\u00ad]+")
_FROM_LINE = re.compile(rb"^from[ \t]*:", re.IGNORECASE | re.MULTILINE)
_APPROVING = re.compile(r"[^a-z]*(?:approve|approved|yes)(?![a-z])", re.IGNORECASE)
_READER_FAILS = (MessageError, ValueError, IndexError, AttributeError, TypeError, LookupError)


def may_approve(text: str) -> bool:
    """Tell whether any line begins, but for what is no letter, with a word that approves."""
    return any(_APPROVING.match(line) for line in text.splitlines())


def squeezed(text: str) -> str:
    """Return a text without white space, quote marks and what else a client puts into a word."""
    return _LAYOUT.sub("", text)


def texts_of(raw: bytes) -> list[str]:
    """Return each text of a mail as it stands, and without what looks like a tag.

    A tag may stand within a word and may end a line: both readings are given.
    """
    found = []
    for part in email.message_from_bytes(raw).walk():
        for text in _decoded(part):
            found += [text, html.unescape(text)]
            found += [html.unescape(_TAGS.sub(gap, text)) for gap in ("", "\n")]
    return found


def holds(raw: bytes, reference: str) -> bool:
    """Tell whether a reference stands in the mail's texts, broken by nothing but layout."""
    return any(reference in squeezed(text) for text in texts_of(raw))


def only_bob_wrote(raw: bytes) -> bool:
    """Tell whether both readers of the standard library see Bob in From and nobody else.

    And whether a mail server, for which only a line feed ends a line, sees that one From line too.
    """
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    if len(_FROM_LINE.findall(head)) != 1:
        return False
    values = email.message_from_bytes(raw).get_all("From", [])
    if len(values) != 1:
        return False
    if [_plain(address) for _, address in getaddresses([str(values[0])])] != [BOB]:
        return False
    try:
        header = email.message_from_bytes(raw, policy=policy.default)["From"]
        seen = [_plain(address.addr_spec) for address in header.addresses]
    except _READER_FAILS:
        return True  # this one gave up: it saw nobody else
    return seen == [BOB]


def _plain(address: str) -> str:
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}"


def _decoded(part: Message) -> list[str]:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return []
    texts = [raw.decode("utf-8", "replace"), raw.decode("latin-1")]
    try:
        texts.append(raw.decode(str(part.get_param("charset", "utf-8")), "replace"))
    except (LookupError, ValueError):
        return texts
    return texts
