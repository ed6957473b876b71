"""How a moment is written for programs."""

from __future__ import annotations

from datetime import datetime


def iso(moment: datetime, *, timespec: str = "seconds") -> str:
    """Return a moment in UTC like `2026-11-02T09:00:00Z` (RFC 3339)."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def moment_shape(moment: datetime | None) -> str | None:
    """Return a moment like `2026-11-02T09:00:00Z`, None where there is none."""
    return None if moment is None else iso(moment)
