"""`flexmail keys`: what seals stored secrets."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.crypto import key_store
from flexmail.services import keys
from flexmail.services.keys import Rotation

group = AppGroup("keys", help="What seals stored secrets.")


@group.command("rotate")
@click.option("--drop-old", is_flag=True, help="Drop the older keys, once nothing needs them.")
def rotate(drop_old: bool) -> None:
    """Make a new key and seal every stored secret with it; running processes go on.

    Old keys stay, so that nothing is lost whatever happens; --drop-old is the second step. With
    keys from FLEXMAIL_ENCRYPTION_KEYS the first of that list is the new one.
    """
    if not drop_old:
        _tell(keys.rotate())
        console.say("The older keys still open: flexmail keys rotate --drop-old drops them.")
        return
    done, dropped = keys.drop_old()
    _tell(done)
    if not dropped:
        console.say("There is one key only: nothing to drop.")
    elif key_store().path:
        console.say(f"Dropped {dropped}. Backups made before need them: keep those keys with them.")
    else:
        console.say("FLEXMAIL_ENCRYPTION_KEYS needs its first key only: take out the others.")


def _tell(done: Rotation) -> None:
    console.say(f"Sealed {done.sealed} secrets with the newest key.")
    if done.unreadable:
        console.remark(
            f"No key opens {done.unreadable} more: they stay as they are. Put the lost key back,"
            " or type the passwords anew."
        )
