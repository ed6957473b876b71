"""One mail over an SMTP connection: from whom, to whom, and the content.

Where the server offers PIPELINING the three commands go out at once, and each reply is still
matched with its command (RFC 2920). RFC 5321, RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531
(SMTPUTF8).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Callable
from functools import lru_cache

from flexmail.errors import LoginRefused, MailServerError, Refused, TlsFailed
from flexmail.transport.smtp_dialogue import SmtpDialogue
from flexmail.transport.words import has_control

_YES, _GO_ON = 2, 3
"""What the first digit of a code says, whatever follows it (RFC 5321, section 4.2)."""

_STAGES = (("the sender address", _YES), ("the recipient", _YES), ("the mail", _GO_ON))
_SOMETHING_ELSE_FIRST = 530
_LINE_END = re.compile(rb"\r\n|\r|\n")


def envelope(dialogue: SmtpDialogue, sender: str, recipient: str, message: bytes) -> list[bytes]:
    """Return the commands MAIL, RCPT and DATA for a mail.

    Raises:
        Refused: this server cannot be told these addresses.
    """
    if has_control(sender + recipient):
        raise Refused("The address contains a control character.", temporary=False)
    options = f" SIZE={len(message)}" if dialogue.offers("size") else ""
    if whose := _beyond_ascii(sender, recipient, message):
        if not dialogue.offers("smtputf8"):
            raise Refused(
                f"The server takes no addresses with letters beyond ASCII (SMTPUTF8): {whose}.",
                temporary=False,
            )
        options += " SMTPUTF8"
    if not message.isascii() and dialogue.offers("8bitmime"):
        options += " BODY=8BITMIME"
    mail, rcpt = f"MAIL FROM:{_path(sender)}{options}\r\n", f"RCPT TO:{_path(recipient)}\r\n"
    return [mail.encode(), rcpt.encode(), b"DATA\r\n"]


def _beyond_ascii(sender: str, recipient: str, message: bytes) -> str:
    """Say what needs SMTPUTF8 and what to do without it; nothing where all is ASCII."""
    if not recipient.isascii():
        return "give this recipient an address without them"
    if not sender.isascii():
        return "give SMTP From Address without them"
    if not message.isascii() and not message.partition(b"\r\n\r\n")[0].isascii():
        return "a header of the mail holds one"
    return ""


@lru_cache
def _path(address: str) -> str:
    return smtplib.quoteaddr(address)


def open_mail(
    dialogue: SmtpDialogue,
    commands: list[bytes],
    begin_answer: Callable[[], None],
    *,
    announced: bool,
) -> None:
    """Have the server ready for the content.

    Args:
        begin_answer: bounds the time that the next answers may take.
        announced: the commands are out already.

    Raises:
        Refused: the first no; the server waits for no content any more. The connection may be
            closed: some servers hang up after a no.
        TlsFailed, LoginRefused: encryption or a login has to come first; the connection is closed.
    """
    at_once = dialogue.offers("pipelining")
    begin_answer()
    if at_once and not announced:
        dialogue.write(b"".join(commands))
    refusal: Refused | None = None
    codes: list[int] = []
    for command, (what, wanted) in zip(commands, _STAGES, strict=True):
        if not at_once:
            begin_answer()
            dialogue.write(command)
        try:
            code, raw = dialogue.reply()
        except MailServerError:
            if refusal is not None:
                raise refusal from None
            raise
        codes.append(code)
        if code // 100 != wanted and refusal is None:
            refusal = _refusal(dialogue, what, code, raw)
        if refusal is not None and not at_once:
            break
    if refusal is not None:
        begin_answer()
        _end_without_content(dialogue, codes)
        raise refusal


def end_mail(dialogue: SmtpDialogue) -> str:
    """Read the answer to the content; return it if the mail is taken."""
    code, raw = dialogue.reply()
    if code // 100 != _YES:
        raise _refusal(dialogue, "the mail", code, raw)
    return f"{code} {dialogue.say(raw)}"


def _end_without_content(dialogue: SmtpDialogue, codes: list[int]) -> None:
    """End a mail that nobody is to get.

    A server that said 354 all the same is given an empty mail to no recipient (RFC 2920, section
    3.1). One that refused the sender and took the recipient might deliver that: there the
    connection ends.
    """
    waits = codes[-1] // 100 == _GO_ON
    if waits and codes[1] // 100 == _YES:
        dialogue.wire.close()
        return
    with contextlib.suppress(MailServerError):
        if waits:
            dialogue.write(b".\r\n")
            dialogue.reply()
        dialogue.command("RSET")


def _refusal(dialogue: SmtpDialogue, what: str, code: int, raw: bytes) -> Refused:
    """Return a no to one mail.

    Raises:
        MailServerError: it is one to every mail over this connection.
    """
    text = f"The server refused {what}: {code} {dialogue.say(raw)}"
    if code == _SOMETHING_ELSE_FIRST:
        raise _not_ready(dialogue, text)
    return Refused(text, code=code, temporary=code < 500)


def _not_ready(dialogue: SmtpDialogue, text: str) -> MailServerError:
    """Return what a server wants first that says so to a mail (RFC 3207, 4954)."""
    in_clear = not dialogue.wire.encrypted
    dialogue.wire.close()
    if in_clear and "tls" in text.lower():
        hint = "Tick SMTP Enable STARTTLS or SMTP SSL/TLS."
        return TlsFailed(f"{text}. The server wants an encrypted connection.", hint=hint, code=530)
    hint = "Fill in SMTP User and SMTP Password."
    if in_clear and dialogue.offers_starttls():
        hint += " Tick SMTP Enable STARTTLS, so that they are not sent in clear."
    return LoginRefused(f"{text}. The server wants a login.", hint=hint, code=530)


def as_data(message: bytes) -> bytes:
    """Return the content with CRLF line ends, leading dots doubled, and its end."""
    ends = message.count(b"\r\n")
    if not ends == message.count(b"\n") == message.count(b"\r"):
        message = _LINE_END.sub(b"\r\n", message)
    message = message.replace(b"\n.", b"\n..")
    if message.startswith(b"."):
        message = b"." + message
    return message + (b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
