"""How commands speak: data on stdout, remarks and errors on stderr, nothing that drives a terminal.

What mail brought in may hold escape sequences; whatever cannot be printed shows as a mark.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import click

ROW_ID = click.IntRange(1, 2**31 - 1)
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def page_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a list."""
    from flexmail.services.paging import MAX_LIMIT  # brings the database, which help can do without

    limit = click.option(
        "--limit",
        type=click.IntRange(1, MAX_LIMIT),
        default=50,
        show_default=True,
        help="How many to print.",
    )
    cursor = click.option("--cursor", help="The next_cursor that the page before named.")
    return cursor(limit(json_option(command)))


def say(text: str) -> None:
    """Print a line on stdout."""
    click.echo(printable(text))


def remark(text: str) -> None:
    """Print a line on stderr."""
    click.echo(printable(text), err=True)


def complain(text: str, code: int) -> int:
    """Print an error as one line on stderr; return the exit code, which says it to all others."""
    with suppress(OSError):
        remark(" ".join(text.split()))
    return code


def say_json(value: Any) -> None:
    """Print a value as JSON; in ASCII, so that it survives any locale."""
    click.echo(json.dumps(value, indent=2))


def say_page(
    page: dict[str, Any],
    row: Callable[[dict[str, Any]], Sequence[str]],
    *,
    head: Sequence[str],
    as_json: bool,
) -> None:
    """Print one page of a list."""
    if as_json:
        say_json(page)
        return
    say_table(head, [row(item) for item in page["items"]])
    if page["next_cursor"]:
        remark(f"There is more: --cursor {page['next_cursor']}")


def say_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest cell."""
    lines = [tuple(head), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """Return text that moves no cursor and colours nothing."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else _UNPRINTABLE
        for character in text
    )


def typed_password(*, from_stdin: bool) -> str | None:
    """Return a password from stdin's first line, or typed twice, or None without a terminal."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    return None


def keep_log_quiet() -> None:
    """Leave warnings to the command, which prints them as its own sentence; breakages stay."""
    logging.getLogger("flexmail").setLevel(logging.ERROR)
