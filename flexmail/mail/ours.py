"""Our own notification inside a reply, whatever a client did to it.

Compared word by word, so that line breaks, quote marks and markup do not count; addresses of links
are left out. What the requester wrote into the notification is ours as well, unless the author
plainly writes it again. Pure, and linear in the reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, islice

from flexmail.mail.lines import is_blank, split_lines
from flexmail.mail.pieces import Run, Word, find_words, words_by_line
from flexmail.mail.quote import is_quoted
from flexmail.mail.sent import Known, known_of
from flexmail.mail.sent import Sent as Sent
from flexmail.mail.torn import torn_lines

# More than any notification has, with what people write above it.
_MAX_WORDS = 50_000
# So many words in our order are no accident. So many are not even in the middle of a line, or
# where a reply begins with nothing but the requester's words.
_MIN_RUN = 6
_MIN_LONG_RUN = 12
# Above more words without a mark it is quicker to look at all of them.
_MAX_UNMARKED = 200

_MARKS = " \t*<>|=_([{\"'"


def quote_ours(text: str, sent: Sent) -> str:
    """Return the text with "> " before each line that is ours, so that it reads as a quote.

    A line is ours when all its words are. Where our text follows other words on one line and goes
    on to its end, the line is parted.
    """
    lines = split_lines(text)
    known = known_of(sent)
    if _stand_apart(lines, known):
        return text
    words = list(islice(find_words(lines), _MAX_WORDS))
    runs = _runs([word.text for word in words], known)
    if not runs:
        return text
    begins = _begins(lines, words, runs)
    for number in torn_lines(lines, words, runs, known.parts, sent.given):
        begins[number] = 0
    return "\n".join(_marked(line, begin) for line, begin in zip(lines, begins, strict=True))


def _stand_apart(lines: Sequence[str], known: Known) -> bool:
    """Tell whether the client has marked all that may be ours, as most do: then nothing is to do.

    So it is where no run begins at or above the last line that bears no mark. Every run is then
    within marked lines, and neither they nor lines beside a marked quote are changed.
    """
    last = _last_unmarked(lines)
    words: list[str] = []
    above = 0
    for number, found in enumerate(words_by_line(lines)):
        words += found
        above = len(words) if number <= last else above
        if above > _MAX_UNMARKED or (number > last and len(words) >= above + _MIN_RUN):
            break
    if above > _MAX_UNMARKED:
        return False
    begun = min(above, len(words) - _MIN_RUN + 1)
    runs = ("".join(words[at : at + _MIN_RUN]) for at in range(begun))
    return not any(run in known.letters for run in runs)


def _last_unmarked(lines: Sequence[str]) -> int:
    """Return the number of the last line that bears no mark of a quote, -1 if there is none."""
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at]
        if line[:1] not in {"", ">"} and not (is_blank(line) or is_quoted(line)):
            return at
    return -1


def _runs(words: Sequence[str], known: Known) -> list[Run]:
    """Return the pieces of the notification in a reply, as long as they can be, in their order.

    The requester's words alone are the author's, who may well repeat them, unless the reply begins
    with many. Who copies our sentences into a request does not make them the author's.
    """
    lengths = known.pieces.longest(words)
    in_given = known.given.longest(words)
    in_frame: list[int] | None = None
    found = []
    for end, length in enumerate(lengths, 1):
        if length < _MIN_RUN or (end < len(words) and lengths[end] > length):
            continue
        if in_given[end - 1] >= length:
            in_frame = in_frame or known.frame.longest(words)
            opens_with_many = length == end and length >= _MIN_LONG_RUN
            if in_frame[end - 1] < _MIN_RUN and not opens_with_many:
                continue
        found.append(Run(end - length, end))
    return found


def _begins(lines: Sequence[str], words: Sequence[Word], runs: Sequence[Run]) -> list[int | None]:
    """Return for each line the column from which on it is ours, or None."""
    covered = _covered(len(words), runs)
    long = _covered(len(words), [run for run in runs if run.end - run.start >= _MIN_LONG_RUN])
    begins: list[int | None] = [None] * len(lines)
    last_written, last_is_ours = -1, False
    for number, group in groupby(range(len(words)), lambda at: words[at].line):
        on_line = list(group)
        cut = len(on_line)
        while cut and covered[on_line[cut - 1]]:
            cut -= 1
        if cut == 0:
            begins[number] = 0
        elif cut < len(on_line) and long[on_line[cut]]:
            begins[number] = words[on_line[cut]].column
        if last_is_ours and cut == 0:
            begins[last_written + 1 : number] = [0] * (number - last_written - 1)
        last_written, last_is_ours = number, begins[number] is not None
    if last_is_ours:
        begins[last_written + 1 :] = [0] * (len(lines) - last_written - 1)
    return begins


def _covered(count: int, runs: Sequence[Run]) -> bytearray:
    covered = bytearray(count)
    done = 0
    for run in runs:
        begin = max(done, run.start)
        covered[begin : run.end] = b"\1" * (run.end - begin)
        done = run.end
    return covered


def _marked(line: str, begin: int | None) -> str:
    if begin is None or is_blank(line) or is_quoted(line):
        return line
    before = line[:begin].rstrip(_MARKS)
    return f"{before}\n> {line[begin:]}" if before.strip() else f"> {line}"
