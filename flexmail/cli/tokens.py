"""`flexmail tokens`: keys that programs use for the API."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from flexmail.cli import console
from flexmail.services import tokens, webhook_secrets
from flexmail.services.shapes import list_shape, token_shape

group = AppGroup("tokens", help="Keys that programs use for the API.")


@group.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(tokens.SCOPES),
    multiple=True,
    required=True,
    help="What it opens; may be given several times.",
)
@console.json_option
def create(name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a token and print it, this once, and the secret that signs its callbacks."""
    now = datetime.now(UTC)
    token, secret = tokens.create(name, scopes, now=now)
    webhook_secret = webhook_secrets.of(token.id)
    if as_json:
        console.say_json(token_shape(token) | {"token": secret, "webhook_secret": webhook_secret})
        return
    console.say(secret)
    console.say(webhook_secret)
    console.remark(
        f"Token {token.id} is shown this once, and the secret that signs its callbacks: keep both."
    )


@group.command("installation-secret")
@console.json_option
def installation_secret(as_json: bool) -> None:
    """Print the secret that signs callbacks of approvals made without a token."""
    secret = webhook_secrets.of_installation()
    if as_json:
        console.say_json({"webhook_secret": secret})
    else:
        console.say(secret)


@group.command("list")
@console.json_option
def list_tokens(as_json: bool) -> None:
    """List the tokens, revoked ones too."""
    console.say_page(
        list_shape([token_shape(token) for token in tokens.everything()]),
        lambda token: (
            str(token["id"]),
            token["name"],
            ", ".join(token["scopes"]),
            token["created_at"],
            token["last_used_at"] or "never",
            token["revoked_at"] or "",
        ),
        head=("ID", "NAME", "SCOPES", "CREATED", "LAST USED", "REVOKED"),
        as_json=as_json,
    )


@group.command("revoke")
@click.argument("token_id", type=console.ROW_ID, metavar="ID")
@console.json_option
def revoke(token_id: int, as_json: bool) -> None:
    """End a token, at once."""
    token = tokens.revoke(token_id, now=datetime.now(UTC))
    if as_json:
        console.say_json(token_shape(token))
    else:
        console.say(f"Revoked token {token.id} ({token.name}).")
