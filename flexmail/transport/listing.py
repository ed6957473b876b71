"""Look around in an open IMAP folder by sequence numbers, without reading a mail.

A server may not tell of expunged mails while it answers FETCH, so numbers stay what they are from
one FETCH to the next (RFC 3501, section 7.4.1); what is kept of a mail is its UID.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flexmail.errors import Refused
from flexmail.transport.bounds import BoundedImap
from flexmail.transport.responses import fetched_items, readable_items, uid_sets

HEADER_BYTES = 8 << 10

_FACTS = "(UID RFC822.SIZE FLAGS)"
_PROBES = 16
_UID = re.compile(rb"(\d{1,10}) \((?:[^\"]*\s)?UID (\d{1,10})[\s)]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail in the folder, not yet read; `size` in bytes as the server states it."""

    uid: int
    size: int
    flags: frozenset[str]


class Lister:
    """What a folder holds, told in few bytes; nothing here grows with the folder."""

    def __init__(self, imap: BoundedImap, step_seconds: float) -> None:
        self._imap = imap
        self._step_seconds = step_seconds

    @property
    def exists(self) -> int:
        """How many mails the folder holds, as far as the server has told."""
        return max(0, self._imap.messages)

    def oldest(self, limit: int, *, skip: int = 0) -> list[Listed]:
        """List the first `limit` mails after the first `skip`, oldest UID first, in one command."""
        last = min(skip + limit, self.exists)
        if last <= skip:
            return []
        with self._answer():
            answer = self._imap.fetch(f"{skip + 1}:{last}", _FACTS)
            return _listed(self._checked("FETCH", *answer))[:limit]

    def some(self, uids: Collection[int]) -> list[Listed]:
        """List these mails, oldest UID first; those that vanished are absent."""
        found: list[Listed] = []
        for uid_set in uid_sets(uids):
            with self._answer():
                answer = self._imap.uid("FETCH", uid_set, _FACTS)
                found += _listed(self._checked("FETCH", *answer))
        return [mail for mail in found if mail.uid in uids]

    def headers(self, first: int, last: int, fields: Sequence[str]) -> dict[int, bytes]:
        """Read header fields of the mails at these positions, at most 8 KiB of each, by UID.

        They choose which mails are read first and prove nothing. A mail that the server will not
        show has empty ones; one that vanished is absent.
        """
        wanted = f"BODY.PEEK[HEADER.FIELDS ({' '.join(fields)})]<0.{HEADER_BYTES}>"
        with self._answer():
            typ, data = self._imap.fetch(f"{first}:{last}", f"(UID {wanted})")
            if typ != "OK":
                data = self._imap.response("FETCH")[1]
            found = [(items[b"UID"], body_of(items)) for items in fetched_items(data)]
        shown = {uid: head[:HEADER_BYTES] for uid, head in found if head is not None}
        if typ != "OK":  # one mail that cannot be shown hides no other
            return dict.fromkeys(self.uids_at([f"{first}:{last}"]).values(), b"") | shown
        return shown

    def structures(self, uids: Collection[int]) -> dict[int, Any]:
        """Return the structure of these mails as far as the server tells it, parsed, by UID."""
        found: dict[int, Any] = {}
        for uid_set in uid_sets(uids):
            with self._answer():
                _, data = self._imap.uid("FETCH", uid_set, "(UID BODYSTRUCTURE)")
                for items in readable_items(data):
                    found[items[b"UID"]] = items.get(b"BODYSTRUCTURE")
        return found

    def position_of(self, uid: int, hint: int) -> int:
        """Return how many mails have this UID or a smaller one.

        Args:
            hint: how many it may be. Where that is right one small command tells so; where others
                changed the folder it takes a few more, however large the folder is.

        Raises:
            Refused: the server answers for no mail, so nothing is known.
        """
        low, high = 0, self.exists
        probes = {number for number in (hint, hint + 1) if 0 < number <= high}
        while low < high:
            probes = probes or _spread(low, high)
            found = self.uids_at(sorted(probes))
            below = [number for number in found if found[number] <= uid]
            above = [number - 1 for number in found if found[number] > uid]
            narrower = max([low, *below]), min([high, *above])
            if narrower == (low, high) and probes == _spread(low, high):
                raise Refused("The server does not say which mails are where in the folder.")
            (low, high), probes = narrower, set()
        return low

    def uids_at(self, positions: Iterable[int | str]) -> dict[int, int]:
        """Return the UIDs at some positions or ranges of them; those that vanished are absent."""
        with self._answer():
            answer = self._imap.fetch(",".join(map(str, positions)), "(UID)")
            lines = [line for line in self._checked("FETCH", *answer) if isinstance(line, bytes)]
            found = [match for line in lines if (match := _UID.match(line))]
        return {int(match[1]): int(match[2]) for match in found}

    def _answer(self) -> contextlib.AbstractContextManager[None]:
        """A long answer may take what is left of the run, but never fall silent for a step."""
        left = self._imap.wire.run_seconds_left
        return self._imap.command(left, idle_seconds=self._step_seconds)

    def _checked(self, command: str, typ: str, data: Any) -> Any:
        if typ != "OK":
            raise Refused(f"The server refused {command}: {self._imap.say(data)}")
        return data


def body_of(items: dict[bytes, Any]) -> bytes | None:
    """Return what a BODY[...] item holds; a server may write a short text of digits as a number."""
    body = next((value for key, value in items.items() if key.startswith(b"BODY[")), None)
    if isinstance(body, tuple):
        raise ValueError("A list is no text.")
    return str(body).encode("ascii") if isinstance(body, int) else body


def _listed(data: Iterable[Any]) -> list[Listed]:
    found = {
        items[b"UID"]: Listed(items[b"UID"], int(items[b"RFC822.SIZE"]), _flags(items[b"FLAGS"]))
        for items in fetched_items(data)
        if b"RFC822.SIZE" in items and b"FLAGS" in items
    }
    return [found[uid] for uid in sorted(found)]


def _spread(low: int, high: int) -> set[int]:
    """Return some numbers above `low` up to `high`, evenly apart."""
    return {low + (high - low) * step // _PROBES for step in range(1, _PROBES + 1)} - {low}


def _flags(names: Iterable[bytes | int]) -> frozenset[str]:
    """Return the names of flags; of one in digits the parser makes a number."""
    return frozenset(
        str(name) if isinstance(name, int) else name.decode("ascii", "replace") for name in names
    )
