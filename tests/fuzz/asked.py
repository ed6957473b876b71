"""The mail that asks Bob, as ours are written: all replies here answer it."""

from __future__ import annotations

import html

from flexmail.mail.compose import reference_block

TITLE = "Deploy billing 4.2"


def notification(reference: str) -> str:
    """Return the text of a mail that asks, in the order of ours."""
    return (
        f"Your approval is asked for by the release train:\n\n  Request: {TITLE}\n\n"
        "Answer until: Mon 09 Nov 2026, 09:00 UTC\n\n"
        "How to answer: reply to this mail with the word Approve or Reject on the first line.\n"
        "You may add a comment after the word. Or use one of these links, which open a filled-in"
        " answer:\n\nTo approve: mailto:approvals@corp.test?subject=Re&body=Approve\n\n"
        "To reject: mailto:approvals@corp.test?subject=Re&body=Reject\n\n"
        f"{reference_block(reference)}"
    )


def page(reference: str) -> str:
    """Return the HTML of a mail that asks: its links are lines of one word."""
    block = html.escape(reference_block(reference)).replace("\n", "<br>")
    return (
        f"<p>Your approval is asked for:</p><h1>Request: {TITLE}</h1>"
        '<p><a href="mailto:approvals@corp.test?body=Approve">Approve</a><br>'
        '<a href="mailto:approvals@corp.test?body=Reject">Reject</a></p>'
        f"<p>Answer until Mon 09 Nov 2026.</p><p>{block}</p>"
    )
