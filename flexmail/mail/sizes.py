"""How much is read of a mail; for those too that only fetch it, and need nothing that reads."""

from __future__ import annotations

MAX_BYTES = 1 << 20
"""So much is read of a mail at the most; `HEAD_BYTES` where its texts end in there."""
HEAD_BYTES = 64 << 10
"""So much is read of every mail, and more only where its text may not end in there."""
