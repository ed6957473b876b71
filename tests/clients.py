"""How mail programs answer: what each makes of the words an author writes and of the mail below.

A client is a function from what was written and the mail that is answered to the parts of the
answer: its plain text, its HTML, or both.
"""

from __future__ import annotations

import html as markup
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from flexmail.mail.html import visible_text


@dataclass(frozen=True)
class Original:
    """The mail that is answered: its plain text, and the source of its HTML."""

    plain: str
    html: str

    @property
    def body(self) -> str:
        """Return what stands inside the body of the HTML."""
        return re.sub(r"(?s).*<body[^>]*>|</body>.*", "", self.html)

    @property
    def shown(self) -> str:
        return visible_text(self.html)

    @property
    def converted(self) -> str:
        """Return the HTML as Exchange writes it in plain text: links in angles, no markup."""
        text = re.sub(r'(?s)<a href="([^"]*)"[^>]*>(.*?)</a>', r"\2&lt;\1&gt;", self.body)
        text = re.sub(r"\s*\n\s*", " ", text)
        text = re.sub(r"</?(?:p|h1|div)\b[^>]*>", "\n", text)
        return markup.unescape(re.sub(r"<[^>]+>", "", text)).strip() + "\n"


@dataclass(frozen=True)
class Answer:
    plain: str | None = None
    html: str | None = None
    flowed: bool = False


Client = Callable[[str, Original], Answer]

WHO = "Deployments <approvals@corp.test>"
HEADER = (
    f"From: {WHO}\nSent: Monday, November 2, 2026 9:05 AM\nTo: Bob\nSubject: Approval requested"
)
HEADER_HTML = HEADER.replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>\n")


def marked(text: str, mark: str = "> ") -> str:
    return "\n".join(f"{mark}{line}".rstrip() for line in text.splitlines())


def wrapped(text: str, width: int) -> str:
    return "\n".join(
        piece
        for line in text.splitlines()
        for piece in textwrap.wrap(line, width, break_on_hyphens=False) or [""]
    )


def paragraphs(said: str, tag: str = "div") -> str:
    lines = (markup.escape(line) or "<br>" for line in said.split("\n"))
    return "".join(f"<{tag}>{line}</{tag}>" for line in lines)


def page(*pieces: str) -> str:
    return f"<html><body>{''.join(pieces)}</body></html>"


def gmail(said: str, original: Original) -> Answer:
    wrote = "On Mon, Nov 2, 2026 at 9:05\u202fAM {} wrote:"
    plain = f"{said}\n\n{wrote.format(WHO)}\n\n{marked(wrapped(original.plain, 76))}\n"
    link = wrote.format('Deployments &lt;<a href="mailto:a@corp.test">a@corp.test</a>&gt;')
    quote = f'<div dir="ltr" class="gmail_attr">{link}<br></div><blockquote class="gmail_quote">'
    return Answer(
        plain,
        f'<div dir="ltr">{paragraphs(said)}</div><br><div class="gmail_quote">{quote}'
        f"{original.body}</blockquote></div>",
    )


def gmail_mobile(said: str, original: Original) -> Answer:
    wrote = f"On Mon, 2 Nov 2026, 09:05 {WHO}, wrote:"
    return Answer(
        f"{said}\n\n{wrote}\n\n{marked(original.plain)}\n",
        f'<div dir="auto">{paragraphs(said)}</div><br><div class="gmail_quote"><div dir="ltr">'
        f"{markup.escape(wrote)}<br></div><blockquote>{original.body}</blockquote></div>",
    )


def outlook_desktop(said: str, original: Original) -> Answer:
    head = f"{HEADER}\n\n{original.converted}"
    quote = f'<div style="border-top:solid #E1E1E1 1.0pt"><p class="MsoNormal">{HEADER_HTML}</p>'
    return Answer(
        f"{said}\n\n{head}",
        page(
            *(f'<p class="MsoNormal">{markup.escape(line)}</p>' for line in said.split("\n")),
            f'<p class="MsoNormal">&nbsp;</p><div>{quote}</div></div>{original.body}',
        ),
    )


