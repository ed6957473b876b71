"""Mail of which there is much, sealed small: deflated before, for what is sealed looks random.

Any mail that was sealed as it is opens here too. RFC 1950.
"""

from __future__ import annotations

import zlib

from flexmail.crypto import KeyRing

_DEFLATED = b"x\x9c"
"""How zlib begins; no mail does, for its first header's name is ASCII."""


def seal(raw: bytes, ring: KeyRing) -> bytes:
    """Return a mail deflated and sealed."""
    return ring.seal(zlib.compress(raw))


def opened(sealed: bytes, ring: KeyRing) -> bytes:
    """Return a mail of the outbox as it goes out.

    Raises:
        SecretUnreadable: no key of the ring opens it.
    """
    raw = ring.open(sealed)
    return zlib.decompress(raw) if raw.startswith(_DEFLATED) else raw
