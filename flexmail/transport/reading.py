"""Read from an open IMAP folder without leaving a mark: PEEK only, and never the whole folder.

Every answer is matched to its mail by UID; what others do to the folder meanwhile shifts sequence
numbers, not UIDs. RFC 3501 and 9051, RFC 5530 (response codes).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from flexmail.errors import Refused
from flexmail.transport.bounds import BoundedImap, response_code
from flexmail.transport.listing import Listed, Lister, body_of
from flexmail.transport.responses import MAX_SIZE, fetched_items, uid_sets

_MAX_BATCH = 8 << 20
_OVERHEAD = 1 << 10
_UNKNOWN_SIZE = 64 << 10
_TROUBLE = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "OVERQUOTA"}
_GIVE_UP_AFTER = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail as it was read; `size` is that of the whole mail.

    `text_behind` means that there is text behind what was read.
    """

    uid: int
    raw: bytes = field(repr=False)
    size: int
    text_behind: bool = False

    @property
    def partial(self) -> bool:
        return len(self.raw) < self.size


class Reader(Lister):
    """How mails are read on a connection where a folder is open.

    `unreadable` maps the UIDs that the server lists but will not hand over to its reasons.
    """

    def __init__(self, imap: BoundedImap, step_seconds: float) -> None:
        super().__init__(imap, step_seconds)
        self.unreadable: dict[int, str] = {}

    def fetch(
        self,
        mails: Sequence[Listed | int],
        max_bytes: int = 1 << 20,
        *,
        first_bytes: int | None = None,
        refused: Collection[int] = (),
    ) -> Iterator[Fetched]:
        """Yield the mails in the order given, at most `max_bytes` of each.

        Of one whose texts end in its `first_bytes` no more is read. They are asked for in batches
        that grow with the speed of the line, so that a slow one yields what it can in time. Mails
        that vanished are absent, those that the server refuses `unreadable`; `refused` are UIDs
        that it did not hand over before when it did others.

        Raises:
            Refused: the server hands over nothing at all.
        """
        at_first = min(max_bytes, first_bytes or max_bytes)
        sizes = {_uid(mail): min(_size(mail), at_first) + _OVERHEAD for mail in mails}
        waiting, budget, any_read = list(sizes), 1, False
        while waiting:
            batch = _next_batch(waiting, sizes, budget)
            waiting = waiting[len(batch) :]
            started = monotonic()
            read = self._read_on(self._read_batch(batch, at_first), max_bytes)
            any_read = any_read or bool(read)
            fresh = len(self.unreadable.keys() - refused)
            if not any_read and 0 < fresh >= min(_GIVE_UP_AFTER, len(sizes.keys() - refused)):
                raise Refused(f"The server hands over no mail: {[*self.unreadable.values()][-1]}")
            volume = sum(len(mail.raw) + _OVERHEAD for mail in read)
            speed = volume / max(monotonic() - started, 0.001)
            budget = int(min(speed * self._step_seconds / 2, _MAX_BATCH))
            yield from read

    def _read_batch(self, batch: list[int], max_bytes: int) -> list[Fetched]:
        read: dict[int, Fetched] = {}
        refusal = ""
        for uid_set in uid_sets(batch):
            with self._answer():
                wanted = f"(UID RFC822.SIZE BODY.PEEK[]<0.{max_bytes}>)"
                typ, data = self._imap.uid("FETCH", uid_set, wanted)
                if typ != "OK":
                    refusal = self._imap.say(data)
                    data = self._imap.response("FETCH")[1]
                for items in fetched_items(data):
                    self._take(items, read, max_bytes)
        if refusal and response_code(refusal) != "EXPUNGEISSUED":
            missing = [uid for uid in batch if uid not in read]
            read.update(self._read_singly(missing, batch, refusal, max_bytes))
        return [read[uid] for uid in batch if uid in read]

    def _read_on(self, mails: list[Fetched], max_bytes: int) -> list[Fetched]:
        """Return the mails, with more of those whose text may not end in what was read."""
        cut = [mail for mail in mails if mail.partial and len(mail.raw) < max_bytes]
        if not cut:
            return mails
        structures = self.structures([mail.uid for mail in cut])
        from flexmail.transport.structure import texts_in  # few mails are longer

        told = {mail.uid: texts_in(structures.get(mail.uid), mail.raw, mail.size) for mail in cut}
        behind = {uid for uid, texts in told.items() if texts and texts.last_begins >= max_bytes}
        longer = [
            mail.uid
            for mail in cut
            if (texts := told[mail.uid]) is None
            or (texts.end > len(mail.raw) and mail.uid not in behind)
        ]
        more = {mail.uid: mail for mail in self._read_batch(longer, max_bytes)} if longer else {}
        gone = set(longer) - more.keys()
        return [
            replace(more.get(mail.uid, mail), text_behind=mail.uid in behind)
            for mail in mails
            if mail.uid not in gone
        ]

    def _take(self, items: dict[bytes, Any], read: dict[int, Fetched], max_bytes: int) -> None:
        raw, uid = body_of(items), items[b"UID"]
        if raw is None:
            return
        stated = int(items.get(b"RFC822.SIZE", 0))
        if stated and not raw:
            self.unreadable[uid] = "the server handed over an empty mail"
            return
        # Stated sizes may be wrong (Exchange): a mail that ends before the limit is whole, and one
        # that reaches it is not, unless it was said to end just there.
        size = len(raw) if len(raw) < max_bytes else max(stated, len(raw) + (stated < len(raw)))
        size = min(size, MAX_SIZE)
        read[uid] = Fetched(uid, raw[:max_bytes], size)

    def _read_singly(
        self, missing: list[int], batch: list[int], refusal: str, max_bytes: int
    ) -> dict[int, Fetched]:
        if missing and len(batch) == 1:
            self.unreadable[batch[0]] = refusal
            if response_code(refusal) in _TROUBLE:  # the server's, or of this mail alone
                raise Refused(f"The server hands over no mail now: {refusal}")
            return {}
        singles = (self._read_batch([uid], max_bytes) for uid in missing)
        return {mail.uid: mail for single in singles for mail in single}


def _uid(mail: Listed | int) -> int:
    return mail if isinstance(mail, int) else mail.uid


def _size(mail: Listed | int) -> int:
    return _UNKNOWN_SIZE if isinstance(mail, int) else mail.size


def _next_batch(waiting: list[int], sizes: dict[int, int], budget: int) -> list[int]:
    batch: list[int] = []
    volume = 0
    for uid in waiting:
        volume += sizes[uid]
        if batch and volume > budget:
            break
        batch.append(uid)
    return batch
