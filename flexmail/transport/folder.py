"""One open IMAP folder: read it, and remove exactly those mails that were settled.

Only UIDs that the caller names are ever marked or expunged; mails and marks of other clients
stay. RFC 3501 and 9051, RFC 4315 (UIDPLUS), RFC 2177 (IDLE).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from imaplib import Time2Internaldate

from flexmail.errors import Refused, Unreachable
from flexmail.transport.bounds import BoundedImap
from flexmail.transport.listing import Listed
from flexmail.transport.reading import Fetched, Reader
from flexmail.transport.responses import uid_sets
from flexmail.transport.words import in_words

__all__ = ["Fetched", "Folder", "Listed", "quoted", "quoted_folder", "readable_folder"]

_DELETED = r"(\Deleted)"
_IDLE_LOOK_SECONDS = 1.0
_SIZE = re.compile(rb"\* (\d{1,10}) (EXISTS|EXPUNGE)\r?\n?$", re.IGNORECASE)


class Folder(Reader):
    """The folder that is open on this connection; made by `open_folder`.

    Mails that come in from then on have UIDs from `uidnext` on; 0 where the server does not say.
    """

    def __init__(
        self,
        imap: BoundedImap,
        name: str,
        *,
        uidvalidity: int,
        uidnext: int,
        readonly: bool,
        uidplus: bool,
        can_idle: bool,
        step_seconds: float,
    ) -> None:
        super().__init__(imap, step_seconds)
        self.name = name
        self.uidvalidity = uidvalidity
        self.uidnext = uidnext
        self._readonly = readonly
        self._uidplus = uidplus
        self.can_idle = can_idle

    @property
    def encrypted(self) -> bool:
        return self._imap.wire.encrypted

    def idle(self, keep_waiting: Callable[[], bool]) -> bool:
        """Wait with IDLE (RFC 2177) until mail arrives; tell whether it did.

        Args:
            keep_waiting: asked every second; False ends the wait.
        """
        imap, before = self._imap, self._imap.arrived
        with imap.command(self._step_seconds):
            imap.noop()  # some servers tell while idling only what is new by then
        if imap.arrived > before:
            return True
        tag = imap._new_tag()
        with imap.command(self._step_seconds):
            imap.send(tag + b" IDLE\r\n")
            while not (line := imap.readline()).startswith(b"+"):
                self._hear(line, tag)
        while imap.arrived == before and keep_waiting():
            if not imap.wire.stays_quiet(_IDLE_LOOK_SECONDS):
                with imap.command(self._step_seconds):
                    self._hear(imap.readline(), tag)
        with imap.command(self._step_seconds):
            imap.send(b"DONE\r\n")
            while not (line := imap.readline()).startswith(tag):
                self._hear(line, tag)
        return imap.arrived > before

    def _hear(self, line: bytes, tag: bytes) -> None:
        """Take note of what the server says unasked."""
        if line.startswith(tag):
            raise Refused(f"The server refused IDLE: {self._imap.say(line)}")
        if line.upper().startswith(b"* BYE"):
            raise Unreachable(f"The server ended the connection: {self._imap.say(line[5:])}")
        if told := _SIZE.match(line):
            self._imap._append_untagged(told[2].decode().upper(), told[1])

    def delete(self, uids: Collection[int]) -> frozenset[int]:
        """Remove these mails and no other; return those that the server keeps all the same.

        1. Mark ours and expunge ours; without UIDPLUS only where nothing of others goes along.
        2. Look which are still there.

        Raises:
            Refused: the server said no, or mails of others would have gone along.
        """
        if self._readonly:
            raise Refused("The folder was opened for reading only.", temporary=False)
        ours = frozenset(uids)
        if ours and not self._uidplus:
            self._delete_alone(ours)
        kept: list[int] = []
        for uid_set in uid_sets(ours):
            if self._uidplus:
                self._uid("STORE", uid_set, "+FLAGS.SILENT", _DELETED)
                self._uid("EXPUNGE", uid_set)
            kept += self._search("UID", uid_set)
        return ours.intersection(kept)

    def find_header(self, name: str, value: str) -> list[int]:
        """Return the UIDs of the mails whose header `name` contains `value`, oldest first."""
        text = name + value
        if not (text.isprintable() and text.isascii()):
            raise ValueError("Only printable ASCII can be searched for.")
        return self._search("HEADER", quoted(name), quoted(value))

    def append(self, raw: bytes, received_at: datetime | None = None) -> None:
        """Put a mail into this folder, without any flag; its INTERNALDATE is now by default."""
        date = Time2Internaldate(received_at) if received_at else None
        with self._imap.command(self._step_seconds):
            answer = self._imap.append(quoted_folder(self.name), None, date, raw)
            self._checked("APPEND", *answer)

    def _delete_alone(self, ours: frozenset[int]) -> None:
        """Expunge without UIDPLUS: a bare EXPUNGE takes along whatever is marked.

        So nothing but ours may be marked, before and after we mark; otherwise our marks come off.
        """
        marked_before = frozenset(self._search("DELETED"))
        _refuse_others(marked_before - ours)
        marked = ours - marked_before
        for uid_set in uid_sets(marked):
            self._uid("STORE", uid_set, "+FLAGS.SILENT", _DELETED)
        others = frozenset(self._search("DELETED")) - ours
        if others:
            for uid_set in uid_sets(marked):
                self._uid("STORE", uid_set, "-FLAGS.SILENT", _DELETED)
            _refuse_others(others)
        with self._imap.command(self._step_seconds):
            self._checked("EXPUNGE", *self._imap.expunge())

    def _uid(self, command: str, *arguments: str) -> None:
        with self._imap.command(self._step_seconds):
            self._checked(command, *self._imap.uid(command, *arguments))

    def _search(self, *criteria: str) -> list[int]:
        with self._imap.command(self._step_seconds):
            data = self._checked("SEARCH", *self._imap.uid("SEARCH", *criteria))
            return sorted(int(number) for line in data for number in (line or b"").split())


def quoted(text: str) -> str:
    """Return an IMAP quoted string; the caller has made sure that it is printable ASCII."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quoted_folder(name: str) -> str:
    """Return the name of a folder in modified UTF-7 (RFC 3501, section 5.1.3), quoted."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return quoted(name)  # the same there; most are, and IMAPClient takes a while to load
    from imapclient.imap_utf7 import encode

    return quoted(encode(name).decode("ascii"))


def readable_folder(name: object) -> str:
    """Return a folder's name as the parser tells it, in words."""
    from imapclient.imap_utf7 import decode

    if not isinstance(name, bytes):
        return str(name)
    try:
        return in_words(decode(name))
    except ValueError:  # some programs make a folder R&D of just that name
        return in_words(name)


def _refuse_others(others: frozenset[int]) -> None:
    if others:
        raise Refused(
            f"{len(others)} other mail(s) in the folder are marked deleted, and the server cannot "
            "expunge single mails (no UIDPLUS).",
            hint="Let the mail program that marked them expunge them.",
        )
