"""The copies of processed mail: deflated and sealed, to be shown, put back or processed again."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from flexmail.crypto import KeyRing, key_ring
from flexmail.models import Reply

_LEVEL = 3
"""How hard zlib tries: the default of 6 takes half as long again for 4 % less."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A sealed copy of a mail, and the keys it was sealed with."""

    sealed: bytes
    ring: KeyRing


def made(raw: bytes) -> Copy:
    """Return a copy of a mail, sealed with the keys of this moment."""
    ring = key_ring()
    return Copy(ring.seal(zlib.compress(raw, _LEVEL)), ring)


def sealed(raw: bytes, copy: Copy | None = None) -> bytes:
    """Return what is stored of a mail; sealed anew where the keys are others than for its copy.

    Keys go in a write transaction: what is sealed inside one can be opened after the commit.
    """
    if copy is not None and copy.ring is key_ring():
        return copy.sealed
    return made(raw).sealed


def raw_of(row: Reply) -> bytes:
    """Return the kept copy of a mail, b"" when there is none (any more)."""
    return zlib.decompress(key_ring().open(row.sealed_raw)) if row.sealed_raw else b""
