"""What is known of the reply folder as a whole: what is held back there, and who says it may go.

Mail that lay in the folder before flexmail read it for the first time was not sent to flexmail.
What answers none of its requests stays untouched until an admin, who is shown what it is, confirms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from flexmail.db import db, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.models import EmailSettings, ReplyFolder
from flexmail.services import audit
from flexmail.services.in_force import in_force


@dataclass(frozen=True, slots=True)
class Held:
    """Mails that are held back.

    `oldest` is an ISO date, `senders` are pairs of address and count, the most frequent first; both
    are of the `surveyed` oldest mails. `mark` says which mails are meant.
    """

    folder: str
    count: int
    oldest: str | None
    senders: list[tuple[str, int]]
    surveyed: int
    mark: str


def account_name(row: EmailSettings) -> str:
    """Return `user@host:port` of the account that replies come to."""
    return f"{in_force(row).imap_user}@{row.imap_host_name}:{row.imap_host_port}"


def of(row: EmailSettings, *, lock: bool = False) -> ReplyFolder | None:
    """Return the row of the folder that the settings name, None before it was read.

    Args:
        lock: inside a write transaction, nobody else changes it until the commit.
    """
    wanted = select(ReplyFolder).where(
        ReplyFolder.account == account_name(row),
        ReplyFolder.folder == in_force(row).email_reply_folder,
    )
    return db.session.scalar(wanted.with_for_update() if lock else wanted)


def held(row: EmailSettings) -> Held | None:
    """Return what is held back in the folder that the settings name, None if nothing is."""
    folder = of(row) if row.enable_email_approval else None
    if folder is None or folder.held_below_uid is None:
        return None
    said: dict[str, Any] = folder.held or {}
    return Held(
        folder=folder.folder,
        count=said.get("count", 0),
        oldest=said.get("oldest"),
        senders=[(address, count) for address, count in said.get("senders", [])],
        surveyed=said.get("surveyed", 0),
        mark=f"{folder.uidvalidity}-{folder.held_below_uid}",
    )


def _in_sight(row: EmailSettings) -> tuple[str, str] | None:
    """Return account and folder of which people are shown what is held back, None if of none."""
    if not row.enable_email_approval:
        return None
    return account_name(row), in_force(row).email_reply_folder


@contextmanager
def unseen_stays(confirming: bool, row: EmailSettings) -> Iterator[None]:
    """Let settings be changed; whoever confirms along with that may not change what is confirmed.

    Raises:
        InvalidInput: what is in sight afterwards is not what was.
    """
    seen = _in_sight(row)
    yield
    if confirming and _in_sight(row) != seen:
        sentence = (
            "This save turns to another folder or account, and nobody was shown what is held back"
            " there. Save without this first, look at what is held back, then confirm."
        )
        raise InvalidInput({"confirm_deletion": [sentence]})


def confirm(row: EmailSettings, *, now: datetime, mark: str | None = None) -> int:
    """Let the mails that are held back be processed and deleted; return how many; commits.

    Args:
        mark: of what was shown to whoever confirms.

    Raises:
        Conflict: what is held now is not what was shown.
    """
    with transaction():
        folder = of(row, lock=True)  # a run that holds other mails back is heard first
        found = held(row)
        if mark is not None and (found is None or found.mark != mark):
            raise Conflict("What is held back in the folder has changed: look at it again.")
        if found is None or folder is None:
            return 0
        folder.held_below_uid, folder.held, folder.confirmed_at = None, None, now
        audit.record("folder_confirmed", f"folder {folder.folder}", proof={"mails": found.count})
        return found.count


def confirm_if_ticked(
    values: dict[str, str | int | bool], row: EmailSettings, *, now: datetime
) -> list[str]:
    """Confirm where `confirm_deletion` is ticked; return what there is to say; commits."""
    if not values.get("confirm_deletion"):
        return []
    count = confirm(row, now=now)
    if not count:
        return ["No mail is held back in the reply folder: there is nothing to confirm."]
    return [f"{count} mails that were held back will be processed and deleted from now on."]
