"""Choices out of bytes: the same bytes always choose the same, and running out is no error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")

_MAX_TEXT = 400


class Supply:
    """Bytes that are used up from the front; where none are left, the first choice is taken."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """Return a number from 0 up to, and without, `below`."""
        taken = self._take(1 if below <= 256 else 2)
        return int.from_bytes(taken, "big") % below

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return choices[self.number(len(choices))]

    def flag(self) -> bool:
        return self.number(2) == 1

    def text(self) -> str:
        """Return some text, whatever the bytes hold; its length stands before it."""
        return self._take(self.number(_MAX_TEXT)).decode("utf-8", "replace")

    def line(self) -> str:
        """Return some text without anything that ends a line of mail."""
        return self.text().replace("\r", " ").replace("\n", " ")

    def rest(self) -> bytes:
        return self._take(len(self._data))

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        return taken