def outlook_desktop_plain(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n-----Original Message-----\n{HEADER}\n\n{original.plain}")


def outlook_web(said: str, original: Original) -> Answer:
    line = "________________________________"
    return Answer(
        f"{said}\n{line}\n{HEADER}\n\n{original.converted}",
        page(
            f"{paragraphs(said)}<div id='appendonsend'></div><hr>",
            f"<div id='divRplyFwdMsg'>{HEADER_HTML}</div><div>{original.body}</div>",
        ),
    )


def outlook_mobile(said: str, original: Original) -> Answer:
    sign = '<div class="ms-outlook-mobile-signature">Get <a href="https://x.test">Outlook</a></div>'
    line = f"Get Outlook for iOS<https://x.test>\n{'_' * 32}"
    return Answer(
        f"{said}\n\n{line}\n{HEADER}\n\n{original.converted}",
        page(
            f"{paragraphs(said)}{sign}<hr><div id='divRplyFwdMsg'>{HEADER_HTML}</div>",
            original.body,
        ),
    )


def apple_mail(said: str, original: Original) -> Answer:
    wrote = f"On 2. Nov 2026, at 09:05, {WHO} wrote:"
    return Answer(
        f"{said}\n\n> {wrote}\n> \n{marked(original.plain)}\n",
        page(
            f"{paragraphs(said)}<div><br><blockquote type='cite'><div>{markup.escape(wrote)}</div>",
            f"<br><div>{original.body}</div></blockquote></div>",
        ),
    )


def ios_mail(said: str, original: Original) -> Answer:
    wrote = f"On 2 Nov 2026, at 09:05, {WHO} wrote:"
    return Answer(
        f"{said}\n\nSent from my iPhone\n\n> {wrote}\n> \n> \ufeff{marked(original.plain)[2:]}\n",
        page(
            f"<div dir='ltr'>{paragraphs(said)}<br>Sent from my iPhone</div><div dir='ltr'>",
            f"<br><blockquote type='cite'>{markup.escape(wrote)}<br><br></blockquote></div>",
            f"<blockquote type='cite'><div dir='ltr'>\ufeff{original.body}</div></blockquote>",
        ),
    )


def thunderbird(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\nOn 02.11.26 09:05, Deployments wrote:\n{marked(original.plain)}\n")


def thunderbird_html(said: str, original: Original) -> Answer:
    cite = '<div class="moz-cite-prefix">On 02.11.26 09:05, Deployments wrote:<br></div>'
    return Answer(
        html=page(
            f"<p>{markup.escape(said).replace(chr(10), '<br>')}</p>{cite}",
            f'<blockquote type="cite">{original.body}</blockquote>',
        )
    )


def thunderbird_flowed(said: str, original: Original) -> Answer:
    soft = "\n".join(
        " \n> ".join(textwrap.wrap(line, 70, break_long_words=False) or [""])
        for line in marked(original.plain).splitlines()
    )
    return Answer(f"{said}\n\nOn 02.11.26 09:05, Deployments wrote:\n{soft}\n", flowed=True)


def notes(said: str, original: Original) -> Answer:
    head = (
        f"From:\t{WHO}\nTo:\tbob@corp.test\nDate:\t02.11.2026 09:05\nSubject:\tApproval requested"
    )
    return Answer(f"{said}\n\n\n\n{head}\n\n\n\n{original.plain}")


def notes_html(said: str, original: Original) -> Answer:
    def label(name: str, value: str) -> str:
        return f"<font size=1 color=#5f5f5f>{name}: </font><font size=1>{value}</font><br>"

    head = label("From", markup.escape(WHO)) + label("To", "bob") + label("Date", "02.11.2026")
    body = "<br>".join(f"<font size=2>{markup.escape(x)}</font>" for x in said.split("\n"))
    return Answer(html=page(body, "<br><br><br>", head, "<hr noshade><br>", original.body))


def yahoo(said: str, original: Original) -> Answer:
    wrote = f"On Monday, November 2, 2026 at 09:05:00 AM GMT+1, {WHO} wrote:"
    indented = marked(original.plain, " ")
    return Answer(
        f" {said}\n    {wrote}  \n \n {indented}  ",
        page(
            f"<div class='ydp1-yahoo-style-wrap'>{paragraphs(said)}</div>",
            f"<div id='yahoo_quoted_1' class='yahoo_quoted'><div>{markup.escape(wrote)}</div>",
            f"{original.body}</div>",
        ),
    )


def k9(said: str, original: Original) -> Answer:
    return Answer(
        f"{said}\n\nAm 2. November 2026 09:05:00 MEZ schrieb {WHO}:\n{marked(original.plain, '>')}"
    )


def mutt(said: str, original: Original) -> Answer:
    wrote = "On Mon, Nov 02, 2026 at 09:05:00AM +0000, Deployments wrote:"
    return Answer(f"{said}\n\n{wrote}\n{marked(original.plain)}\n\n-- \nBob, Corp\n")


def proton(said: str, original: Original) -> Answer:
    wrote = f"On Monday, November 2nd, 2026 at 9:05 AM, {WHO} wrote:"
    sign = "Sent with [Proton Mail](https://proton.test/) secure email."
    return Answer(
        f"{said}\n\n{sign}\n\n{wrote}\n\n{marked(original.plain)}",
        page(
            f"{paragraphs(said)}<div class='protonmail_signature_block'>Sent with Proton</div>",
            f"<div class='protonmail_quote'>{markup.escape(wrote)}<br>",
            f"<blockquote class='protonmail_quote'>{original.body}</blockquote></div>",
        ),
    )


def roundcube(said: str, original: Original) -> Answer:
    quote = marked(wrapped(original.plain, 72))
    return Answer(f"{said}\n\nOn 2026-11-02 09:05, Deployments wrote:\n\n{quote}\n")


def zoho(said: str, original: Original) -> Answer:
    wrote = f"---- On Mon, 02 Nov 2026 09:05:00 +0000 {WHO} wrote ----"
    return Answer(
        f"{said}\n\n\n\n{wrote}\n\n{original.plain}",
        page(
            f"{paragraphs(said)}<div class='zmail_extra'><br>{markup.escape(wrote)}<br>",
            f"<blockquote>{original.body}</blockquote></div>",
        ),
    )


def footnotes(said: str, original: Original) -> Answer:
    """Answer from a terminal that numbers links and lists their addresses at the end."""
    links: list[str] = []

    def number(found: re.Match[str]) -> str:
        links.append(f"{len(links) + 1}. {found[1]}")
        return f"[{len(links)}]"

    text = re.sub(r"<((?:mailto|https?):[^>]*)>", number, original.converted)
    return Answer(f"{said}\n\n{text}\nReferences\n\n" + "\n".join(links))


def quotes_nothing(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n")


def unmarked(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n{original.plain}")


def unmarked_converted(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n{original.converted}")


def unmarked_html(said: str, original: Original) -> Answer:
    return Answer(html=page(f"{paragraphs(said)}<br><div>{original.body}</div>"))


def unmarked_both(said: str, original: Original) -> Answer:
    return Answer(unmarked(said, original).plain, unmarked_html(said, original).html)


def pipes(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n{marked(original.plain, '| ')}\n")


def tabs(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n{marked(original.plain, chr(9))}\n")


def wraps_at_72(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n{wrapped(original.plain, 72)}\n")


def wraps_at_65(said: str, original: Original) -> Answer:
    return Answer(f"{said}\n\n{wrapped(original.converted, 65)}\n")


ABOVE: tuple[Client, ...] = (
    *(gmail, gmail_mobile, outlook_desktop, outlook_desktop_plain, outlook_web, outlook_mobile),
    *(apple_mail, ios_mail, thunderbird, thunderbird_html, thunderbird_flowed, notes, notes_html),
    *(yahoo, k9, mutt, proton, roundcube, zoho, footnotes, quotes_nothing, unmarked),
    *(unmarked_converted, unmarked_html, unmarked_both, pipes, tabs, wraps_at_72, wraps_at_65),
)


def below_marked(said: str, original: Original) -> Answer:
    return Answer(f"On 02.11.26 09:05, Deployments wrote:\n{marked(original.plain)}\n\n{said}\n")


def below_unmarked(said: str, original: Original) -> Answer:
    return Answer(f"{original.plain}\n{said}\n")


def below_unmarked_and_introduced(said: str, original: Original) -> Answer:
    return Answer(f"On 02.11.26 09:05, {WHO} wrote:\n\n{original.plain}\n\n{said}\n")


def below_pipes(said: str, original: Original) -> Answer:
    return Answer(f"{marked(original.plain, '| ')}\n\n{said}\n-- \nBob\n")


def below_in_html(said: str, original: Original) -> Answer:
    return Answer(html=page(f"<blockquote>{original.body}</blockquote>{paragraphs(said)}"))


def below_unmarked_in_html(said: str, original: Original) -> Answer:
    return Answer(html=page(f"<div>{original.body}</div><br>{paragraphs(said)}"))


def below_the_instructions(said: str, original: Original) -> Answer:
    kept = [line for line in original.plain.splitlines() if "answer" in line.lower()]
    return Answer(f"{marked(chr(10).join(kept))}\n\n{said}\n")


BELOW: tuple[Client, ...] = (
    *(below_marked, below_unmarked, below_unmarked_and_introduced, below_pipes, below_in_html),
    *(below_unmarked_in_html, below_the_instructions),
)


def written(answer: Answer, *, subject: str, in_reply_to: str, sender: str, number: int) -> bytes:
    """Return the bytes of an answer."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, "approvals@corp.test", f"Re: {subject}"
    mail["Message-ID"] = f"<answer{number}@client.test>"
    mail["Date"] = "Mon, 02 Nov 2026 09:05:00 +0000"
    mail["In-Reply-To"] = mail["References"] = in_reply_to
    if answer.plain is not None:
        mail.set_content(answer.plain, cte="base64")
        if answer.flowed:
            mail.set_param("format", "flowed")
        if answer.html is not None:
            mail.add_alternative(answer.html, subtype="html", cte="base64")
    else:
        mail.set_content(answer.html or "", subtype="html", cte="base64")
    return mail.as_bytes()
