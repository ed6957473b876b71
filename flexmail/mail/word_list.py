"""The words that decide, and the list of them that the settings hold."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WORDS = 50
MAX_WORD = 40


@dataclass(frozen=True, slots=True)
class Words:
    """The words that decide, in lower case; none may stand on both sides."""

    approve: frozenset[str]
    reject: frozenset[str]

    def __post_init__(self) -> None:
        if both := self.approve & self.reject:
            raise ValueError(f"{min(both)!r} cannot both approve and reject.")


def parse_words(comma_list: str) -> tuple[str, ...]:
    """Read a comma list of deciding words: lower-case, each once, in the order given.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    words = [word.strip() for word in comma_list.split(",")]
    words = list(dict.fromkeys(word.lower() for word in words if word))
    if not words:
        raise ValueError("At least one word is needed.")
    if len(words) > MAX_WORDS:
        raise ValueError(f"At most {MAX_WORDS} words are possible.")
    for word in words:
        if not (word.isascii() and word.isalpha() and len(word) <= MAX_WORD):
            raise ValueError(
                f"{word[:MAX_WORD]!r} must be one word of the letters A to Z,"
                f" at most {MAX_WORD} of them."
            )
    return tuple(words)
