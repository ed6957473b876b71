"""Mail of the outbox, sealed: deflated before, for what is sealed looks random. RFC 1950."""

from __future__ import annotations

import zlib

from flexmail.crypto import KeyRing

_SHORT = 2048
"""So few bytes are sealed as they are: deflating takes longer than it is worth."""
_DEFLATED = b"x\x9c"
"""How zlib begins; no mail does, for its first header's name is ASCII."""


def seal(raw: bytes, ring: KeyRing) -> bytes:
    """Return a mail sealed, small where it is worth it; any is opened by `opened`."""
    return ring.seal(raw if len(raw) < _SHORT else zlib.compress(raw))


def opened(sealed: bytes, ring: KeyRing) -> bytes:
    """Return a mail of the outbox as it goes out.

    Raises:
        SecretUnreadable: no key of the ring opens it.
    """
    raw = ring.open(sealed)
    return zlib.decompress(raw) if raw.startswith(_DEFLATED) else raw
