"""`flexmail backup` and `flexmail restore`: copies of the database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from flexmail.cli import console
from flexmail.services import backup as copies
from flexmail.services import installation, keys

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("backup")
@click.argument("file", type=_FILE, metavar="FILE")
@with_appcontext
def backup(file: Path) -> None:
    """Copy the SQLite database into a new file, while flexmail runs.

    The copy holds no key: keep encryption.key too, in another place.
    """
    size = copies.make(file)
    console.say(f"Wrote {file} ({size} bytes). Keep the encryption keys elsewhere.")


@click.command("restore")
@click.argument("file", type=_FILE, metavar="[FILE]", required=False)
@click.option("--claim", is_flag=True, help="Claim the database as it is, without a backup.")
@click.option("--force", is_flag=True, help="Even while jobs seem to run on it.")
@with_appcontext
def restore(file: Path | None, claim: bool, force: bool) -> None:
    """Put a backup back, or claim a database of another flexmail.

    The database before is kept beside. What happened after the backup is not in it: such requests
    are gone, such decisions are open again, and replies that were processed are not read twice.
    """
    now = datetime.now(UTC)
    if (file is None) is not claim:
        raise click.UsageError("Give the file of a backup, or --claim.")
    if file is None:
        claimed = installation.claim(now=now)
        console.say("The database is claimed." if claimed else "The database is ours already.")
        return
    before = copies.restore(file, now=now, force=force)
    console.say(f"Restored {file} and claimed it. The database before is kept as {before}.")
    console.say(
        "What happened after the backup is not known any more: look at open approvals, for replies"
        " to them may have been processed and deleted since."
    )
    if lost := keys.unreadable():
        console.remark(
            f"No key opens {lost} stored secrets: put the keys of that time back, or type the"
            " passwords anew."
        )
