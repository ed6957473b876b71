"""Show a page of 50 mails of an outbox that holds 100,000, by every filter, and count its states.

Beside it the page without a filter where there are 100, and the same counts. The mails are those
of a year of events: most are sent, one in a thousand failed, every tenth asks for an approval; 200
recipients. Figures are processor time: there is no disk and no network in a page that was read
before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from flask import Flask
from sqlalchemy import insert

from bench.measuring import Row, Size, interleave, median
from bench.offices import office
from flexmail.db import db, transaction
from flexmail.models import OutboxMail
from flexmail.services import outbox_log

FEW, MANY, PEOPLE = 100, 100_000, 200
_TIMES = 20


def measure(size: Size) -> list[Row]:
    many = size.of(quick=1000, full=MANY)
    bob = "person1@corp.test"
    listings: dict[str, dict[str, str]] = {
        "all": {},
        "sent": {"state": "sent"},
        "failed": {"state": "failed"},
        "events": {"kind": "event"},
        "failed requests": {"state": "failed", "kind": "approval_request"},
        "to one of 200 recipients": {"recipient": bob},
        "failed events to one of them": {"recipient": bob, "state": "failed", "kind": "event"},
    }
    with office() as small, office() as large:
        for app, number in ((small, FEW), (large, many)):
            with app.app_context():
                _fill(number)
        rows = []
        asked: dict[str, Callable[[], object]] = {
            f"page of 50: {name}": partial(outbox_log.listing, **given)  # type: ignore[arg-type]
            for name, given in listings.items()
        }
        cursor = str(many // 2)
        asked["page of 50 in the middle"] = partial(outbox_log.listing, state="sent", cursor=cursor)
        asked["counts of the status page"] = outbox_log.counts
        for name, call in asked.items():
            counts = call is outbox_log.counts
            beside = call if counts else outbox_log.listing
            took = interleave(
                {"large": partial(_cpu, large, call), "small": partial(_cpu, small, beside)},
                rounds=size.rounds,
            )
            ours, other = median(took["large"]), median(took["small"])
            goal = None if counts or "of them" in name else 1.5
            rows.append(Row(name, _ms(ours), _ms(other), ours / other, goal, at_least=False))
    return rows


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def _fill(number: int) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "kind": "approval_request" if count % 10 == 0 else "event",
            "recipient": f"person{count % PEOPLE}@corp.test",
            "subject": f"Failed: Release 4.{count} to production",
            "message_id_digest": f"{count:064}",
            "state": "failed" if count % 1001 == 1 else "sent",
            "attempts": 1,
            "answer": "250 2.0.0 taken as 4711",
            "encrypted": True,
            "retry_at": now,
            "created_at": now - timedelta(minutes=number - count),
            "sent_at": now,
        }
        for count in range(number)
    ]
    with transaction():
        db.session.execute(insert(OutboxMail), rows)


def _cpu(app: Flask, call: Callable[[], object]) -> float:
    """Return the processor seconds that a call takes, the mean of some."""
    with app.app_context():
        call()
        began = time.process_time()
        for _ in range(_TIMES):
            call()
            db.session.rollback()
        return (time.process_time() - began) / _TIMES
