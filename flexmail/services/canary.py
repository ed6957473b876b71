"""The canary: before the mail server is trusted to say who sent a mail, see whether it may be.

A mail goes to the Approval Reply Address with Authentication-Results headers that the named
server never wrote. If they are gone where the mail arrives, the server guards its name (RFC 8601,
section 5) and replies may be judged by it; if anything is left of one, at whatever place, they may
not. Only the canary is read and removed until then. It travels as mail from flexmail's own
SMTP server does: that other ways into the folder are guarded too, it cannot tell.
"""

from __future__ import annotations

import itertools
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete as delete_rows

from flexmail.db import db, transaction
from flexmail.mail.reference import digest
from flexmail.mail.sizes import MAX_BYTES
from flexmail.models import Canary, EmailSettings
from flexmail.services import audit, settings, trust
from flexmail.services.reply_run import Run, delete, stand_firm
from flexmail.transport.imap import Folder

if TYPE_CHECKING:
    from flexmail.mail.parse import Parsed

log = logging.getLogger(__name__)

KIND = "canary"
ANOTHER_AFTER = timedelta(hours=1)
MAX_A_DAY = 5

_SHOWN = 200
_MEND = (
    "Have the mail server remove Authentication-Results headers of that name from mail that comes"
    " in (RFC 8601, section 5), and see whether it is the server's own name; then check again."
    " Or set what a reply must prove to reference and sender alone."
)


def prepare(run: Run) -> None:
    """Queue a canary where the settings need one and none is on its way; commits.

    One that does not arrive is followed by another an hour later, five a day at the most.

    Raises:
        OwnershipLost: the lease or the settings changed.
        Conflict: e-mail is not set up.
    """
    wanted = trust.is_needed(run.settings) and _is_due(settings.load(), run)
    db.session.rollback()
    if not wanted:
        return
    with transaction():
        stand_firm(run)
        row = settings.load()
        if _is_due(row, run):
            _queue(row, run)


def settle(folder: Folder, run: Run) -> str:
    """Look for the canary, if one is awaited; return why replies have to wait, "" if they need not.

    Commits what was found, then removes the canary and no other mail.
    """
    if not trust.is_needed(run.settings):
        return ""
    canary = trust.canary_of(settings.load())
    message_id = canary.message_id if canary and canary.state == "sent" else ""
    db.session.rollback()  # no transaction is open while the network is used
    found = _find(folder, message_id) if message_id else {}
    if found and _conclude(run, message_id, list(found.values())):
        delete(folder, run, found.keys())
    now_known = trust.of(settings.load())
    db.session.rollback()
    return "" if now_known.lets_decide else now_known.reason


def forged_domain(message_id: str) -> str:
    """Return the domain that a canary claims a pass for: its own, and nobody's in the world."""
    return f"{digest(message_id)[:32]}.invalid"


def _is_due(row: EmailSettings, run: Run) -> bool:
    if not trust.is_needed(row):
        return False
    canary = trust.canary_of(row)
    if canary is None:
        return True
    mail = trust.mail_of(canary)
    if canary.state != "sent" or (mail and mail.state in ("queued", "sending")):
        return False
    from flexmail.services import outbox  # takes a while to load, and few runs send a canary

    fresh = mail is not None and run.now - ANOTHER_AFTER < mail.created_at <= run.now
    lately = outbox.queued_since(KIND, trust.reply_address(row), run.now - timedelta(days=1))
    return not fresh and lately < MAX_A_DAY


def _queue(row: EmailSettings, run: Run) -> None:
    from flexmail.mail.authenticate import forge
    from flexmail.services import outbox
    from flexmail.services.outbox import Threading

    message_id = outbox.own_message_id(row.smtp_from_address)
    threading = Threading(message_id=message_id)
    names = itertools.cycle(("Authentication-Results", "authentication-results"))
    values = forge(row.trusted_authserv_id, forged_domain(message_id))
    above = zip(names, values, strict=False)
    to = trust.reply_address(row)
    outbox.queue(KIND, to, {}, now=run.now, threading=threading, above=above)
    canary = trust.canary_of(row, lock=True)
    if canary is None:
        db.session.execute(delete_rows(Canary))  # what held for other settings is not kept
        canary = Canary(target_digest=trust.target(row), state="sent", created_at=run.now)
        db.session.add(canary)
    canary.message_id = message_id
    log.info("replies: a canary is on its way to %s", trust.reply_address(row))


def _find(folder: Folder, message_id: str) -> dict[int, Parsed]:
    """Return every mail in the folder that is this canary, by UID."""
    from flexmail.mail.parse import parse  # takes a while, and a run awaits a canary but rarely

    uids = folder.find_header("Message-ID", message_id)
    mails = folder.fetch(uids, max_bytes=MAX_BYTES) if uids else ()
    read = {mail.uid: parse(mail.raw, partial=mail.partial) for mail in mails}
    return {uid: parsed for uid, parsed in read.items() if parsed.message_id == message_id}


def _conclude(run: Run, message_id: str, arrived: list[Parsed]) -> bool:
    """Note what the canary found out, and commit; False where another is awaited meanwhile."""
    with transaction():
        stand_firm(run)
        row = settings.load()
        canary = trust.canary_of(row, lock=True)
        if canary is None or canary.message_id != message_id or canary.state != "sent":
            return False
        refusal = next(filter(None, (_refusal(row, message_id, one) for one in arrived)), "")
        canary.state = "refused" if refusal else "passed"
        canary.reason = refusal or (
            f"A forged header of {row.trusted_authserv_id} was removed on its way into the folder."
        )
        canary.settled_at = run.clock()
        audit.record(f"canary_{canary.state}", f"mail server {row.trusted_authserv_id}")
        level = logging.WARNING if refusal else logging.INFO
        log.log(level, "replies: the canary is %s. %s", canary.state, canary.reason)
    return True


def _refusal(row: EmailSettings, message_id: str, arrived: Parsed) -> str:
    """Return why the server cannot be trusted, nothing if it can."""
    from flexmail.mail.authenticate import survivor

    name = row.trusted_authserv_id
    if arrived.problem:
        return f"Replies wait: the canary cannot be read as it arrived. {arrived.problem} {_MEND}"
    left = survivor(
        arrived.authentication_results, authserv_id=name, domain=forged_domain(message_id)
    )
    if left is None:
        return ""
    shown = "".join(filter(str.isprintable, " ".join(left.split())))[:_SHOWN]
    return (
        f"Replies wait: a forged Authentication-Results header of {name} reached the reply folder,"
        f" so anybody could vouch for any sender ({shown}). {_MEND}"
    )
