"""Addresses in the environment: what may stand there, and the sentence for what may not."""

from __future__ import annotations

from urllib.parse import urlsplit

from flexmail.errors import ConfigError


def base_url(given: str) -> str:
    """Return the public address of flexmail, "" where none is given.

    Raises:
        ConfigError
    """
    try:
        parts = urlsplit(given)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.query
    except ValueError:
        wrong = True
    if given and wrong:
        raise ConfigError(
            f"FLEXMAIL_BASE_URL: {given!r} is no address. Give one like https://flexmail.corp."
        )
    return given


def hosts_and_ports(given: str) -> frozenset[tuple[str, int]]:
    """Return what a comma list of `host:port` names; an IPv6 address stands in brackets.

    Raises:
        ConfigError
    """
    found = set()
    for entry in filter(None, map(str.strip, given.split(","))):
        try:
            parts = urlsplit(f"//{entry}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port or not entry.isascii() or set(entry) & set("/@?# "):
            raise ConfigError(
                f"FLEXMAIL_CALLBACK_ALLOWED_HOSTS: {entry!r} is no host:port. Give a comma list"
                " like ci.corp:8443,[fd00::1]:80."
            )
        found.add((host, port))
    return frozenset(found)
