"""Bob's mail programs: what he reads, and the answers that they make of what he types."""

from __future__ import annotations

import email
import html
import re
from email import policy
from email.message import EmailMessage
from email.utils import make_msgid
from urllib.parse import parse_qs, unquote, urlsplit

import lxml.html

_REFERENCE = re.compile(r"FM-[A-Z2-7]{26}")


def opened(raw: bytes) -> EmailMessage:
    """Return a mail as a mail program opens it."""
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def text_of(raw: bytes, kind: str = "plain") -> str:
    """Return the text or HTML that a mail shows."""
    part = opened(raw).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def reference_in(raw: bytes) -> str:
    """Return the one reference that an approval mail holds."""
    (reference,) = set(_REFERENCE.findall(text_of(raw)))
    return str(reference)


def subjects(mails: list[bytes]) -> list[str]:
    return [str(opened(raw)["Subject"]) for raw in mails]


def top_posted(question: bytes, sender: str, words: str) -> bytes:
    """Return a reply in plain text above the whole history."""
    answer = _reply(question, sender)
    answer.set_content(f"{words}\n\n{_plain_history(question)}")
    return answer.as_bytes(policy=policy.SMTP)


def html_only(question: bytes, sender: str, words: str) -> bytes:
    """Return a reply that has no plain text at all."""
    answer = _reply(question, sender)
    answer.set_content(_html(question, words), subtype="html")
    return answer.as_bytes(policy=policy.SMTP)


def multipart(question: bytes, sender: str, words: str) -> bytes:
    """Return a reply in plain text and HTML, as most programs write it."""
    answer = _reply(question, sender)
    answer.set_content(f"{words}\n\n{_plain_history(question)}")
    answer.add_alternative(_html(question, words), subtype="html")
    return answer.as_bytes(policy=policy.SMTP)


def from_link(question: bytes, sender: str, words: str) -> bytes:
    """Return the answer that the link called like the first word fills in, with a comment.

    It is a new mail, not a reply: no header refers to the question.
    """
    word, _, comment = words.partition(" ")
    page = lxml.html.fromstring(text_of(question, "html"))
    (link,) = page.xpath("//a[starts-with(@href, 'mailto:')][normalize-space() = $word]", word=word)
    parts = urlsplit(link.get("href"))
    filled_in = {name: values[0] for name, values in parse_qs(parts.query).items()}
    answer = EmailMessage(policy=policy.SMTP)
    answer["From"], answer["To"] = f"Bob <{sender}>", unquote(parts.path)
    answer["Subject"], answer["Message-ID"] = filled_in["subject"], make_msgid(domain="bob.test")
    body = filled_in["body"].replace("\r\n", "\n")
    answer.set_content(body.replace(f"{word}\n", f"{word} {comment}\n", 1))
    return answer.as_bytes(policy=policy.SMTP)


def _reply(question: bytes, sender: str) -> EmailMessage:
    asked = opened(question)
    answer = EmailMessage(policy=policy.SMTP)
    answer["From"] = f"Bob <{sender}>"
    answer["To"] = str(asked["Reply-To"] or asked["From"])
    answer["Subject"] = f"Re: {asked['Subject']}"
    answer["Message-ID"] = make_msgid(domain="bob.test")
    answer["In-Reply-To"] = answer["References"] = str(asked["Message-ID"])
    return answer


def _plain_history(question: bytes) -> str:
    lines = text_of(question).splitlines()
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    return f"On Mon, 2 Nov 2026 at 09:00, {opened(question)['From']} wrote:\n\n{quoted}\n"


def _html(question: bytes, words: str) -> str:
    history = html.escape(str(opened(question)["From"]))
    return (
        f"<html><body><div dir='ltr'>{html.escape(words)}</div><br>"
        f"<div class='gmail_quote'><div class='gmail_attr'>On Mon, 2 Nov 2026 {history} wrote:"
        f"</div><blockquote class='gmail_quote'>{text_of(question, 'html')}</blockquote></div>"
        "</body></html>"
    )
