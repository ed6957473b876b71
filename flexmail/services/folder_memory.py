"""What one run remembers of the folder for the next: how far headers were looked at, which mails
answer a request, and which lay there before flexmail did and are held back.

Positions are hints: others change the folder. UIDs count, and what is kept of them is written in
commits that are made anyway.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Table, bindparam, case, select, update

from flexmail.db import db, execute, transaction
from flexmail.errors import Refused
from flexmail.models import Reply, ReplyFolder
from flexmail.services.reply_run import Run, stand_firm
from flexmail.transport.imap import Folder

MAX_PROMISING = 2000

_FOLDERS = cast(Table, ReplyFolder.__table__)
_KNOWN = select(_FOLDERS).filter_by(account=bindparam("account"), folder=bindparam("folder"))
_HELD = _FOLDERS.c.held_below_uid.is_not(None)
_THIS = update(_FOLDERS).where(_FOLDERS.c.id == bindparam("row"))
_SAVE = _THIS.values(
    held_below_uid=case((_HELD, bindparam("mark", type_=_FOLDERS.c.held_below_uid.type))),
    held=case((_HELD, bindparam("still_held", type_=_FOLDERS.c.held.type))),
)


@dataclass(slots=True)
class Memory:
    """A row of `reply_folders` while a run works with it.

    `threaded` and `tagged` map UIDs to approvals: the first answer a Message-ID of ours, the others
    bear a tag in the subject. Mails below `mark` are held unless they are among them; 0 holds none.
    `passed_over` is the UID up to which no mail wants anything, and how many there may be up to it.
    """

    row_id: int
    scanned_uid: int
    scanned_position: int
    mark: int
    held: dict[str, Any]
    threaded: dict[int, int] = field(default_factory=dict)
    tagged: dict[int, int] = field(default_factory=dict)
    turn: int = 0
    passed_over: tuple[int, int] = (0, 0)
    unsaved: bool = False

    def remember(self, uid: int, approval_id: int, *, threaded: bool) -> None:
        """Note a mail that answers a request; more than fit in here wait their turn by age."""
        wanted = self.threaded if threaded else self.tagged
        if len(wanted) < MAX_PROMISING:
            wanted[uid] = approval_id
            self.unsaved = True

    def forget(self, uids: Collection[int]) -> None:
        """Let go of mails that are not there any more."""
        for kind in (self.threaded, self.tagged):
            for uid in kind.keys() & set(uids):
                del kind[uid]
                self.unsaved = True

    def answers(self) -> set[int]:
        """Return the UIDs of all mails that answer a request."""
        return {*self.threaded, *self.tagged}

    def take_turns(self, *, between: bool) -> None:
        """Have the other kind of mail go first in the next run, where both wait for one place."""
        if between:
            self.turn, self.unsaved = 1 - self.turn, True

    def pass_over(self, uid: int, position: int) -> None:
        """Have the next run begin behind mails that want nothing, or at the first again."""
        if self.passed_over != (uid, position):
            self.passed_over, self.unsaved = (uid, position), True

    def passed(self, uid: int, position: int) -> None:
        """Note that headers were looked at as far as this."""
        if (self.scanned_uid, self.scanned_position) != (uid, position):
            self.scanned_uid, self.scanned_position = uid, position
            self.unsaved = True

    def settled(self, uids: Collection[int]) -> None:
        """Note which mails are deleted next, so that the positions are right afterwards."""
        self.scanned_position -= sum(uid <= self.scanned_uid for uid in uids)
        if self.mark:
            below = self.held["below"] - sum(uid < self.mark for uid in uids)
            self.held = self.held | {"below": below}
        self.unsaved = True

    def holds(self, uid: int) -> bool:
        """Tell whether a mail has to stay untouched."""
        return uid < self.mark and uid not in self.threaded and uid not in self.tagged

    def count_held(self, below: int, *, sure: bool) -> None:
        """Note how many mails there are below the mark; with none left to hold the mark goes.

        Args:
            sure: all that answer a request were seen to be there, so that none is counted twice.
        """
        if not self.mark:
            return
        ours = sum(uid < self.mark for uid in self.answers())
        held = self.held | {"below": below, "count": max(0, below - ours)}
        if sure and not held["count"]:
            self.mark, held = 0, {}
        self.unsaved = self.unsaved or held != self.held
        self.held = held

    def save(self) -> None:
        """Write what changed; joins the caller's transaction.

        A mark that an admin took away meanwhile stays away.
        """
        if not self.unsaved:
            return
        execute(
            _SAVE,
            row=self.row_id,
            scanned_uid=self.scanned_uid,
            scanned_position=max(0, self.scanned_position),
            promising={
                "threaded": [*self.threaded.items()],
                "tagged": [*self.tagged.items()],
                "turn": self.turn,
                "passed_over": self.passed_over,
            },
            mark=self.mark or None,
            still_held=self.held or None,
        )
        self.unsaved = False


def recall(folder: Folder, run: Run) -> Memory:
    """Return what is known of the folder; begins anew where its UIDs mean other mails than before.

    The first time, all mail that is there is held back, and that is committed before any of it is
    looked at. A folder that replies were taken from before is known to be flexmail's.
    """
    row: Any = execute(_KNOWN, **run.place).first()
    known = row is not None and row.uidvalidity == folder.uidvalidity
    if known and 0 < folder.uidnext <= row.scanned_uid:  # an old one, or numbers are given anew
        known = _first_to_come(folder) > row.scanned_uid
    if not known:
        mark = _first_to_come(folder)
        with transaction():
            stand_firm(run)
            _begin(folder, run, mark)
        row = execute(_KNOWN, **run.place).one()
    memory = Memory(
        row_id=row.id,
        scanned_uid=row.scanned_uid,
        scanned_position=row.scanned_position,
        mark=row.held_below_uid or 0,
        held=row.held or {},
        threaded=dict(row.promising.get("threaded", [])),
        tagged=dict(row.promising.get("tagged", [])),
        turn=row.promising.get("turn", 0),
        passed_over=tuple(row.promising.get("passed_over", (0, 0))),
    )
    db.session.rollback()  # no transaction is open while the network is used
    return memory


def _first_to_come(folder: Folder) -> int:
    """Return a UID above that of every mail in the folder, 0 where there is none.

    Some servers tell no UIDNEXT, or an old one.
    """
    last = folder.exists
    if not last:
        return 0
    uids = folder.uids_at([last]).values()
    if not uids:
        raise Refused("The server does not say which mail is the last in the folder.")
    return max(folder.uidnext, *(uid + 1 for uid in uids))


def _begin(folder: Folder, run: Run, mark: int) -> None:
    row = db.session.scalar(select(ReplyFolder).filter_by(**run.place))
    if row is None:
        is_ours = db.session.scalar(select(Reply.id).filter_by(**run.place).limit(1)) is not None
        row = ReplyFolder(**run.place)
        db.session.add(row)
    else:
        is_ours = row.held_below_uid is None
    row.uidvalidity = folder.uidvalidity
    row.scanned_uid, row.scanned_position, row.promising = 0, 0, {}
    row.held_below_uid, row.held = None, None
    if is_ours or not mark:
        row.confirmed_at = row.confirmed_at or run.now
    else:
        row.held_below_uid = mark
        row.held = {"count": folder.exists, "below": folder.exists, "oldest": None, "senders": []}
