"""Where lines end."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from flexmail.mail.lines import MAX_LINES, split_lines


@given(st.text("a \t\r\n\u00a0\u0085\u2028\x0b", max_size=40))
@example("\r\r\n\n\r")
@example("a\u00a0\u00a0\r\n\u00a0")
@example("")
def test_lines_end_at_line_ends_only_and_with_what_shows(text: str) -> None:
    lines = re.split(r"\r\n|\r|\n", text)
    assert split_lines(text) == [line.replace("\u00a0", " ").rstrip(" \t") for line in lines]


def test_what_lies_below_the_cap_is_left_out() -> None:
    for end in ("\n", "\r", "\r\n"):
        assert split_lines(f"a{end}" * (MAX_LINES + 5)) == ["a"] * MAX_LINES
