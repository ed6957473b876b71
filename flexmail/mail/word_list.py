"""The list of words that decide, as the settings hold it."""

from __future__ import annotations

MAX_WORDS = 50
MAX_WORD = 40


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
