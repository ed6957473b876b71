"""Whether a mail would approve, as `services/receiving` judges it, with no database behind it.

There is one request, asked of Bob, with one reference and one mail that asked; all that is stored
says yes. What is left is the reading: who wrote, which reference, what it says.
"""

from __future__ import annotations

from dataclasses import dataclass

from flexmail.mail.desk import Desk
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed
from flexmail.mail.reference import find_message_ids
from flexmail.mail.reply import DEFAULT_WORDS, Reading
from tests.fuzz.asked import TITLE, notification, page

BOB = "bob@corp.test"
REFERENCE = "FM-ONLYTHISREFERENCEWILLDO234"
MESSAGE_ID = "<fm-onlythismessageidwilldo2345@corp.test>"
SENT = Sent(plain=notification(REFERENCE), html=page(REFERENCE), given=(TITLE,))


@dataclass(frozen=True, slots=True)
class Judged:
    """What the reading found, and whether all of it together approves."""

    parsed: Parsed
    found: frozenset[str]
    reading: Reading
    approves: bool


def judge(raw: bytes) -> Judged:
    """Read a mail with the whole of the pure reading.

    It approves if it does with our own notification known, or without: that is only known where
    the reference, or our Message-ID, leads to it.
    """
    desk = Desk()
    looked = desk.look(raw, partial=False)
    parsed, found = looked.parsed, looked.references
    readings = [desk.read(DEFAULT_WORDS, sent) for sent in (None, SENT)]
    approving = [reading for reading in readings if _approves(parsed, found, reading)]
    return Judged(parsed, found, (*approving, *readings)[0], bool(approving))


def _approves(parsed: Parsed, found: frozenset[str], reading: Reading) -> bool:
    if parsed.own_mark or parsed.bounce or parsed.automatic or parsed.problem:
        return False
    if parsed.author is None or parsed.author.addr_spec != BOB or parsed.text_missing:
        return False
    threaded = MESSAGE_ID in find_message_ids((*parsed.in_reply_to, *parsed.references))
    if found - {REFERENCE} or not (found or threaded):
        return False
    return reading.verdict == "approve"
