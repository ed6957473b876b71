"""The secrets that sign callbacks: one a token, and one for what was asked without a token.

A token's secret outlives its revoking: approvals that were made with it are announced under it to
their end. Tokens older than callbacks have none; the installation's serves them.
"""

from __future__ import annotations

import base64
import secrets

from flexmail.crypto import key_ring
from flexmail.db import db, transaction
from flexmail.models import ApiToken, Installation
from flexmail.transport.webhook import SECRET_PREFIX

_KEY_BYTES = 32
_THE_ROW = 1


def new() -> str:
    """Return a fresh secret in the spelling of Standard Webhooks."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def of(token_id: int | None) -> str:
    """Return the secret for approvals made with this token, or without one.

    Commits when the installation's secret has to be made first.

    Raises:
        SecretUnreadable: no key opens it.
    """
    token = db.session.get(ApiToken, token_id) if token_id else None
    if token is not None and token.sealed_webhook_secret:
        return key_ring().open(token.sealed_webhook_secret).decode()
    return of_installation()


def of_installation() -> str:
    """Return the installation's own secret; made, and committed, when it is first asked for.

    Raises:
        SecretUnreadable: no key opens it.
    """
    row = db.session.get_one(Installation, _THE_ROW)
    if row.sealed_webhook_secret is None:
        _make()
        row = db.session.get_one(Installation, _THE_ROW)
    return key_ring().open(row.sealed_webhook_secret or b"").decode()


def _make() -> None:
    with transaction():
        row = db.session.get_one(Installation, _THE_ROW, with_for_update=True)
        if row.sealed_webhook_secret is None:
            row.sealed_webhook_secret = key_ring().seal(new())
