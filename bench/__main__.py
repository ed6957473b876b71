"""Measure flexmail against the limit and against its peers, side by side in one run.

    python -m bench                  # everything
    python -m bench drain parser     # some of it; the names are the modules of bench/benches
    python -m bench --quick drain    # the smallest size: does it still work?
    python -m bench --rounds 9       # more rounds than the 5 that a median needs

A bench is a module with `measure(size) -> Iterable[Row | Fact]`; the first line of its docstring is
its title. It starts the servers that it needs, on loopback. Exit 1 if a goal is not met.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

import bench.benches
from bench.measuring import Size, say, show

ROUNDS = 5


def names() -> list[str]:
    """Return the names of all benches."""
    return sorted(found.name for found in pkgutil.iter_modules(bench.benches.__path__))


def load(name: str) -> ModuleType:
    return importlib.import_module(f"bench.benches.{name}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description="Measure flexmail.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--quick", action="store_true", help="the smallest size, one round")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(names()):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    size = Size("quick", 1) if given.quick else Size("full", given.rounds)
    met = True
    for name in given.names or names():
        module = load(name)
        title = (module.__doc__ or name).partition("\n")[0]
        say(f"{name}: {title}")
        met &= show(f"{name}: {title}", list(module.measure(size)))
    return 0 if met or given.quick else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
