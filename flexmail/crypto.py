"""Sealing of what the database may hold but nobody may read in it.

A key ring is a list of Fernet keys, newest first: the first one seals, all of them open. Models
never open anything; services do, on purpose and by name.
"""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import Flask, current_app

from flexmail.errors import ConfigError, SecretUnreadable

_EXTENSION = "flexmail_key_ring"


class KeyRing:
    """Fernet keys, newest first."""

    def __init__(self, keys: str) -> None:
        """Read a comma list (or one key a line).

        Raises:
            ConfigError: there is no key, or one is not a Fernet key.
        """
        parts = keys.replace("\n", ",").split(",")
        try:
            fernets = [Fernet(part.strip()) for part in parts if part.strip()]
            self._fernet = MultiFernet(fernets)
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

    def rotate(self, sealed: bytes) -> bytes:
        """Return the same secret sealed with the newest key."""
        return self.seal(self.open(sealed))


def init_app(app: Flask) -> None:
    """Build the application's key ring from `ENCRYPTION_KEYS`."""
    app.extensions[_EXTENSION] = KeyRing(app.config["ENCRYPTION_KEYS"])


def key_ring() -> KeyRing:
    """Return the key ring of the current application."""
    ring: KeyRing = current_app.extensions[_EXTENSION]
    return ring
