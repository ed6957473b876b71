"""Keys that programs use for the API: shown once, known by their digest."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select

from flexmail.crypto import key_ring
from flexmail.db import db, transaction
from flexmail.errors import InvalidInput, NotFound
from flexmail.mail.address import is_safe_header
from flexmail.mail.reference import digest
from flexmail.models import ApiToken
from flexmail.services import audit, webhook_secrets

SCOPES = ("approvals", "events", "settings", "mail", "status")
_PREFIX = "flexmail_"
_USE_NOTED_EVERY = timedelta(minutes=10)


def create(name: str, scopes: Iterable[str], *, now: datetime) -> tuple[ApiToken, str]:
    """Make a token and commit; return the row and the secret that is never shown again.

    What signs its callbacks is made with it; `webhook_secrets.of` returns that.

    Raises:
        InvalidInput: no name, no scope, or a scope that does not exist.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        given = f"{unknown[0]!r} is no scope. " if unknown else ""
        raise InvalidInput({"scope": [f"{given}Give one or more of: {', '.join(SCOPES)}."]})
    if not name.strip() or len(name) > 120 or not is_safe_header(name):
        raise InvalidInput({"name": ["Give a name of one line, 120 characters at most."]})
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        name=name.strip(),
        token_digest=digest(secret),
        scopes=wanted,
        sealed_webhook_secret=key_ring().seal(webhook_secrets.new()),
        created_at=now,
    )
    with transaction():
        db.session.add(token)
        db.session.flush()
        audit.record("token_created", _subject(token), proof={"scopes": wanted})
    return token, secret


def identify(secret: str, *, now: datetime) -> ApiToken | None:
    """Return the token that is not revoked; notes its use now and then, in its own commit."""
    if not secret.startswith(_PREFIX):
        return None
    found = select(ApiToken).where(
        ApiToken.token_digest == digest(secret), ApiToken.revoked_at.is_(None)
    )
    token = db.session.scalar(found)
    if token and (token.last_used_at is None or token.last_used_at + _USE_NOTED_EVERY < now):
        with transaction():
            token.last_used_at = now
    return token


def everything() -> list[ApiToken]:
    """Return all tokens, the newest first."""
    return list(db.session.scalars(select(ApiToken).order_by(ApiToken.id.desc())))


def revoke(token_id: int, *, now: datetime) -> ApiToken:
    """End a token and commit; a revoked one stays listed.

    Raises:
        NotFound
    """
    with transaction():
        token = db.session.get(ApiToken, token_id)
        if token is None:
            raise NotFound(f"There is no token {token_id}.")
        if token.revoked_at is None:
            token.revoked_at = now
            audit.record("token_revoked", _subject(token))
    return token


def _subject(token: ApiToken) -> str:
    return f"token {token.id} ({token.name})"
