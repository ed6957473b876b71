"""Open the reply folder of an IMAP account: the way in for everything that reads replies.

One connection, one folder, one thread; the whole visit ends by the wall clock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flexmail.transport.accounts import ImapAccount
from flexmail.transport.folder import Fetched, Folder, Listed
from flexmail.transport.imap_dialogue import ImapDialogue
from flexmail.transport.opening import open_client
from flexmail.transport.tls import Deadline
from flexmail.transport.trace import Trace

__all__ = ["STEPS", "Fetched", "Folder", "ImapAccount", "Listed", "open_folder"]

STEPS = ("resolve", "connect", "tls", "login", "folder")


@contextlib.contextmanager
def open_folder(
    account: ImapAccount,
    folder: str,
    *,
    readonly: bool = False,
    trace: Trace | None = None,
    step_seconds: float = 10,
    run_seconds: float = 60,
) -> Iterator[Folder]:
    """Connect, encrypt, log in and open the folder; one step each, `folder` the last.

    Args:
        readonly: EXAMINE instead of SELECT: nothing can be changed or removed.
        step_seconds: wall clock for each step and each command; where mail is read, for silence.
        run_seconds: wall clock for everything, from the name to the last command.

    Raises:
        FolderMissing: with the names of some folders that exist in its hint.
        MailServerError: whatever else went wrong, also while the folder is being used.
    """
    trace = trace or Trace(STEPS)
    dialogue = open_client(
        account.endpoint,
        "IMAP",
        lambda wire: ImapDialogue(wire, account, step_seconds),
        user=account.user,
        trace=trace,
        step_seconds=step_seconds,
        run=Deadline(run_seconds),
    )
    try:
        with trace.step("folder") as step:
            opened = dialogue.open(folder, readonly=readonly)
            step.detail = f"{opened.exists} mail{'' if opened.exists == 1 else 's'} in it"
        yield opened
    finally:
        dialogue.close()
