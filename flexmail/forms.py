"""The email settings form: every field with its label, default, rule and sentence of help.

One definition serves page, API and command line: `values_from` turns a mapping of plain values
into form data, so that a value is right or wrong in the same words everywhere. Never writes.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    Field,
    IntegerField,
    PasswordField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import Length, NumberRange, StopValidation, ValidationError

from flexmail.errors import InvalidInput
from flexmail.mail.address import is_safe_header, parse_mailbox
from flexmail.mail.reply import parse_words

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_MAX_BITS = 63  # NumberRange breaks off at numbers that are far larger
_PORT = NumberRange(1, 65535, "Give a port from 1 to 65535.")

FOLDER_WARNING = (
    "All mail in this folder is deleted after it was processed. Use an account that serves"
    " flexmail alone."
)


def _one_line(_form: FlaskForm, field: Field) -> None:
    if field.data and not is_safe_header(field.data):
        raise ValidationError("Give one line without control characters.")


def _host(_form: FlaskForm, field: Field) -> None:
    text = field.data or ""
    if text and not (_HOST.fullmatch(text) or (":" in text and _IPV6.fullmatch(text))):
        raise ValidationError("Give a host name or an IP address alone, like mail.example.com.")


def _address(_form: FlaskForm, field: Field) -> None:
    if not field.data:
        return
    try:
        parse_mailbox(field.data)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def _words(_form: FlaskForm, field: Field) -> None:
    try:
        parse_words(field.data or "")
    except ValueError as error:
        raise ValidationError(str(error)) from error


def _certificates(_form: FlaskForm, field: Field) -> None:
    if not field.data:
        return
    try:
        ssl.create_default_context().load_verify_locations(cadata=field.data)
    except (ssl.SSLError, TypeError, ValueError) as error:
        raise ValidationError(
            "Give certificates in PEM: each begins with -----BEGIN CERTIFICATE-----."
        ) from error


def _stripped(text: str | None) -> str:
    return (text or "").strip()


def _text(label: str, help_text: str, *validators: Any, default: str = "", **render: Any) -> Field:
    return StringField(
        label,
        [*validators, _one_line],
        description=help_text,
        default=default,
        filters=[_stripped],
        render_kw=render or None,
    )


class _Number:
    """A whole number; absent means the default, and so does blank where approval is off."""

    field_flags: ClassVar = {"required": True}

    def __init__(self, for_approval: bool) -> None:
        self.for_approval = for_approval

    def __call__(self, form: FlaskForm, field: Field) -> None:
        blank = not any(text.strip() for text in field.raw_data or [])
        spared = self.for_approval and not form.enable_email_approval.data
        if not field.raw_data or (blank and spared):
            field.errors[:] = []
            field.data = field.default
            raise StopValidation
        if field.data is None or field.data.bit_length() > _MAX_BITS:
            field.errors[:] = []
            raise StopValidation("Give a whole number.")


def _whole(
    label: str, help_text: str, limits: NumberRange, default: int, *, for_approval: bool = False
) -> Field:
    validators = [_Number(for_approval), limits]
    return IntegerField(label, validators, description=help_text, default=default)


def _tick(label: str, help_text: str, *, default: bool = False) -> Field:
    return BooleanField(label, description=help_text, default=default)


def _password(label: str, help_text: str) -> Field:
    return PasswordField(
        label,
        [Length(max=1000), _one_line],
        description=help_text,
        default="",
        render_kw={"autocomplete": "new-password"},
    )


class EmailSettingsForm(FlaskForm):
    """What the page shows, in its order; a password field is always empty when shown."""

    smtp_host_name = _text(
        "SMTP Host Name",
        "The server that sends mail, like smtp.example.com.",
        Length(max=253),
        _host,
        required=True,
    )
    smtp_host_port = _whole(
        "SMTP Host Port",
        "587 with STARTTLS is usual; 465 with SSL/TLS, 25 and 2525 are known too.",
        _PORT,
        587,
    )
    smtp_user = _text(
        "SMTP User", "The name to log in with; empty means no login.", Length(max=320)
    )
    smtp_password = _password(
        "SMTP Password", "Leave it empty to keep the stored one. It is never shown again."
    )
    smtp_password_remove = _tick("Remove the stored SMTP password", "Forgets it at the next save.")
    smtp_from_address = _text(
        "SMTP From Address",
        "Who the mail comes from, like Deployments <deploy@example.com>.",
        Length(max=400),
        _address,
        required=True,
    )
    smtp_enable_starttls = _tick(
        "SMTP Enable STARTTLS",
        "Encrypts the connection before the login, if the server supports it.",
        default=True,
    )
    smtp_implicit_tls = _tick(
        "SMTP SSL/TLS", "TLS from the first byte, as on port 465; STARTTLS is then off."
    )
    smtp_auth = SelectField(
        "SMTP Authentication",
        choices=[SelectChoice("password", "Password")],
        default="password",
        description="How to log in.",
    )
    enable_email_approval = _tick(
        "Enable Email Approval",
        "Reads replies and lets them decide; needs the IMAP fields below.",
    )
    imap_host_name = _text(
        "IMAP Host Name",
        "The server that replies arrive at, like imap.example.com.",
        Length(max=253),
        _host,
    )
    imap_host_port = _whole(
        "IMAP Host Port",
        "143 with STARTTLS is usual, or 993 with SSL/TLS.",
        _PORT,
        143,
        for_approval=True,
    )
    imap_user = _text(
        "IMAP User", "The mailbox of the replies; empty means the SMTP User.", Length(max=320)
    )
    imap_password = _password(
        "IMAP Password",
        "Leave it empty to keep the stored one; when none was ever set, the SMTP Password serves.",
    )
    imap_password_remove = _tick("Remove the stored IMAP password", "Forgets it at the next save.")
    imap_enable_starttls = _tick(
        "IMAP Enable STARTTLS",
        "Encrypts the connection before the login, if the server supports it.",
        default=True,
    )
    imap_implicit_tls = _tick(
        "IMAP SSL/TLS", "TLS from the first byte, as on port 993; STARTTLS is then off."
    )
    imap_auth = SelectField(
        "IMAP Authentication",
        choices=[SelectChoice("", "As SMTP"), SelectChoice("password", "Password")],
        default="",
        description="How to log in.",
    )
    email_reply_folder = _text(
        "Email Reply Folder",
        "The folder that replies arrive in; it has to exist. Empty means INBOX.",
        Length(max=255),
        default="INBOX",
    )
    confirm_deletion = _tick(
        "Process the mail that is held back",
        "It lay in the folder before flexmail read it, and will be processed and deleted.",
    )
    approval_reply_address = _text(
        "Approval Reply Address",
        "Where answers are sent to; empty means the SMTP From Address.",
        Length(max=400),
        _address,
    )
    email_reply_process_interval = _whole(
        "Email Reply Process Interval",
        "Minutes from one look into the folder to the next; a change works at once.",
        NumberRange(1, 1440, "Give 1 to 1440 minutes."),
        5,
        for_approval=True,
    )
    email_reply_process_count = _whole(
        "Email Reply Process Count",
        "How many replies are processed per interval at the most.",
        NumberRange(1, 1000, "Give 1 to 1000 messages."),
        30,
        for_approval=True,
    )
    approve_words = _text(
        "Words that approve",
        "First words of a reply that approve, with commas between them.",
        _words,
        default="approve, approved, yes",
    )
    reject_words = _text(
        "Words that reject",
        "First words of a reply that reject, with commas between them.",
        _words,
        default="reject, rejected, no",
    )
    reply_trust = SelectField(
        "What a reply must prove",
        choices=[
            SelectChoice("reference_and_sender", "Secret reference and sender address"),
            SelectChoice("authenticated_sender", "Also a pass from the mail server named below"),
        ],
        default="reference_and_sender",
        description="A sender address can be forged; the second choice asks the mail server too.",
    )
    trusted_authserv_id = _text(
        "Mail server that authenticates senders",
        "Its name at the start of Authentication-Results headers, like mx.example.com.",
        Length(max=253),
    )
    tls_ca_certificates = TextAreaField(
        "Extra CA certificates",
        [Length(max=100_000), _certificates],
        default="",
        filters=[_stripped],
        description="Certificates in PEM that are trusted besides the system's.",
        render_kw={"rows": 4, "spellcheck": "false"},
    )
    process_as_they_arrive = _tick(
        "Process replies as they arrive",
        "Besides the interval, watches the folder with IMAP IDLE where the server has it.",
    )
    keep_processed_days = _whole(
        "Keep processed mail",
        "Days that the copy of a processed mail stays readable; with 0 it goes within the hour.",
        NumberRange(0, 3650, "Give 0 to 3650 days."),
        30,
    )

    def validate_smtp_host_name(self, field: Field) -> None:
        """Require it."""
        self._require(field, "Give the host that sends mail.")

    def validate_smtp_from_address(self, field: Field) -> None:
        """Require it."""
        self._require(field, "Give the address that mail comes from.")

    def validate_imap_host_name(self, field: Field) -> None:
        """Require it when approval is on."""
        if self.enable_email_approval.data:
            self._require(field, "Give the IMAP host, or untick Enable Email Approval.")

    def validate_reject_words(self, field: Field) -> None:
        """Keep the two lists apart."""
        common = _as_set(self.approve_words.data) & _as_set(field.data)
        if common:
            raise ValidationError(f"{', '.join(sorted(common))} cannot both approve and reject.")

    def validate_trusted_authserv_id(self, field: Field) -> None:
        """Require it for authenticated_sender."""
        if self.reply_trust.data == "authenticated_sender":
            self._require(field, "Name the mail server whose pass counts.")

    def validate_smtp_password_remove(self, field: Field) -> None:
        """Refuse a contradiction."""
        _either(self.smtp_password, field)

    def validate_imap_password_remove(self, field: Field) -> None:
        """Refuse a contradiction."""
        _either(self.imap_password, field)

    def values(self) -> dict[str, str | int | bool]:
        """Return every field by name, as `services.settings.save` takes it.

        SSL/TLS wins over STARTTLS; an empty folder is INBOX; a password is as typed, "" for none.
        """
        values = {name: field.data for name, field in self._fields.items() if name != "csrf_token"}
        for side in ("smtp", "imap"):
            if values[f"{side}_implicit_tls"]:
                values[f"{side}_enable_starttls"] = False
            values[f"{side}_password"] = values[f"{side}_password"] or ""
        values["email_reply_folder"] = values["email_reply_folder"] or "INBOX"
        return values

    @staticmethod
    def _require(field: Field, sentence: str) -> None:
        if not field.data:
            raise ValidationError(sentence)


def values_from(
    stored: Mapping[str, str | int | bool], given: Mapping[str, object]
) -> dict[str, str | int | bool]:
    """Validate values that a program gave; what is absent keeps its stored value.

    Args:
        stored: the plain fields, as `services.settings.stored_values` returns them.
        given: fields by name; a number or truth value has its JSON type.

    Raises:
        InvalidInput: unknown names, wrong types, or values that do not validate.
    """
    errors: dict[str, list[str]] = {}
    data: MultiDict[str, str] = MultiDict()
    form = EmailSettingsForm(formdata=None, meta={"csrf": False})
    for name in given.keys() - form._fields.keys():
        errors[name] = ["There is no such setting."]
    for name, field in form._fields.items():
        value = given.get(name, stored.get(name, field.default))
        wrong = _wrong_type(field, name, value)
        if wrong:
            errors[name] = [wrong]
        elif not isinstance(field, BooleanField):
            data[name] = str(value if value is not None else "")
        elif value:
            data[name] = "y"
    form = EmailSettingsForm(formdata=data, meta={"csrf": False})
    if not form.validate():
        errors = {name: list(found) for name, found in form.errors.items()} | errors
    if errors:
        raise InvalidInput(errors)
    return form.values()


def _wrong_type(field: Field, name: str, value: object) -> str:
    if isinstance(field, BooleanField):
        return "" if isinstance(value, bool) else "Give true or false."
    if isinstance(field, IntegerField):
        right = isinstance(value, int) and not isinstance(value, bool)
        return "" if right else "Give a whole number."
    if name in ("smtp_password", "imap_password") and value in ("set", "not set"):
        return "Leave it out to keep the stored password, or give a new one."
    return "" if isinstance(value, str | None) else "Give a text."


def _as_set(comma_list: str | None) -> set[str]:
    return {word.strip().lower() for word in (comma_list or "").split(",") if word.strip()}


def _either(password: Field, remove: Field) -> None:
    if password.data and remove.data:
        raise ValidationError("Either type a new password or tick to remove the stored one.")
