"""Check the audit log: does every entry fit the one before, and the last one the seal?

What it cannot find: a database that was put back as a whole to an earlier state. Whoever keeps the
end of the log elsewhere, number and chain, finds that too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from flexmail.db import db
from flexmail.errors import SecretUnreadable
from flexmail.models import AuditEntry, Installation
from flexmail.services.audit import End, chained, sealed_end

_TABLE = AuditEntry.__table__
_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Where the entries that fit end, and the first thing that does not fit ("" if all do)."""

    end: End
    fault: str = ""


def verify(noted: End | None = None) -> Finding:
    """Read the whole log as it is at one moment, and check it.

    Args:
        noted: an end that somebody wrote down earlier; it has to be in the log still.
    """
    db.session.rollback()
    if db.engine.dialect.name != "sqlite":  # a transaction of SQLite sees one moment anyway
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    end, missing = End(), noted
    for number, entry in enumerate(_entries(), 1):
        fault = _fault(end, number, entry)
        if fault:
            return Finding(end, fault)
        end = End(number, entry["chain"])
        if missing == end:
            missing = None
    lost = f"Entry {missing.id} is not the one that was noted." if missing else ""
    return Finding(end, _fault_of_end(end) or lost)


def _fault(before: End, number: int, entry: dict[str, Any]) -> str:
    if entry["id"] != number:
        return f"Entry {number} is not there: {entry['id']} stands in its place."
    try:
        fits = chained(before.chain, entry) == entry["chain"]
    except (AttributeError, KeyError, TypeError, ValueError):
        fits = False  # what stands there is no entry any more
    return "" if fits else f"Entry {number} does not fit the one before: it was changed or moved."


def _fault_of_end(end: End) -> str:
    sealed = db.session.scalar(select(Installation.sealed_audit_end).where(Installation.id == 1))
    try:
        wanted = sealed_end(sealed)
    except SecretUnreadable:
        return "The entries fit, but no key opens the seal of the last: newer ones may be missing."
    if wanted is None:
        return "The entries fit, but the seal of the last is gone: newer ones may be missing."
    if wanted != end:
        return f"The log ends at entry {end.id}, but {wanted.id} was sealed as the last."
    return ""


def _entries() -> Iterator[dict[str, Any]]:
    """Yield every row in order; one that holds no values of its types has its id alone."""
    ids = select(_TABLE.c.id).order_by(_TABLE.c.id).limit(_AT_A_TIME)
    wanted = ids
    while found := list(db.session.scalars(wanted)):
        wanted = ids.where(_TABLE.c.id > found[-1])
        try:
            yield from _rows(found)
        except (TypeError, ValueError):
            for number in found:
                yield _row(number)


def _rows(ids: list[int]) -> list[dict[str, Any]]:
    wanted = select(_TABLE).where(_TABLE.c.id.between(ids[0], ids[-1])).order_by(_TABLE.c.id)
    return [dict(row) for row in db.session.execute(wanted).mappings()]


def _row(number: int) -> dict[str, Any]:
    try:
        return _rows([number])[0]
    except (TypeError, ValueError):
        return {"id": number}
