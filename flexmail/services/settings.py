"""The settings of e-mail: store what was typed, and say what is in force.

The only place where the stored passwords are opened. A stored password belongs to the server and
user it was typed for: it is dropped, or asked for again, before it could travel anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

from flexmail.crypto import key_ring
from flexmail.db import db, locked, transaction
from flexmail.errors import Conflict, InvalidInput
from flexmail.models import EmailSettings
from flexmail.services import audit, reply_folders, trust
from flexmail.services.in_force import in_force as in_force
from flexmail.transport.accounts import ImapAccount, SmtpAccount
from flexmail.transport.endpoint import Endpoint

Values = Mapping[str, str | int | bool]
"""Every field of the form by name; passwords as typed, "" for none."""

SECRETS = ("smtp_password", "imap_password")
_NOT_TYPED = ("id", "revision", "imap_inherits_password", *(f"sealed_{name}" for name in SECRETS))
PLAIN_FIELDS = tuple(
    column.name for column in EmailSettings.__table__.columns if column.name not in _NOT_TYPED
)
"""The fields that are stored as typed, in the order of the table."""

_FRESH = {
    column.name: column.default.arg
    for column in EmailSettings.__table__.columns
    if column.default is not None
} | {"id": 1}


def load() -> EmailSettings:
    """Return the row, or a row of defaults that is in no session when nothing was saved yet."""
    return db.session.get(EmailSettings, 1) or EmailSettings(**_FRESH)


def stored_values(row: EmailSettings) -> dict[str, str | int | bool]:
    """Return the plain fields by name, as they were typed."""
    return {name: getattr(row, name) for name in PLAIN_FIELDS}


def secret_status(row: EmailSettings) -> dict[str, str]:
    """Return `set` or `not set` for each password field."""
    return {name: "set" if getattr(row, f"sealed_{name}") else "not set" for name in SECRETS}


def save(values: Values, *, seen: int | None = None) -> list[str]:
    """Store validated values, bump `revision`, commit; return sentences on what else changed.

    1. A blank password keeps the stored one, a tick removes it.
    2. A changed server or user drops the stored password of that side.
    3. A changed IMAP server or user while its password is SMTP's asks for one to be typed.
    4. IMAP takes SMTP's password until it has one of its own, and again once SMTP's is typed
       anew; never because its own was dropped.
    5. With `seen`, the revision that the values were made from, no later save is replaced.

    Raises:
        Conflict: case 5.
        InvalidInput: case 3, or `confirm_deletion` of what was not in sight before.
    """
    notices: list[str] = []
    with transaction():
        # Nobody else's host or password comes between; a first save is compared with the defaults.
        row = locked(EmailSettings, 1, lambda: EmailSettings(**_FRESH))
        if seen is not None and seen != row.revision:
            raise Conflict("Somebody else saved the email settings meanwhile; nothing was changed.")
        _ask_for_inherited_password(row, values)
        for side in ("smtp", "imap"):
            _store_password(row, values, side, notices)
        if values["imap_password"]:
            row.imap_inherits_password = False
        elif values["smtp_password"] and not row.sealed_imap_password:
            row.imap_inherits_password = True
        with reply_folders.unseen_stays(bool(values.get("confirm_deletion")), row):
            for name in PLAIN_FIELDS:
                setattr(row, name, values[name])
        audit.record("settings_saved", "settings", proof={"changed": audit.changes(row)})
        row.revision += 1
        notices += trust.settings_saved(row)
    return notices


def smtp_account(row: EmailSettings) -> SmtpAccount:
    """Return how to send, password opened.

    Raises:
        Conflict: nothing has been set up.
        SecretUnreadable: no key opens the stored password.
    """
    if not row.smtp_host_name:
        raise Conflict("E-mail is not set up yet: fill in the email settings first.")
    return SmtpAccount(_endpoint(stored_values(row), "smtp"), row.smtp_user, _opened(row, "smtp"))


def imap_account(row: EmailSettings) -> ImapAccount:
    """Return how to read replies, fall-backs applied and password opened.

    Raises:
        Conflict: there is no IMAP host.
        SecretUnreadable: no key opens the stored password.
    """
    if not row.imap_host_name:
        raise Conflict("There is no IMAP host: fill it in under email settings.")
    side = "smtp" if row.imap_inherits_password else "imap"
    user = row.imap_user or row.smtp_user
    if user and side == "imap" and not row.sealed_imap_password:
        raise Conflict("The IMAP password is not set: type it under email settings.")
    return ImapAccount(_endpoint(stored_values(row), "imap"), user, _opened(row, side))


def typed_accounts(row: EmailSettings, values: Values) -> tuple[SmtpAccount, ImapAccount | None]:
    """Return the accounts that typed values mean, for a test before saving.

    A stored password serves only where it was typed for.

    Raises:
        InvalidInput: a password has to be typed.
    """
    passwords = {
        side: _typed_password(row, values, side)
        for side in ("smtp", "imap")
        if values[f"{side}_host_name"]
    }
    if missing := [side for side in passwords if passwords[side] is None and _user(values, side)]:
        sentence = "Type the password: none is stored for this server and user."
        raise InvalidInput({f"{side}_password": [sentence] for side in missing})
    smtp = SmtpAccount(_endpoint(values, "smtp"), str(values["smtp_user"]), passwords["smtp"] or "")
    if "imap" not in passwords:
        return smtp, None
    imap = _endpoint(values, "imap")
    return smtp, ImapAccount(imap, _user(values, "imap"), passwords["imap"] or "")


def _endpoint(values: Values, side: str) -> Endpoint:
    return Endpoint(
        host=str(values[f"{side}_host_name"]),
        port=int(values[f"{side}_host_port"]),
        starttls=bool(values[f"{side}_enable_starttls"]),
        implicit_tls=bool(values[f"{side}_implicit_tls"]),
        ca_certificates=str(values["tls_ca_certificates"]),
    )


def _user(values: Values, side: str) -> str:
    return str(values[f"{side}_user"] or values["smtp_user"])


def _target(values: Values, side: str) -> tuple[object, ...]:
    """What a password is bound to: host, port, TLS choice and user."""
    names = ("host_name", "host_port", "enable_starttls", "implicit_tls")
    return (*(values[f"{side}_{name}"] for name in names), _user(values, side))


def _opened(row: EmailSettings, side: str) -> str:
    sealed = row.sealed_smtp_password if side == "smtp" else row.sealed_imap_password
    return key_ring().open(sealed).decode() if sealed else ""


def _ask_for_inherited_password(row: EmailSettings, values: Values) -> None:
    inherited = row.sealed_smtp_password is not None and row.imap_inherits_password
    typed = values["smtp_password"] or values["imap_password"]
    moved = _target(stored_values(row), "imap") != _target(values, "imap")
    if inherited and moved and values["imap_host_name"] and not typed:
        sentence = (
            "The IMAP server or user changed, and its password is the SMTP one. Type the password"
            " again, here or under SMTP Password, so that it goes only where you mean it to go."
        )
        raise InvalidInput({"imap_password": [sentence]})


def _store_password(row: EmailSettings, values: Values, side: str, notices: list[str]) -> None:
    column = f"sealed_{side}_password"
    moved = _target(stored_values(row), side) != _target(values, side)
    if values[f"{side}_password"]:
        setattr(row, column, key_ring().seal(str(values[f"{side}_password"])))
    elif values[f"{side}_password_remove"]:
        setattr(row, column, None)
    elif moved and getattr(row, column):
        setattr(row, column, None)
        notices.append(
            f"The stored {side.upper()} password was removed, because host, port, TLS or user"
            " changed. Type it again for the new server."
        )


def _typed_password(row: EmailSettings, values: Values, side: str) -> str | None:
    """Return the password a test may use, None when one has to be typed first."""
    if values[f"{side}_password"]:
        return str(values[f"{side}_password"])
    stays = _target(stored_values(row), side) == _target(values, side)
    stored = getattr(row, f"sealed_{side}_password") and not values[f"{side}_password_remove"]
    if side == "imap" and not stored:
        inherits = values["smtp_password"] or (row.imap_inherits_password and stays)
        return _typed_password(row, values, "smtp") if inherits else None
    return _opened(row, side) if stored and stays else None
