"""The fields of the email settings page, in their groups, each with what is in force beside it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from flask import render_template
from markupsafe import Markup

from flexmail.forms import FOLDER_WARNING, EmailSettingsForm
from flexmail.models import EmailSettings
from flexmail.services import reply_folders, settings, trust

GROUPS = {
    "Sending (SMTP)": (
        "smtp_host_name",
        "smtp_host_port",
        "smtp_enable_starttls",
        "smtp_implicit_tls",
        "smtp_user",
        "smtp_from_address",
        "smtp_password",
        "smtp_password_remove",
    ),
    "Replies (IMAP)": (
        "enable_email_approval",
        "imap_host_name",
        "imap_host_port",
        "imap_enable_starttls",
        "imap_implicit_tls",
        "imap_user",
        "approval_reply_address",
        "imap_password",
        "imap_password_remove",
        "email_reply_folder",
        "confirm_deletion",
        "email_reply_process_interval",
        "email_reply_process_count",
    ),
    "Deciding": ("approve_words", "reject_words", "reply_trust", "trusted_authserv_id"),
    "Advanced": (
        "tls_ca_certificates",
        "process_as_they_arrive",
        "keep_processed_days",
        "smtp_auth",
        "imap_auth",
    ),
}
WIDE = ("enable_email_approval", "email_reply_folder", "confirm_deletion", "tls_ca_certificates")
PORTS = {"smtp_host_port": (25, 465, 587, 2525), "imap_host_port": (143, 993)}
_WARNINGS = {"email_reply_folder": FOLDER_WARNING}
_MAX_REMEMBERED = 8


def stored(row: EmailSettings) -> Markup:
    """Return the fields with the stored values, which hold no password."""
    values = tuple(settings.stored_values(row).items())
    return _stored(values, tuple(_notes(row).items()), _hidden(row))


def typed(form: EmailSettingsForm, row: EmailSettings) -> Markup:
    """Return the fields with what was typed, and what is wrong with it."""
    hidden = () if form["confirm_deletion"].errors else _hidden(row)
    return _shown(form, _notes(row), hidden)


@functools.lru_cache(_MAX_REMEMBERED)
def _stored(
    values: tuple[tuple[str, str | int | bool], ...],
    notes: tuple[tuple[str, str], ...],
    hidden: tuple[str, ...],
) -> Markup:
    """Render once for the same values: between two saves they are shown, not changed.

    The arguments are all that the fields depend on, so no worker shows what another one replaced.
    """
    form = EmailSettingsForm(formdata=None, data=dict(values), meta={"csrf": False})
    return _shown(form, dict(notes), hidden)


def _shown(form: EmailSettingsForm, notes: Mapping[str, str], hidden: tuple[str, ...]) -> Markup:
    groups = {
        title: [name for name in names if name not in hidden] for title, names in GROUPS.items()
    }
    shown = render_template(
        "settings/fields.html",
        form=form,
        groups=groups,
        notes=notes,
        warnings=_WARNINGS,
        wide=WIDE,
        ports=PORTS,
    )
    return Markup(shown)  # noqa: S704 (a template made it, which escapes)


def _hidden(row: EmailSettings) -> tuple[str, ...]:
    return () if reply_folders.held(row) else ("confirm_deletion",)


def _notes(row: EmailSettings) -> dict[str, str]:
    """Return, by field, what is stored or in force beside what the field shows."""
    stored, in_force = settings.secret_status(row), settings.in_force(row)
    notes = {name: f"Stored: {status}." for name, status in stored.items()}
    if in_force.imap_password != stored["imap_password"]:
        notes["imap_password"] += f" In force: {in_force.imap_password}."
    for name in ("imap_user", "email_reply_folder", "approval_reply_address"):
        notes[name] = f"In force: {getattr(in_force, name) or 'none yet'}."
    if trust.is_needed(row):
        notes["reply_trust"] = f"The canary: {trust.of(row).state}. {trust.of(row).reason}"
    return notes
