"""The `flexmail` command: the commands of `cli`, and the demo."""

from __future__ import annotations

from functools import partial

from flexmail import cli, create_app, demo


def main() -> None:
    """Run the command line."""
    cli.main(partial(create_app, pages=False), extra=[demo.command])


if __name__ == "__main__":
    main()
