"""Every rule that a mail has to meet, in the order in which `receiving` asks."""

from __future__ import annotations

from collections.abc import Callable

from flexmail.services import mail_rules, request_rules
from flexmail.services.evidence import Facts, Found

RULES: dict[str, Callable[[Facts], Found]] = {
    "reading": mail_rules.reading,
    "size": mail_rules.size,
    "own_mail": mail_rules.own_mail,
    "bounce": mail_rules.bounce,
    "automatic": mail_rules.automatic,
    "structure": mail_rules.structure,
    "from": mail_rules.author,
    "text": mail_rules.text,
    "seen_before": mail_rules.seen_before,
    "hints": mail_rules.hints,
    "reference": request_rules.reference,
    "sender": request_rules.sender,
    "authentication": request_rules.authentication,
    "account": request_rules.account,
    "open": request_rules.still_open,
    "mail_decision": request_rules.mail_decision,
    "words": mail_rules.words,
    "decision": mail_rules.decision,
    "comment": request_rules.comment,
}
"""By name; the first that fails decides the outcome."""

_KNOWN_UNREAD = ("reading", "size", "structure", "seen_before")


def found_by_all(facts: Facts) -> dict[str, Found]:
    """Return what every rule found."""
    return {name: rule(facts) for name, rule in RULES.items()}


def found_unread(facts: Facts) -> dict[str, Found]:
    """Return what the rules found about a mail that could not be read to the end."""
    unknown: Found = (None, "Not reached: the mail could not be read to its end.")
    return {name: rule(facts) if name in _KNOWN_UNREAD else unknown for name, rule in RULES.items()}
