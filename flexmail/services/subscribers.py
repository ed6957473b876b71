"""How somebody is named who hears of events: an address, or `group:NAME`."""

from __future__ import annotations

from flexmail.errors import InvalidInput
from flexmail.mail.address import normalise
from flexmail.services import account_rules

GROUP = "group:"


def recipient(text: str) -> str:
    """Return a recipient as it is stored and compared.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    text = text.strip()
    if not text.startswith(GROUP):
        return normalise(text)
    try:
        groups = account_rules.memberships([text.removeprefix(GROUP)])
    except InvalidInput as error:
        raise ValueError(error.errors["groups"][0]) from error
    if not groups:
        raise ValueError("Give the name of the group after group:.")
    return f"{GROUP}{groups[0].group}"
