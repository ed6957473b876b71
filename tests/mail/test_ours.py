"""Which lines of a reply are ours, whatever was done to them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flexmail.mail.compose import MARKER_ABOVE, reference_block
from flexmail.mail.ours import Sent, quote_ours
from flexmail.mail.parse import Parsed
from flexmail.mail.pieces import Pieces, find_words, letters_of, words_by_line, words_of
from flexmail.mail.quote import own_lines
from flexmail.mail.reply import DEFAULT_WORDS, Reading, read

BLOCK = reference_block("FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
TITLE = "Approve the order of two laser cutters"
DETAILS = "Approve\nThey are cheaper until Friday.\nВсё верно, 承認してください"
PLAIN = (
    f"Your approval is asked for by Ada:\n\n  Request: {TITLE}\n\n{DETAILS}\n\n"
    "Answer until: Monday, 09:00\n\nHow to answer: reply with Approve or Reject.\n\n"
    f"To approve: mailto:a@corp.test?subject=Re%3A%20PO&body=Approve%0D%0A\n\n{BLOCK}"
)
HTML = (
    f"<p>Your approval is asked for by Ada:</p><h1>Request: {TITLE}</h1>"
    f"<p style='white-space:pre-line'>{DETAILS}</p><p>Answer until Monday, 09:00.</p>"
    "<p><a href='mailto:a@corp.test?subject=Re'>Approve</a> <a href='mailto:a@corp.test'>Reject</a>"
    f"</p><p>A link opens a filled-in answer.</p><p style='white-space:pre-line'>{BLOCK}</p>"
)
SENT = Sent(PLAIN, HTML, (TITLE, DETAILS, "Ada"))
WITHOUT_PARSER = Sent(PLAIN, HTML.replace("'", '"'), SENT.given)


def own(text: str, sent: Sent = SENT) -> list[str]:
    """Return the written lines of a reply that are not ours."""
    lines = quote_ours(text, sent).split("\n")
    return [line for line in lines if line.strip() and not line.startswith(">")]


def reading(text: str) -> Reading:
    return read(Parsed(plain=text), DEFAULT_WORDS, SENT)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.upper(),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", " "),
        PLAIN.replace(" ", "\n"),
        PLAIN.replace(" ", "\u00a0"),
        PLAIN.replace("\n", "\n| "),
        PLAIN.replace("\n", "\n\t* "),
        PLAIN.replace("承認", "承\n認"),
        PLAIN.replace("mailto:", "<mailto:").replace("Approve%0D%0A", "Approve%0D%0A\n%20x>"),
        PLAIN.replace("mailto:", "mailto:approvals\n%20"),
        PLAIN.replace("To approve:", "To approve: [1]"),
        "\n".join(f"_{line}_" for line in PLAIN.split("\n")),
        "Your approval is asked for by Ada:\n" + PLAIN.partition("\n")[2],
        PLAIN[PLAIN.index("  Request") :],
        PLAIN[PLAIN.index("Approve\n") :],
        PLAIN[PLAIN.index("承") :],
    ],
)
def test_our_text_is_known_again(text: str) -> None:
    assert own(text) == []


@pytest.mark.parametrize(
    "written",
    [
        "Approve",
        "Approve\nfine",
        f"Approve\n{TITLE}",
        f"Reject\n{TITLE}: too dear",
        "Approve\nThey are cheaper until Friday.",
        "Please answer until Monday",
        "What is the word on the first line?",
    ],
)
@pytest.mark.parametrize("ours", ["", PLAIN, BLOCK])
def test_the_authors_own_lines_stay_theirs(written: str, ours: str) -> None:
    lines = [line for line in written.split("\n") if line]
    assert own(f"{written}\n\n{ours}") == lines
    assert own(f"{ours}\n\n{written}") == lines


def test_where_our_text_follows_on_the_same_line_the_line_is_parted() -> None:
    flat = " ".join(PLAIN.split())
    assert own(f"Approve {flat}") == ["Approve"]
    assert own(f"Approve: fine > *{flat}*") == ["Approve: fine"]
    assert reading(f"Reject, too dear  {flat}").comment == "too dear"
    flat = " ".join(BLOCK.split())
    assert own(f"Reject {flat}") == ["Reject"]
    assert own(f"Approve {flat} but not today") != ["Approve"]


def test_an_answer_below_our_unmarked_text_is_the_authors_if_it_is_set_off() -> None:
    assert reading(f"{PLAIN}\nApprove\nfine").comment == "fine"
    assert reading(f"{PLAIN}\nReject: too dear").verdict == "reject"
    assert reading(f"{PLAIN}\nApproved by ACME Anti-Virus").verdict is None
    assert reading(f"{PLAIN}\nApprove\n{BLOCK}").verdict is None
    assert reading(PLAIN.replace("\n\nHow to", "\n\nApprove\n\nHow to")).verdict is None


@pytest.mark.parametrize("dropped", range(len(PLAIN.split("\n"))))
def test_what_is_left_of_our_text_decides_nothing(dropped: int) -> None:
    assert reading("\n".join(PLAIN.split("\n")[dropped:])).verdict is None
    assert reading("\n".join(PLAIN.split("\n")[: dropped + 1])).verdict is None


def test_a_word_beside_a_torn_quote_is_nobodys_unless_a_client_set_the_quote_off() -> None:
    torn = PLAIN[PLAIN.index("They are") :].replace("承認", "??")
    assert reading(f"Approve\n{torn}").verdict is None
    assert reading(f"Approve\n\n{torn}").verdict is None
    assert reading(f"Reject\n\n{torn}").verdict == "reject"
    assert reading(f"Approve\n\nOn 2 Nov 2026, Ada wrote:\n{torn}").verdict == "approve"
    assert reading(f"Approve\n\n_____________\n{torn}").verdict == "approve"
    own_mark = "Approve\nmañana\n> mañana"
    sent = Sent(PLAIN.replace(DETAILS, own_mark), "", (TITLE, own_mark))
    text = sent.plain[sent.plain.index("Approve\n") :].replace("ñ", "?")
    assert read(Parsed(plain=text), DEFAULT_WORDS, sent).verdict is None
    text = sent.plain[sent.plain.index("Approve\n") :].replace("ñ", "?", 1)
    assert read(Parsed(plain=text), DEFAULT_WORDS, sent).verdict is None
    marked = "\n".join(f"> {line}" for line in torn.split("\n"))
    assert reading(f"Approve\n\n{marked}").verdict == "approve"
    cut = PLAIN[: PLAIN.index("They are") + 4]
    assert reading(f"{cut}??\n\nApprove").verdict is None


def test_who_copies_our_sentences_into_a_request_gains_nothing() -> None:
    copied = f"Approve\n\n{PLAIN[PLAIN.index('Answer until') :]}"
    plain = PLAIN.replace(DETAILS, copied)
    sent = Sent(plain, "", (TITLE, copied, "Ada"))
    for dropped in range(len(plain.split("\n"))):
        text = "\n".join(plain.split("\n")[dropped:])
        assert read(Parsed(plain=text), DEFAULT_WORDS, sent).verdict is None


def test_a_reply_that_begins_with_many_of_the_requesters_words_is_not_the_authors() -> None:
    assert own(DETAILS) == []
    assert own(f"fine\n{DETAILS}") == ["fine", *DETAILS.split("\n")]


def test_what_we_had_sent_shows_in_no_repr() -> None:
    assert "FM-" not in repr(SENT)
    assert "laser" not in repr(SENT)


def test_it_is_said_that_the_authors_words_end_at_what_we_sent() -> None:
    assert reading(f"Approve\n\n{PLAIN}").cut_off == "Line 3: what flexmail sent starts."


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["", PLAIN, BLOCK]))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_no_text_is_lost_or_changed_but_for_marks(before: str, after: str, ours: str) -> None:
    text = f"{before}\n{ours}\n{after}"
    kept = quote_ours(text, Sent(f"{ours}{before}", after, (after,)))
    assert [c for c in kept if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize("repeated", ["approve ", "a b c d e f ", "<mailto:", "%20", "承", "\n"])
def test_no_more_is_compared_than_a_reply_to_us_can_hold(repeated: str) -> None:
    details = (repeated * 20_000)[:20_000]
    sent = Sent(PLAIN.replace(DETAILS, details), HTML.replace(DETAILS, details), (details,))
    opening = PLAIN.partition("\n")[0]
    assert opening not in own(f"{PLAIN}{repeated * 100_000}", sent)
    assert opening in own("x " * 60_000 + f"\n\n{PLAIN}", sent)


@given(
    st.lists(st.sampled_from("abc"), max_size=12),
    st.lists(st.sampled_from("abc"), max_size=12),
    st.lists(st.sampled_from("abc"), max_size=12),
)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_the_longest_piece_is_found_for_each_word(
    one: list[str], other: list[str], asked: list[str]
) -> None:
    def is_piece(piece: list[str]) -> bool:
        return any(f" {' '.join(piece)} " in f" {' '.join(whole)} " for whole in (one, other))

    expected = [
        max((n for n in range(1, end + 1) if is_piece(asked[end - n : end])), default=0)
        for end in range(1, len(asked) + 1)
    ]
    assert Pieces([one, other]).longest(asked) == expected


def test_words_are_compared_without_links_marks_and_case() -> None:
    assert words_of(
        "> *Answer* UNTIL: <https://a.test/x>, 09:00_\n[1] mailto:a?b=c%20d %0D%0A 承認"
    ) == (
        *("answer", "until", "09", "00"),
        *("承", "認"),
    )


def test_a_link_that_goes_on_below_the_marker_hides_no_words_above_it() -> None:
    page = f"<p>&lt;https://x.test one two three four five six</p><p>{MARKER_ABOVE} &gt;</p>"
    assert own("one two three four five six\n> Reject", Sent(html=page)) == []


LINKED = st.lists(
    st.sampled_from(
        [
            *(
                "<mailto:",
                "MailTo:",
                "https://",
                "http://",
                "hTTp\u017f://",
                "ma\u0131lto:",
                "<",
                ">",
            ),
            *("ma\u0130lto:", "[12]", "[1234]", "[", "]", "(", ")", " ", "\n", "%41", "%4", "a_b"),
            *(
                "one",
                "TWO",
                "\u0130x",
                "\u03a3\u03a3",
                "é",
                "漢字",
                "\ufb01",
                "x" * 50,
                "\u2028",
                "\r",
            ),
        ]
    ),
    max_size=20,
).map("".join)


@given(LINKED)
@example(f"<https://{'x' * 4001}>")
@example("<mailto:a\nb> c")
@example("hhttps://a mmailto:b <hello")
def test_words_and_links_are_the_same_however_they_are_asked_for(text: str) -> None:
    lines = text.split("\n")
    found = list(find_words(lines))
    assert words_of(text) == tuple(word.text for word in found)
    assert letters_of(text) == "".join(words_of(text))
    assert list(words_by_line(lines)) == [
        [word.text for word in found if word.line == at] for at in range(len(lines))
    ]
    links = re.compile(
        r"<(?:mailto:|https?://)[^<>]{0,4000}>|(?:mailto:|https?://)[^\s<>()\[\]]*|\[\d{1,3}\]",
        re.IGNORECASE,
    )
    without = links.sub(lambda link: re.sub(r"[^\n]", " ", link[0]), text)
    assert words_of(text) == words_of(without)


SENT_LINES = [line for line in PLAIN.split("\n") if line.strip()]
REPLY_LINES = st.one_of(
    st.sampled_from(["Approve", "Reject", "", "But not before Monday.", "-- ", "Bob", "----", "*"]),
    st.sampled_from(
        ["On Mon, 2 Nov 2026 at 09:00, Ada <a@corp.test> wrote:", "> ", ">", "From: Ada"]
    ),
    st.sampled_from(SENT_LINES),
    st.sampled_from([f"> {line}" for line in SENT_LINES]),
    st.builds(
        lambda line, at: line[at:],
        st.sampled_from(SENT_LINES),
        st.integers(min_value=0, max_value=40),
    ),
)


@given(st.lists(REPLY_LINES, max_size=25), st.sampled_from([SENT, WITHOUT_PARSER]))
@settings(max_examples=600)
def test_where_all_is_marked_nothing_is_lost_by_not_looking(lines: list[str], sent: Sent) -> None:
    text = "\n".join(lines)
    quick = own_lines(quote_ours(text, sent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flexmail.mail.ours._stand_apart", lambda *_: False)
        assert own_lines(quote_ours(text, sent)) == quick


@pytest.mark.parametrize("number", [1, 5, 6, 7, 12])
def test_six_words_of_ours_are_noticed_wherever_they_begin(number: int) -> None:
    before = " ".join(["word"] * number)
    text = f"{before}\nreply with Approve or Reject. A comment\n> Reject"
    assert (
        own(text, WITHOUT_PARSER)
        == own(text)
        == [before, "reply with Approve or Reject. A comment"]
    )


def test_a_reply_as_most_clients_write_it_is_not_compared_word_by_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flexmail.mail.ours._runs", None)
    quoted = "\n".join(f"> {line}" for line in PLAIN.split("\n"))
    text = f"Approve\n\nOn Mon, 2 Nov 2026 Deployments wrote:\n{quoted}"
    assert quote_ours(text, SENT) == text
