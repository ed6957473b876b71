"""Sealing of what the database may hold but nobody may read in it.

A key ring is a list of Fernet keys, newest first: the first one seals, all of them open. Models
never open anything; services do, on purpose and by name. Keys of our own key file are read again
when the file changes, so that every process seals with the newest one.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import Flask, current_app

from flexmail.errors import ConfigError, SecretUnreadable

log = logging.getLogger(__name__)

_EXTENSION = "flexmail_key_ring"


class KeyRing:
    """Fernet keys, newest first."""

    def __init__(self, keys: str) -> None:
        """Read a comma list (or one key a line).

        Raises:
            ConfigError: there is no key, or one is not a Fernet key.
        """
        try:
            self._fernet = MultiFernet([Fernet(key) for key in split(keys)])
        except ValueError as error:
            raise ConfigError(
                "FLEXMAIL_ENCRYPTION_KEYS: not a comma list of Fernet keys"
                " (32 bytes in URL-safe base64 each)."
            ) from error

    def seal(self, plain: str | bytes) -> bytes:
        """Encrypt and authenticate with the newest key; text is sealed as UTF-8."""
        return self._fernet.encrypt(plain.encode() if isinstance(plain, str) else plain)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            SecretUnreadable: no key of the ring opens it.
        """
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise SecretUnreadable(
                "None of the encryption keys opens this stored secret. Put the lost key back"
                " (FLEXMAIL_ENCRYPTION_KEYS or instance/encryption.key), or type the secret anew."
            ) from error

    def opens(self, sealed: bytes) -> bool:
        """Tell whether a key of the ring opens it."""
        try:
            self.open(sealed)
        except SecretUnreadable:
            return False
        return True

    def rotate(self, sealed: bytes) -> bytes:
        """Return the same secret sealed with the newest key."""
        return self.seal(self.open(sealed))


class KeyStore:
    """Where the keys come from: our own file, or what the operator gave (`path` is None)."""

    def __init__(self, keys: str, path: Path | None) -> None:
        self.path = path
        self._given = keys
        self._ring = KeyRing(keys)
        self._seen: tuple[int, ...] | None = None

    def read(self) -> list[str]:
        """Return the keys as they are now, newest first."""
        return split(self.path.read_text(encoding="ascii") if self.path else self._given)

    def ring(self) -> KeyRing:
        """Return the ring of these keys."""
        if self.path is None:
            return self._ring
        try:
            found = os.stat(self.path)  # noqa: PTH116 (asked for each mail: the quick way)
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._ring, self._seen = KeyRing(",".join(self.read())), seen
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            log.warning("%s: the keys read before stay in use (%s)", self.path, error)
        return self._ring

    def replace(self, keys: list[str]) -> None:
        """Put other keys into our file; it holds the old ones or the new ones, whatever happens."""
        if self.path is None:
            raise ConfigError("FLEXMAIL_ENCRYPTION_KEYS is not ours to change.")
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        with os.fdopen(handle, "w", encoding="ascii") as file:  # mkstemp gives it mode 0600
            file.write("\n".join(keys) + "\n")
            file.flush()
            # Where root changes the keys, the service has to be able to read them still.
            os.fchown(file.fileno(), self.path.stat().st_uid, -1)
            os.fsync(file.fileno())
        Path(name).replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def split(keys: str) -> list[str]:
    """Return the keys of a comma list, or of a file with one a line."""
    return [key.strip() for key in keys.replace("\n", ",").split(",") if key.strip()]


def init_app(app: Flask) -> None:
    """Build the application's key ring from `ENCRYPTION_KEYS` or the key file."""
    path = app.config.get("ENCRYPTION_KEYS_PATH")
    store = KeyStore(app.config["ENCRYPTION_KEYS"], Path(path) if path else None)
    app.extensions[_EXTENSION] = store


def key_store() -> KeyStore:
    """Return where the keys of the current application come from."""
    store: KeyStore = current_app.extensions[_EXTENSION]
    return store


def key_ring() -> KeyRing:
    """Return the key ring of the current application."""
    return key_store().ring()
