"""One mail over an SMTP connection: from whom, to whom, and the content.

Where the server offers PIPELINING the three commands go out at once, and each reply is still
matched with its command (RFC 2920). RFC 5321, RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531
(SMTPUTF8).
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable

from flexmail.errors import MailServerError, Refused
from flexmail.transport.smtp_dialogue import SmtpDialogue
from flexmail.transport.words import has_control

_STAGES = (("the sender address", (250,)), ("the recipient", (250, 251)), ("the mail", (354,)))
_LINE_END = re.compile(rb"\r\n|\r|\n")


def envelope(dialogue: SmtpDialogue, sender: str, recipient: str, message: bytes) -> list[bytes]:
    """Return the commands MAIL, RCPT and DATA for a mail.

    Raises:
        Refused: this server cannot be told these addresses.
    """
    if has_control(sender + recipient):
        raise Refused("The address contains a control character.", temporary=False)
    options = f" SIZE={len(message)}" if dialogue.offers("size") else ""
    if not (sender + recipient).isascii():
        if not dialogue.offers("smtputf8"):
            raise Refused(
                "The server takes no addresses with letters beyond ASCII (SMTPUTF8).",
                temporary=False,
            )
        options += " SMTPUTF8"
    if not message.isascii() and dialogue.offers("8bitmime"):
        options += " BODY=8BITMIME"
    mail = f"MAIL FROM:{smtplib.quoteaddr(sender)}{options}\r\n"
    return [mail.encode(), f"RCPT TO:{smtplib.quoteaddr(recipient)}\r\n".encode(), b"DATA\r\n"]


def open_mail(
    dialogue: SmtpDialogue, commands: list[bytes], begin_answer: Callable[[], None]
) -> None:
    """Have the server ready for the content.

    Args:
        begin_answer: called before each reply, to bound the time it may take.

    Raises:
        Refused: the first no; the server waits for no content any more. The connection may be
            closed: some servers hang up after a no.
    """
    at_once = dialogue.offers("pipelining")
    begin_answer()
    if at_once:
        dialogue.write(b"".join(commands))
    refusal: Refused | None = None
    codes: list[int] = []
    for command, (what, wanted) in zip(commands, _STAGES, strict=True):
        begin_answer()
        if not at_once:
            dialogue.write(command)
        try:
            code, raw = dialogue.reply()
        except MailServerError:
            if refusal is not None:
                raise refusal from None
            raise
        codes.append(code)
        if code not in wanted and refusal is None:
            refusal = _refusal(dialogue, what, code, raw)
        if refusal is not None and not at_once:
            raise refusal
    if refusal is not None:
        if codes[-1] == 354:
            begin_answer()
            _end_without_content(dialogue, recipient_refused=codes[1] not in _STAGES[1][1])
        raise refusal


def send_content(dialogue: SmtpDialogue, message: bytes) -> str:
    """Send the content and return the server's receipt."""
    dialogue.write(_as_data(message))
    code, raw = dialogue.reply()
    if code != 250:
        raise _refusal(dialogue, "the mail", code, raw)
    return f"{code} {dialogue.say(raw)}"


def _end_without_content(dialogue: SmtpDialogue, *, recipient_refused: bool) -> None:
    """End a mail that nobody is to get, after a server said 354 to it all the same.

    An empty mail to no recipient ends it (RFC 2920, section 3.1). One that refused the sender and
    took the recipient might deliver the empty mail: there the connection ends.
    """
    if not recipient_refused:
        dialogue.wire.close()
        return
    try:
        dialogue.write(b".\r\n")
        dialogue.reply()
    except MailServerError:
        dialogue.wire.close()


def _refusal(dialogue: SmtpDialogue, what: str, code: int, raw: bytes) -> Refused:
    text = f"The server refused {what}: {code} {dialogue.say(raw)}"
    return Refused(text, code=code, temporary=code < 500)


def _as_data(message: bytes) -> bytes:
    """Return the content with CRLF line ends, leading dots doubled, and its end."""
    ends = message.count(b"\r\n")
    if not ends == message.count(b"\n") == message.count(b"\r"):
        message = _LINE_END.sub(b"\r\n", message)
    message = message.replace(b"\n.", b"\n..")
    if message.startswith(b"."):
        message = b"." + message
    return message + (b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
