"""One text of a mail taken apart: what is its author's, what we had sent, where the one ends."""

from __future__ import annotations

from dataclasses import dataclass

from flexmail.mail.lines import split_lines
from flexmail.mail.ours import Sent, quote_ours
from flexmail.mail.quote import Kind, OwnLines, is_quoted, own_lines

_STARTS: dict[Kind, str] = {
    "marker": "the lines that are not to be changed start",
    "quote": "a quote starts",
    "attribution": "a line that introduces a quote stands here",
    "header": "the header of another mail starts",
    "rule": "a line is drawn",
    "signature": "a signature starts",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it shows, the same with what we had sent marked, and its author's lines."""

    shown: str
    marked: str
    own: OwnLines

    @property
    def below(self) -> str:
        """Return what stands below the author's lines; nothing where they are the last."""
        if self.own.under_quote:
            return ""
        return "\n".join(split_lines(self.marked)[len(self.own.lines) :])


def take_apart(shown: str, sent: Sent | None) -> Text:
    """Return a text taken apart; no line of what we had sent is the author's."""
    marked = quote_ours(shown, sent) if sent else shown
    return Text(shown, marked, own_lines(marked))


def cut_off(text: Text) -> str:
    """Say, for people, where the author's words ended."""
    if text.own.boundary is None:
        return "The author's words go on to the end of the text."
    number, what = text.own.boundary.start, _STARTS[text.own.boundary.kind]
    lines = split_lines(text.shown)
    if text.own.boundary.kind == "quote" and not is_quoted("".join(lines[number : number + 1])):
        what = "what flexmail sent starts"
    below = "; the author's words stand below it" if text.own.under_quote else ""
    return f"Line {number + 1}: {what}{below}."
