"""Take mails out of an open reply folder, batch by batch; `settling` tells how each is settled.

Nothing is deleted but what a commit holds, and it is verified. A crash before that commit leaves
the mail and no decision; a crash after it leaves a mail known by (account, folder, UIDVALIDITY,
UID) and SHA-256 that only has to be deleted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flexmail.db import transaction
from flexmail.errors import Refused
from flexmail.mail.sizes import HEAD_BYTES, MAX_BYTES
from flexmail.services import folder_memory, folder_window, withheld
from flexmail.services.folder_memory import Memory
from flexmail.services.folder_window import Window
from flexmail.services.grouping import batches
from flexmail.services.reply_run import Run, delete, sha256
from flexmail.transport.imap import Fetched, Folder

if TYPE_CHECKING:
    from flexmail.services.settling import Line

log = logging.getLogger(__name__)


def take(folder: Folder, run: Run) -> None:
    """Take up to the count; what was settled before is deleted and not counted."""
    memory = folder_memory.recall(folder, run)
    window = folder_window.look(folder, run, memory)
    count = run.settings.email_reply_process_count
    wanted = window.open[:count]
    fetched = folder.fetch(
        wanted, max_bytes=MAX_BYTES, first_bytes=HEAD_BYTES, refused=window.withheld
    )
    at_most = run.patience.step_seconds
    try:
        if wanted:
            with _line(folder, run, memory) as line:
                for number, batch in enumerate(batches(fetched, window.tried, seconds=at_most)):
                    if not run.keep_going() or (number and run.is_late()):
                        break
                    line.take(batch, alone=any(mail.uid in window.tried for mail in batch))
        _take_others(folder, run, window, memory)
    except Refused:
        _note_withheld(folder, run, window)  # so that the next run asks for others first
        raise
    _note_withheld(folder, run, window)
    if memory.unsaved:
        from flexmail.services import tries  # takes a while to load

        with transaction():
            tries.stand_on_trust(run)
            memory.save()
    run.report.held = memory.held.get("count", 0)
    out_of_reach = len(window.left_alone) + run.report.kept + run.report.held
    run.report.left = max(0, folder.exists - out_of_reach)


def _take_others(folder: Folder, run: Run, window: Window, memory: Memory) -> None:
    """Delete what was settled before, and take what stands there instead."""
    count = run.settings.email_reply_process_count
    others = _delete_leftovers(folder, run, window.leftovers, count)
    if not others:
        return
    with _line(folder, run, memory) as line:
        for mail in others:
            if run.report.looked_at < count and run.keep_going() and not memory.holds(mail.uid):
                line.take([mail], alone=True)


def _note_withheld(folder: Folder, run: Run, window: Window) -> None:
    withheld.note(folder, run, folder.unreadable.keys() - window.leftovers.keys())


def _delete_leftovers(
    folder: Folder, run: Run, leftovers: dict[int, frozenset[str]], count: int
) -> list[Fetched]:
    """Finish what a crash between commit and delete left, `count` mails at the most.

    Returns:
        Mails that are others than those settled under their UIDs: a server gave the number to a
        new mail, against RFC 9051. They want an outcome like any new mail.
    """
    first = list(leftovers)[:count]
    fetched = (
        list(folder.fetch(first, max_bytes=MAX_BYTES, first_bytes=HEAD_BYTES)) if first else []
    )
    same = [mail.uid for mail in fetched if sha256(mail) in leftovers[mail.uid]]
    if same:
        delete(folder, run, same)
    return [mail for mail in fetched if mail.uid not in same]


def _line(folder: Folder, run: Run, memory: Memory) -> Line:
    # Half of what a run imports, and most runs find no mail.
    from flexmail.services.settling import Line

    return Line(folder, run, memory)
