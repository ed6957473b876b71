"""The command `flexmail demo`: flexmail and a mail server of its own, on loopback.

What it needs besides flexmail comes with the extra `[demo]` and is imported only when it runs.
"""

from __future__ import annotations

import click

INSTALL = "The demo needs a mail server to play with. Install it with: pip install 'flexmail[demo]'"


@click.command("demo")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Where the pages are served on 127.0.0.1; 0 takes any free port.",
)
def command(port: int) -> None:
    """Try flexmail out: with a mail server, people and an open approval, all of it temporary."""
    try:
        from flexmail.demo import running
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("flexmail"):
            raise
        raise click.ClickException(INSTALL) from error
    try:
        running.run(port)
    except OSError as error:
        raise click.ClickException(f"The demo cannot run: {error.strerror or error}.") from error
