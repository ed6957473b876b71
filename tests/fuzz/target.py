"""The properties: an altered part never approves, and nothing approves that others read otherwise.

The first byte chooses what is tried. The bytes after it are choices, or a mail as it is.
"""

from __future__ import annotations

from tests.fuzz import alterations, oracle
from tests.fuzz.alterations import Alteration
from tests.fuzz.judgement import MESSAGE_ID, REFERENCE, Judged, judge
from tests.fuzz.shapes import CARRIAGES, SHAPES, Parts, mail, right
from tests.fuzz.supply import Supply

ANY_MAIL, REFERENCE_ALTERED, SENDER_ALTERED, DECISION_ALTERED, SEVERAL, NOTHING = range(6)
KINDS = 6
_ALTERATIONS: dict[int, tuple[Alteration, ...]] = {
    REFERENCE_ALTERED: alterations.OF_THE_REFERENCE,
    SENDER_ALTERED: alterations.OF_THE_SENDER,
    DECISION_ALTERED: alterations.OF_THE_DECISION,
    SEVERAL: (
        *alterations.OF_THE_REFERENCE,
        *alterations.OF_THE_SENDER,
        *alterations.OF_THE_DECISION,
    ),
    NOTHING: (),
}


class Finding(Exception):
    """A property does not hold; the text holds the mail."""


def check(data: bytes) -> None:
    """Try one input.

    Raises:
        Finding: a property does not hold.
    """
    supply = Supply(data)
    kind = supply.number(KINDS)
    if kind == ANY_MAIL:
        check_mail(supply.rest())
    else:
        check_alteration(kind, supply)


def check_mail(raw: bytes) -> Judged:
    """A mail as it is: what is found stands there, and what approves is Bob's and approves."""
    judged = judge(raw)
    for reference in judged.found:
        if not oracle.holds(raw, reference):
            raise Finding(f"A reference was found that does not stand there: {raw!r}")
    if not judged.approves:
        return judged
    if not oracle.only_bob_wrote(raw):
        raise Finding(f"It approves, and not every reader sees Bob alone in From: {raw!r}")
    if not (judged.found == {REFERENCE} or MESSAGE_ID.encode() in raw):
        raise Finding(f"It approves without the reference: {raw!r}")
    if not any(map(oracle.may_approve, oracle.texts_of(raw))):
        raise Finding(f"It approves, and no line begins with a word that approves: {raw!r}")
    return judged


def check_alteration(kind: int, supply: Supply) -> bool:
    """A reply of a client with a part altered; return whether one was.

    Raises:
        Finding: it approves all the same, or it does not and nothing was altered.
    """
    shape = supply.pick(SHAPES)
    carriage = supply.pick(CARRIAGES)
    parts: Parts = right(shape)
    names = []
    ways = _ALTERATIONS[kind]
    for _ in range(2 if kind == SEVERAL else min(1, len(ways))):
        way = supply.pick(ways)
        altered = way(supply, parts)
        if altered is not None:
            parts = altered
            names.append(way.__name__)
    raw = mail(shape, parts, carriage)
    judged = check_mail(raw)
    if judged.approves and names:
        raise Finding(f"It approves with {' and '.join(names)} altered: {raw!r}")
    if not judged.approves and kind == NOTHING:
        raise Finding(f"Nothing was altered, and it does not approve: {raw!r}")
    return bool(names)
