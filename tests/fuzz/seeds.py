"""What the fuzzer starts from: our own replies, and real ones where FLEXMAIL_CORPUS has them."""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tests.fuzz.judgement import BOB, REFERENCE
from tests.fuzz.shapes import CARRIAGES, SHAPES, mail, right
from tests.fuzz.target import ANY_MAIL, KINDS

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "testdata" / "replies"
FOLDERS = ("decision", "auto", "malformed")
MAX_SEED = 16_384


def corpus() -> Path:
    """Return the folder of real replies; it need not be there."""
    return Path(os.environ.get("FLEXMAIL_CORPUS") or BESIDE)


def chance(number: int) -> random.Random:
    """Return choices that are always the same; nothing here is a secret."""
    return random.Random(number)  # noqa: S311


def own() -> Iterator[bytes]:
    """Yield an input for every shape and carriage, and some choices for every kind."""
    for shape in SHAPES:
        for carriage in CARRIAGES:
            yield bytes([ANY_MAIL]) + mail(shape, right(shape), carriage)
    choices = chance(20261102)
    for kind in range(1, KINDS):
        for size in (4, 16, 64, 256):
            for _ in range(20):
                yield bytes([kind]) + choices.randbytes(size)


def real(folder: Path) -> Iterator[bytes]:
    """Yield the real mails as replies of Bob to our mail, with our reference in them."""
    substitute = _module(folder / "substitute.py").substitute
    for name in FOLDERS:
        for path in sorted((folder / name).glob("*.eml")):
            raw = path.read_bytes()
            if len(raw) > MAX_SEED:
                continue
            yield bytes([ANY_MAIL]) + raw
            if name == "decision":
                token = REFERENCE.removeprefix("FM-")
                yield bytes([ANY_MAIL]) + substitute(raw, token, From=f"Bob <{BOB}>")


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("substitute", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
