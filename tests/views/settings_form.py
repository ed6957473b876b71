"""The email settings as Ada types them, and what the page shows of them."""

from __future__ import annotations

import lxml.html
from lxml.html import HtmlElement

from flexmail.demo.mailserver import MailServer
from tests.fixtures_servers import EMBEDDED_USERS
from tests.servers import PASSWORD

PATH = "/settings/email"
TICKS = frozenset(
    {
        "smtp_enable_starttls",
        "smtp_implicit_tls",
        "smtp_password_remove",
        "imap_enable_starttls",
        "imap_implicit_tls",
        "imap_password_remove",
        "enable_email_approval",
        "process_as_they_arrive",
    }
)
TYPED = {
    "smtp_host_name": "smtp.corp.test",
    "smtp_host_port": "587",
    "smtp_user": "deploy",
    "smtp_password": "",
    "smtp_from_address": "Deployments <deploy@corp.test>",
    "smtp_enable_starttls": "y",
    "imap_host_name": "",
    "imap_host_port": "143",
    "imap_user": "",
    "imap_password": "",
    "imap_enable_starttls": "y",
    "email_reply_folder": "INBOX",
    "approval_reply_address": "",
    "email_reply_process_interval": "5",
    "email_reply_process_count": "30",
    "approve_words": "approve, approved, yes",
    "reject_words": "reject, rejected, no",
    "reply_trust": "reference_and_sender",
    "trusted_authserv_id": "",
    "tls_ca_certificates": "",
    "keep_processed_days": "30",
    "smtp_auth": "password",
    "imap_auth": "",
}


def typed(**changed: str | None) -> dict[str, str]:
    """Return the form as a browser sends it; None unticks."""
    return {name: value for name, value in (TYPED | changed).items() if value is not None}


def typed_for(server: MailServer, **changed: str | None) -> dict[str, str]:
    """Return the form for the mail server of a test, replies included."""
    user = EMBEDDED_USERS[0]
    values: dict[str, str | None] = {
        "smtp_host_name": server.host,
        "smtp_host_port": str(server.smtp_port),
        "smtp_user": user,
        "smtp_password": PASSWORD,
        "smtp_from_address": user,
        "imap_host_name": server.host,
        "imap_host_port": str(server.imap_port),
        "tls_ca_certificates": server.ca_pem,
    }
    return typed(**(values | changed))


class Shown:
    """A page with the form, as its reader finds it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.page: HtmlElement = lxml.html.fromstring(text)

    def value(self, field: str) -> str:
        value = getattr(self.page.get_element_by_id(field), "value", "")
        return "y" if value is True else str(value or "")

    def value_of(self, name: str) -> str:
        (found,) = self.page.xpath(f"//input[@name='{name}']/@value")
        return str(found)

    def beside(self, field: str) -> str:
        """Return what describes a field to whoever cannot see the page."""
        ids = self.page.get_element_by_id(field).get("aria-describedby", "").split()
        return " ".join(self.words(self.page.get_element_by_id(one)) for one in ids)

    def error(self, field: str) -> str:
        element = self.page.get_element_by_id(field)
        if element.get("aria-invalid") != "true":
            return ""
        return self.words(self.page.get_element_by_id(f"{field}-error"))

    def errors(self) -> set[str]:
        """Return the fields with an error."""
        return {element.get("id") for element in self.page.xpath("//*[@aria-invalid='true']")}

    def notices(self, kind: str) -> list[str]:
        found = self.page.xpath(f"//*[contains(@class, 'notice {kind}')]")
        return [self.words(element) for element in found]

    @staticmethod
    def words(element: HtmlElement) -> str:
        return " ".join(element.text_content().split())
