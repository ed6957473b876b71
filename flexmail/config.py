"""Environment and key files → `app.config`.

`FLEXMAIL_<KEY>` sets any Flask configuration key, `FLEXMAIL_<KEY>_FILE` reads it from a file of the
operator's. Keys that nobody gives are made once, in the instance folder, readable by the owner
alone. Whatever cannot be used stops the start with a sentence that names it.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from flexmail.addresses import base_url, hosts_and_ports
from flexmail.errors import ConfigError

PREFIX = "FLEXMAIL_"
_WHOLE_NUMBERS = (
    ("TRUSTED_PROXIES", 0, 10),
    ("LONG_POLLS", 1, 1000),
    ("EVENTS_PER_TOKEN_HOUR", 1, 10_000_000),
    ("NOTIFICATIONS_PER_RECIPIENT_HOUR", 1, 10_000_000),
    ("MAX_CONTENT_LENGTH", 65536, 2**31),
)


def instance_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return the absolute folder of database and key files; made (0700) when it is missing."""
    path = Path(environ.get(f"{PREFIX}INSTANCE_PATH") or "instance").absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"FLEXMAIL_INSTANCE_PATH: {path} cannot be made: {error.strerror}."
        ) from error
    return str(path)


def configure(app: Flask, overrides: Mapping[str, object] | None = None) -> None:
    """Fill `app.config` from defaults, environment, `…_FILE`s and `overrides`, in this order.

    Raises:
        ConfigError: a value that is unreadable or malformed.
    """
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{app.instance_path}/flexmail.db",
        BASE_URL="",
        TRUSTED_PROXIES=0,
        LONG_POLLS=2,
        EVENTS_PER_TOKEN_HOUR=1000,
        NOTIFICATIONS_PER_RECIPIENT_HOUR=60,
        TIMEZONE="UTC",
        CALLBACK_ALLOWED_HOSTS="",
        TROUBLE_URL="",
        SESSION_COOKIE_NAME="flexmail_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=12 * 3600,
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        WTF_CSRF_TIME_LIMIT=None,
        SQLALCHEMY_ENGINE_OPTIONS={},
    )
    app.config.from_prefixed_env(PREFIX.rstrip("_"))
    app.config.update(_from_files(os.environ))
    app.config.update(overrides or {})
    _check(app)
    for name, file, fresh in (
        ("SECRET_KEY", "secret.key", secrets.token_urlsafe(48)),
        ("ENCRYPTION_KEYS", "encryption.key", Fernet.generate_key().decode()),
        ("INSTALLATION_MARK", "installation.mark", secrets.token_hex(16)),
    ):
        given, path = app.config.get(name), Path(app.instance_path, file)
        ours = given in (None, "")
        found = key_file(path, fresh) if ours else given
        app.config[f"{name}_PATH"] = str(path) if ours else ""
        app.config[name] = str(found)
    _check_mark(str(app.config["INSTALLATION_MARK"]))


def key_file(path: Path, fresh: str) -> str:
    """Return what the key file holds; write `fresh` into it first when there is none.

    The file appears whole or not at all, so that workers starting together agree on one key.

    Raises:
        ConfigError: others can read the file, or it cannot be read.
    """
    try:
        if not path.exists():
            _create_privately(path, fresh)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"{path} can be read by others. Run: chmod 600 {path}")
        content = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    if not content:
        raise ConfigError(f"{path} is empty. Put the key back, or remove the file for a new one.")
    return content


def _create_privately(path: Path, content: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(name)
    except FileExistsError:
        return  # another worker was first, and its key is the one
    finally:
        Path(name).unlink()


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for name, path in environ.items():
        if name.startswith(PREFIX) and name.endswith("_FILE") and path:
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{name}: {path} cannot be read: {error}.") from error
            if not text:
                raise ConfigError(f"{name}: {path} is empty.")
            values[name.removeprefix(PREFIX).removesuffix("_FILE")] = text
    return values


def _check(app: Flask) -> None:
    for name, least, most in _WHOLE_NUMBERS:
        if type(app.config[name]) is not int or not least <= app.config[name] <= most:
            raise ConfigError(f"FLEXMAIL_{name}: give a whole number from {least} to {most}.")
    time_zone(str(app.config["TIMEZONE"]))
    listed = app.config["CALLBACK_ALLOWED_HOSTS"]
    app.config["CALLBACK_ALLOWED_HOSTS"] = hosts_and_ports(str(listed or ""))
    _check_database(str(app.config["SQLALCHEMY_DATABASE_URI"]))
    app.config["BASE_URL"] = base_url(str(app.config["BASE_URL"] or "").rstrip("/"))


def _check_mark(mark: str) -> None:
    if not 8 <= len(mark) <= 64 or not all("!" <= character <= "~" for character in mark):
        raise ConfigError(
            "FLEXMAIL_INSTALLATION_MARK (or installation.mark): give 8 to 64 letters and digits,"
            " the same for all hosts on one database."
        )


def _check_database(address: str) -> None:
    try:
        url = make_url(address)
        url.get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError) as error:
        raise ConfigError(
            "FLEXMAIL_SQLALCHEMY_DATABASE_URI is no database address that works here. Give one like"
            " sqlite:////var/lib/flexmail/flexmail.db; PostgreSQL needs the extra [postgres]."
        ) from error
    folder = Path(url.database or ".").parent
    if url.get_backend_name() == "sqlite" and not folder.is_dir():
        raise ConfigError(
            f"FLEXMAIL_SQLALCHEMY_DATABASE_URI: there is no folder {folder}: make it first."
        )


def time_zone(name: str) -> tzinfo:
    """Return the zone for times in mails.

    Raises:
        ConfigError: the machine knows no such zone.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"FLEXMAIL_TIMEZONE: {name!r} is no time zone here. Give one like Europe/Berlin."
        ) from error
