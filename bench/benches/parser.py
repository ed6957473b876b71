"""What a reply of 6 KB needs from the parser, against the standard one with `compat32`.

Ours is `mail.parse.parse`: the caps, every fact about the mail (who, which thread, automata,
bounces), and its texts decoded. The base is `message_from_bytes`, `walk` and `get_payload` decoded.
"""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.measuring import Fact, Row, Size, interleave, median
from bench.offices import Office, requests
from flexmail.mail import html
from flexmail.mail.desk import Desk, Enquiry, tell
from flexmail.mail.parse import parse
from flexmail.mail.reply import DEFAULT_WORDS

GOAL = 2.0
OURS, BASE, MODERN, WHOLE = "parse", "compat32", "policy.default", "parsed, read and judged"


def measure(size: Size) -> Iterator[Row | Fact]:
    count = size.of(quick=20, full=200)
    with Office() as office, office.origin():
        mails = requests(count)
    candidates: dict[str, Callable[[bytes], object]] = {
        OURS: parse,
        BASE: partial(_standard, policy=email.policy.compat32),
        MODERN: partial(_standard, policy=email.policy.default),
        WHOLE: partial(_whole, Desk()),
    }
    figures = interleave(
        {name: partial(_each, mails, call) for name, call in candidates.items()},
        rounds=size.rounds,
    )
    times = {name: median(each) for name, each in figures.items()}
    for name, goal in ((OURS, GOAL), (WHOLE, None)):
        yield Row(
            name,
            f"{times[name] * 1e6:.0f} µs",
            f"{BASE} {times[BASE] * 1e6:.0f} µs",
            times[name] / times[BASE],
            goal,
            at_least=False,
        )
    yield Fact(MODERN, f"{times[MODERN] / times[BASE]:.1f} times compat32")


def _each(mails: list[bytes], call: Callable[[bytes], object]) -> float:
    """Return the processor time of one mail; others on this machine do not count."""
    html._read.cache_clear()
    began = time.process_time()
    for raw in mails:
        call(raw)
    return (time.process_time() - began) / len(mails)


def _standard(raw: bytes, policy: email.policy.Policy) -> list[object]:
    parts = email.message_from_bytes(raw, policy=policy).walk()
    return [part.get_payload(decode=True) for part in parts if not part.is_multipart()]


def _whole(desk: Desk, raw: bytes) -> object:
    return tell(desk, raw, Enquiry(0, False, DEFAULT_WORDS, ()))
