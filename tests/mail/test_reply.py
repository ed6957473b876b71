"""What an answer says: a table for each rule of the grammar, and replies to flexmail's own mail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexmail.mail.compose import reference_block, reply_body
from flexmail.mail.lines import MAX_LINES
from flexmail.mail.ours import Sent
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reply import DEFAULT_WORDS, Reading, Words, author_text, parse_words, read

REFERENCE = "FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NOTIFICATION = f"Bob, please decide on PO 4711.\nApprove or Reject?\n\n{reference_block(REFERENCE)}"
QUOTED = "\n".join(f"> {line}".rstrip() for line in NOTIFICATION.split("\n"))
ATTRIBUTION = "On Mon, 2 Nov 2026 at 09:14, flexmail <approvals@corp.test> wrote:"


def plain(text: str, words: Words = DEFAULT_WORDS) -> Reading:
    return read(Parsed(plain=text), words)


def html(text: str) -> Reading:
    return read(Parsed(html=text), DEFAULT_WORDS)


@pytest.mark.parametrize(
    ("line", "verdict", "comment"),
    [
        ("Approve", "approve", ""),
        ("approved", "approve", ""),
        ("APPROVE", "approve", ""),
        ("aPPROVED.", "approve", ""),
        ("Approve!", "approve", ""),
        ("Approve !", "approve", ""),
        ("Approved,", "approve", ""),
        ("approve:", "approve", ""),
        ("approve -", "approve", ""),
        ("  Approve  ", "approve", ""),
        ("\tApprove", "approve", ""),
        ("*Approve*", "approve", ""),
        ("**Approved.**", "approve", ""),
        ("*Approve*: go ahead", "approve", "go ahead"),
        ("Approve go ahead", "approve", "go ahead"),
        ("Approved, go ahead", "approve", "go ahead"),
        ("Approve: go ahead", "approve", "go ahead"),
        ("Approve:go ahead", "approve", "go ahead"),
        ("Approve - go ahead", "approve", "go ahead"),
        ("Approve – go ahead", "approve", "go ahead"),
        ("Approve, здесь всё верно", "approve", "здесь всё верно"),
        ("Approved, 没有问题", "approve", "没有问题"),
        ("Approve, schön", "approve", "schön"),
        ("Approve…", "approve", ""),
        ("Approve;", "approve", ""),
        ("Approve; go ahead", "approve", "go ahead"),
        ("Approve, the U.S. plan, i.e. A", "approve", "the U.S. plan, i.e. A"),
        ("Approve \U0001f44d", "approve", "\U0001f44d"),
        ("yes", "approve", ""),
        ("Yes.", "approve", ""),
        ("YES!", "approve", ""),
        ("Yes !", "approve", ""),
        ("Reject", "reject", ""),
        ("rejected", "reject", ""),
        ("Reject: too dear", "reject", "too dear"),
        ("Rejected - too dear", "reject", "too dear"),
        ("Reject too dear", "reject", "too dear"),
        ("No", "reject", ""),
        ("no.", "reject", ""),
        ("No -", "reject", ""),
    ],
)
def test_a_clean_line_decides(line: str, verdict: str, comment: str) -> None:
    reading = plain(line)
    assert (reading.verdict, reading.comment) == (verdict, comment)
    assert reading.words_read == line.strip()


@pytest.mark.parametrize(
    "line",
    [
        "Approve?",
        "Approve？",
        "Approve, or is there a second quote?",
        "Approve not",
        "Approve? Not yet",
        "Approved it is not",
        "Approve - don't wait",
        "Approve, I don’t mind",
        "Approve, dont ask",
        "Approve, it can't wait",
        "Approve, cannot wait",
        "Approve. Never again",
        "Approve unless Ada objects",
        "Approve until Monday",
        "Approve but only once",
        "Approve BUT only once",
        "Approve, ｎｏｔ",
        "Approve or reject",
        "Approve/Reject",
        "Approved, not rejected",
        "Approve, no objections",
        "Approve: rejected before",
        "Approve don\u201bt",
        "Approve don\u2032t",
        "Approve do n't",
        "Approve n.o.t",
        "Approve n o t today",
        "Approve r-e-j-e-c-t",
        "Approve \u274c",
        "Approve \U0001f6ab",
        "Approve \u26d4",
        "Approve \U0001f44e\U0001f3fb",
        "Approve \u2753",
        "Approve: \u2754",
        "yes please",
        "Yes, go ahead",
        "yes but",
        "yes?",
        "No?",
        "no ?",
        "Yes 👍",
    ],
)
def test_a_line_that_could_be_meant_otherwise_does_not_approve(line: str) -> None:
    reading = plain(line)
    assert reading.verdict is None
    assert reading.reason


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("Reject?", ""),
        ("Rejected? Not by me", "Not by me"),
        ("Reject, I will not approve this", "I will not approve this"),
        ("Rejected. Approve it once VAT is in", "Approve it once VAT is in"),
        ("Reject unless Ada agrees", "unless Ada agrees"),
        ("Reject or approve", "or approve"),
    ],
)
def test_rejecting_needs_only_the_word_in_first_place(line: str, comment: str) -> None:
    reading = plain(line)
    assert (reading.verdict, reading.comment) == ("reject", comment)


@pytest.mark.parametrize(
    "line",
    [
        "Yesterday I asked",
        "Nothing from me",
        "Nope",
        "Approval follows",
        "approver",
        "approving",
        "Disapprove",
        "disapproved",
        "unapproved",
        "Rejection",
        "rejecting",
        "Approve-ish",
        "Approved.by Ada",
        "approve's",
        "approve_all",
        "approve2",
        '"Approve"',
        "'Approve'",
        "(approve)",
        "- Approve",
        "I approve",
        "Please approve",
        "Not approved",
        "Ok, approve",
        "no way",
        "No, not in this quarter",
        "~Approve~",
        "@approve",
        "Sure",
        "?",
        "...",
    ],
)
def test_a_word_that_is_not_the_first_whole_word_decides_nothing(line: str) -> None:
    assert plain(line).verdict is None


@pytest.mark.parametrize(
    "line",
    [
        "\u0430pprove",  # Cyrillic a
        "appr\u043eve",
        "appr\u03bfve",  # Greek omicron
        "approv\u00e9",
        "approve\u0301",
        "\uff41\uff50\uff50\uff52\uff4f\uff56\uff45",  # full width
        "\U0001d41a\U0001d429\U0001d429\U0001d42b\U0001d428\U0001d42f\U0001d41e",  # bold
        "r\u0435ject",
        "Approve\u200b",
        "\u200bApprove",
        "App\u200brove",
        "Approve\u200d it",
        "Approve it \u2060",
        "\ufeffApprove",
        "Approve\u202e reject",
        "\u202dApprove",
        "\u2066Approve\u2069",
        "Approve \u200f",
        "App\u00adrove",
        "Approve \u3164",
        "Approve \u2800",
        "Approve \u034f",
        "Approve\x07",
        "Approve \x00",
        "Approve it\x85now",
        "Approve it\u2028not",
        "Approve it \U000e0041",
        "Approve, n\u043et",  # "not" with a Cyrillic o
        "Approve n\u0336o\u0336t\u0336",
        "Appro\u0338ve",
        "A\u0336pprove",
        "Approve it\u20d2",
        "Approve \u0274\u1d0f\u1d1b",
        "Approve \U0001f17d\U0001f17e\U0001f183",
        "Reject\u200b",
        "Reject \u202e",
        "Reject, n\u043et",
    ],
)
def test_what_is_unseen_or_imitates_letters_decides_nothing(line: str) -> None:
    assert plain(line).verdict is None


def test_words_from_the_settings_decide_like_approve_and_reject() -> None:
    words = Words(frozenset({"approve", "genehmigt"}), frozenset({"abgelehnt", "nein"}))
    assert plain("Genehmigt, danke", words).verdict == "approve"
    assert plain("Genehmigt, nein", words).verdict is None
    assert plain("Genehmigt, aber not now", words).verdict is None
    assert plain("Nein, zu teuer", words) == Reading(
        "reject",
        "zu teuer",
        "The first line begins with 'Nein'.",
        "Nein, zu teuer",
        "The author's words go on to the end of the text.",
    )
    assert plain("yes", words).verdict is None
    assert plain("Reject", words).verdict is None


def test_a_list_of_words_is_read_in_lower_case_and_each_once() -> None:
    assert parse_words(" Approve, OK ,approve,") == ("approve", "ok")


@pytest.mark.parametrize(
    "text", ["", " , ,", "go ahead", "approve!", "schön", "\u0430pprove", "a1", "x" * 41, "no\nyes"]
)
def test_a_word_that_could_never_decide_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="word"):
        parse_words(text)


def test_more_words_than_anybody_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="At most 50"):
        parse_words(
            ",".join("abcdefghijklmnopqrstuvwxyz"[i % 26] * (i // 26 + 1) for i in range(51))
        )


def test_no_word_both_approves_and_rejects() -> None:
    with pytest.raises(ValueError, match="'ok' cannot both"):
        Words(frozenset({"ok"}), frozenset({"ok", "no"}))


@pytest.mark.parametrize(
    ("text", "verdict", "comment"),
    [
        ("Approve\nLooks good", "approve", "Looks good"),
        ("\n\n \n\t\nApprove", "approve", ""),
        ("\u200b\nApprove", "approve", ""),
        ("\u00a0\r\nApprove\r\nfine\r\n", "approve", "fine"),
        ("Approve, fine\n\nOrder two.\n\n\n\nSoon.", "approve", "fine\n\nOrder two.\n\nSoon."),
        ("Yes\nLooks good", "approve", "Looks good"),
        ("No\nnot now", "reject", "not now"),
        ("Reject\nApprove", "reject", "Approve"),
        ("Approve\nReject", None, ""),
        ("Approve\n\n- No.", None, ""),
        ("Thanks, got it.\nApprove", None, ""),
        ("Approve\n\nThanks,\nBob", "approve", ""),
        ("Approve\nFine.\n\nMit freundlichen Grüßen\nBob\nACME", "approve", "Fine."),
        ("Approve\nThanks\n1\n2\n3\n4\n5", "approve", "Thanks\n1\n2\n3\n4\n5"),
        ("Approve\n-- \nBob\nReject", "approve", ""),
        ("Approve\n\nSent from my iPhone", "approve", ""),
        ("Approve\nSent with the wrong VAT", "approve", "Sent with the wrong VAT"),
    ],
)
def test_further_lines_are_comment_up_to_the_signature(
    text: str, verdict: str | None, comment: str
) -> None:
    reading = plain(text)
    assert (reading.verdict, reading.comment) == (verdict, comment)


LONG = "This line of a comment has more than sixty characters in it, and a client may break"


@pytest.mark.parametrize(
    "below",
    [
        "Rejected: see below",
        "Reject this one too",
        "No, wait.",
        "- No.",
        "*No*",
        "Actually, no.",
        "Hmm ... sorry, no",
        "Wait, please don't",
        "Hold on!",
        "Please wait.",
        "On second thought: next week",
        "Not yet.",
        "Do not approve yet",
        "I don’t approve this",
        "Thanks.\nI cannot approve more than one",
        "but only one",
        "unless Ada objects",
        "?",
        f"{LONG}\nNo.",
        f"{LONG}.\nNo, wait",
        "Fine.\n\n\nRejected, sorry",
        *("Actually no, don't", "Actually, don't.", "Do not deploy this.", "Don't deploy.", "NOT"),
        *("not today", "(not)", "Nope.", "Nah", "No way", "no no", "NO!!!", "Wait, no!", "hm, no"),
        *("Hold off until Monday.", "hold off", "I take that back.", "Never mind.", "Cannot do."),
        *("Sorry, I meant reject.", "I meant reject.", "I reject.", "Please reject this"),
        *("EDIT: rejected", "Strike that: Reject", "this must be rejected", "I would reject it"),
        *("Only if the tests pass.", "if the tests pass", "Once Ada is back", "pending VAT"),
        *("or reject?", "or not?", "should I?", "what?", "Is Friday possible?", "ok \u2753"),
        *("please wait until the backup has run", "Please do not deploy", "I do not want this"),
        *("Wait for Ada on Monday", "Stop the old service first.", "Denied", "Disapproved."),
        *("Looks bad; rejected", "rejecting this", "[x] no", "2. No", "Hmm.\nDo not deploy."),
        *("Fine.\n\nI take that back.", "Fine.\n\nHold off, please", "Fine.\nI hereby reject it"),
        *("Thanks. Actually no.", "I changed my mind", "Fine.\nChanged my mind: it goes."),
    ],
)
@pytest.mark.parametrize("word", ["Approve", "yes"])
def test_what_is_taken_back_in_the_lines_below_does_not_approve(word: str, below: str) -> None:
    for gap in ("\n", "\n\n"):
        reading = plain(f"{word}{gap}{below}")
        assert reading.verdict is None
        assert "below" in reading.reason


@pytest.mark.parametrize(
    "below",
    [
        "No objections from me",
        "No. 5 first, then No. 6",
        "not urgent",
        "Nobody minds",
        "It is a no-brainer",
        "Looks good. Is Friday possible?",
        "Great.\nCan you ping me when done?",
        "Do not forget the invoice",
        "Please don't hesitate to call",
        "Fine.\nStop the old service first.",
        "Fine.\nWait for Ada on Monday",
        "Looks good, not a big risk",
        "Thanks, please go ahead",
        "Nothing to add",
        "No further questions",
        "Looks good, no rush",
        "Fine, but only this once",
        f"Fine.\n{LONG}, as it was\nrejected by the board in spring",
        "Sorry for the delay",
        "Ada said yes",
    ],
)
def test_an_ordinary_comment_below_stays_one(below: str) -> None:
    reading = plain(f"Approve\n{below}")
    assert (reading.verdict, reading.comment) == ("approve", below)


def test_rejecting_is_not_taken_back_by_the_lines_below() -> None:
    reading = plain("Reject\nWait, I do not reject it. Approved.")
    assert reading.verdict == "reject"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Approve", "The author's words go on to the end of the text."),
        ("Approve\n\n> a", "Line 3: a quote starts."),
        ("> a\n\nApprove", "Line 1: a quote starts; the author's words stand below it."),
        (f"Approve\n{ATTRIBUTION}\nx", "Line 2: a line that introduces a quote stands here."),
        ("Approve\n\nFrom: a\nTo: b\n", "Line 3: the header of another mail starts."),
        ("Approve\n-----\n", "Line 2: a line is drawn."),
        ("Approve\n-- \nBob", "Line 2: a signature starts."),
        (
            f"Approve\n\n{reference_block(REFERENCE)}",
            "Line 3: the lines that are not to be changed start.",
        ),
    ],
)
def test_it_is_said_where_the_authors_words_end(text: str, sentence: str) -> None:
    assert plain(text).cut_off == sentence


def test_an_approval_with_more_lines_below_than_are_read_decides_nothing() -> None:
    assert plain("Approve" + "\n" * (MAX_LINES - 2) + "fine").verdict == "approve"
    assert plain("Approve" + "\n" * (MAX_LINES - 1) + "Reject").verdict is None
    assert plain("Approve" + "\n" * MAX_LINES + "Reject").verdict is None
    assert plain("Approve\n\n> a" + "\n" * MAX_LINES + "Reject").verdict == "approve"
    assert plain("Reject" + "\n" * MAX_LINES + "Approve").verdict == "reject"


def test_a_comment_has_an_end() -> None:
    assert len(plain("Reject\n" + "x" * 50_000).comment) == 10_000


@pytest.mark.parametrize(
    "text",
    [
        "Approve the order of the laser cutter that we talked about on\nMonday but not the other.",
        "Approve - that is what I would like to write to you here today,\nnot knowing the budget",
        "Approved is what I would say, and I could say it at once, here and\nnow. Shall I?",
    ],
)
def test_a_line_that_a_client_broke_is_read_to_its_end(text: str) -> None:
    assert plain(text).verdict is None


@pytest.mark.parametrize(
    ("opening", "passed"),
    [
        ("Hi Dana,", True),
        ("Hello", True),
        ("Hi all,", True),
        ("Dear Ms. Weber,", True),
        ("Hallo Frau Weber,", True),
        ("Bonjour,", True),
        ("您好", True),
        ("CAUTION: This email originated from outside of the organization. Do not click.", True),
        ("[EXTERNAL] External email: unless you know the sender, do not click links.", True),
        ("Caution: external sender\n\nHi Dana,", True),
        ("Hi, not yet", False),
        ("Hi Not Yet", False),
        ("Hello no", False),
        ("Hi Reject", False),
        ("Hi Dana?", False),
        ("History", False),
        ("Hi Dana, please wait", False),
        ("Hi everyone who is not for this", False),
        ("Caution: I am outside of the office", False),
        ("Warning: external email of the auditors says reject", False),
        ("Good question", False),
        ("Reviewed.", False),
    ],
)
def test_only_a_greeting_or_a_banner_may_stand_above_the_word(opening: str, passed: bool) -> None:
    assert plain(f"{opening}\n\nApprove").verdict == ("approve" if passed else None)
    assert plain(f"{opening}\n\nReject: too dear").verdict == ("reject" if passed else None)


def test_below_a_greeting_the_word_stands_alone_or_before_a_mark() -> None:
    assert plain("Hi Dana,\nApproved budgets are below").verdict is None
    assert plain("Hi Dana,\nRejected parts came back").verdict is None
    assert plain("Hi Dana,\nApproved, go ahead").comment == "go ahead"


@pytest.mark.parametrize("word", ["Approve", "Reject"])
def test_the_answer_that_a_link_fills_in_decides(word: str) -> None:
    body = reply_body(word, REFERENCE)
    assert (plain(body).verdict, plain(body).comment) == (word.lower(), "")
    assert plain(body.replace(word, f"{word} too soon", 1)).comment == "too soon"
    assert plain(body.replace(word, f"{word}\ntoo soon", 1)).comment == "too soon"
    assert plain(body.replace(word, "", 1)).verdict is None
    assert plain(f"{body}\n{word}").verdict == word.lower()
    lines = "".join(f"<div>{line or '<br>'}</div>" for line in body.splitlines())
    assert (html(lines).verdict, html(lines).comment) == (word.lower(), "")


@pytest.mark.parametrize(
    "history",
    [
        f"{ATTRIBUTION}\n{QUOTED}",
        f"{ATTRIBUTION}\n\n{QUOTED}",
        QUOTED,
        f"-----Original Message-----\nFrom: flexmail\n\n{NOTIFICATION}",
        f"From: flexmail <a@corp.test>\nSent: Monday\nTo: Bob\nSubject: PO\n\n{NOTIFICATION}",
        f"________________________________\nFrom: flexmail\nSent: Monday\n\n{NOTIFICATION}",
        f"{ATTRIBUTION}\n\n{NOTIFICATION}",
        f"{ATTRIBUTION}\n> Approved, go ahead.\n>\n> {ATTRIBUTION}\n>> Approve",
        f"{ATTRIBUTION}\n\nApprove",
        f"{ATTRIBUTION}\n\nReject\n",
        reference_block(REFERENCE),
        f"{reference_block(REFERENCE)}\nApprove",
        "-- \nApprove",
        "Sent from my iPhone\n\nApprove",
        f"Sent from my iPhone\n\n{ATTRIBUTION}\n\nApprove",
    ],
)
def test_history_is_never_the_authors_and_ends_the_comment(history: str) -> None:
    assert plain(history).verdict is None
    assert plain(f"\n\n{history}").verdict is None
    assert plain(f"I will look at it.\n\n{history}").verdict is None
    for verdict in ("approve", "reject"):
        reading = plain(f"{verdict}\nas discussed\n\n{history}")
        assert (reading.verdict, reading.comment) == (verdict, "as discussed")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{ATTRIBUTION}\n{QUOTED}\n\nApprove", "approve"),
        (f"{QUOTED}\n\nReject, too dear", "reject"),
        (f"{QUOTED}\n\nApprove\n\n-- \nBob", "approve"),
        ("> Please decide\nApprove", "approve"),
        (f"{QUOTED}\n\nApproved by ACME Anti-Virus", None),
        ("> Please answer with one of these words, and with nothing else:\nApprove", None),
        ("> Approve\n> Reject\n\nApprove\n\n> more", None),
        ("> Approve\n> Reject\n\nApprove\n\nReference: FM-ABC", None),
        ("> Approve\n\nor\n\nReject", None),
        (f"{ATTRIBUTION}\n\nApprove\n\n{QUOTED}", None),
        (f"> a\n\nApprove\n\n{ATTRIBUTION}\n> b", None),
        ("> a\n\nApprove\n\n-- \nBob\n\n> b", None),
        ("> a\n" * 2500 + "\nApprove", None),
    ],
)
def test_below_a_quote_only_a_lone_clear_answer_counts(text: str, verdict: str | None) -> None:
    assert plain(text).verdict == verdict


@pytest.mark.parametrize(
    "heading",
    [
        "Reject: as Ada wrote:",
        "Reject, as Ada <ada@corp.test> wrote:",
        "No, see her mail of 10:30:",
        "Not approved, as Ada wrote:",
        "Never, as I wrote on 2 Nov 2026:",
        "Until then, as I wrote on 2 Nov 2026:",
    ],
)
def test_what_may_be_an_answer_above_a_quote_lets_nothing_below_it_approve(heading: str) -> None:
    assert plain(f"{heading}\n> too dear\n\nApprove").verdict is None
    assert plain(f"{heading}\n> too dear\n\nReject").verdict in ("reject", None)


def test_an_attribution_that_only_looks_like_a_no_hinders_nothing() -> None:
    attribution = "No dia 2 de nov. de 2026 às 09:14, Ada <ada@corp.test> escreveu:"
    assert plain(f"{attribution}\n> a\n\nApprove").verdict == "approve"


@pytest.mark.parametrize(
    ("text", "page", "verdict"),
    [
        ("Approve", "<p>Approve</p>", "approve"),
        ("Reject", "<p>Reject, too dear</p>", "reject"),
        ("*Approve*", "<b>Approve</b>", "approve"),
        ("Approve", "<p>Reject</p>", None),
        ("Reject", "<p>Approve</p>", None),
        ("Approve", "<p>Approve?</p>", None),
        ("Approve", "<p>Hello</p>", None),
        ("Hello", "<p>Approve</p>", None),
        ("Approve", "<blockquote>Approve</blockquote>", None),
        ("Approve", "<p style='display:none'>Approve</p><p>Please wait</p>", None),
        ("Approve", "<p>Approve <span style='display:none'>not</span></p>", "approve"),
        ("Approve", "<img src='cid:1'>", "approve"),
        ("Approve", "", "approve"),
        (" \n", "<p>Approve</p>", "approve"),
        ("Approve the long line that my client has broken at seventy\nnot", "<p>Approve</p>", None),
    ],
)
def test_parts_that_read_differently_decide_nothing(
    text: str, page: str, verdict: str | None
) -> None:
    reading = read(Parsed(plain=text, html=page), DEFAULT_WORDS)
    assert reading.verdict == verdict
    assert reading.reason


def test_mail_without_text_decides_nothing() -> None:
    assert read(Parsed(), DEFAULT_WORDS).reason == "The mail holds no text."
    assert plain(" \n\u200b\n").verdict is None


@given(
    st.text(max_size=60),
    st.text(max_size=60),
    st.sampled_from(["", "Approve", "Reject", "> a\n\n"]),
)
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_read(text: str, page: str, before: str) -> None:
    reading = read(Parsed(plain=before + text, html=before + page), DEFAULT_WORDS)
    assert reading.reason
    if reading.verdict == "approve":
        assert "?" not in reading.words_read


def test_the_subject_is_never_read() -> None:
    assert read(Parsed(subject="Approve", plain="Hm."), DEFAULT_WORDS).verdict is None


def test_the_authors_text_is_what_stands_above_history() -> None:
    assert author_text(f"\nApprove\nfine\n\n{ATTRIBUTION}\n{QUOTED}") == "Approve\nfine"
    assert author_text(QUOTED) == ""


@pytest.mark.parametrize(
    "piece",
    [
        "On ",
        "On \n",
        "(",
        "\n",
        " ",
        ">",
        "> \n",
        ">\n\n",
        "*",
        "-",
        "- \n",
        "<",
        "<a@",
        "@",
        ":\n",
        "From:\n",
        "Date: x\n",
        "On 1 x wrote:\n",
        "x@y.test 12:30 zzz\n",
        "wrote:\n",
        "Approve ",
        "No\n",
        "Hi ",
        "\u200b",
        "a\u0301\u0323\u0345\u0315",
        "n't ",
        "thanks\n",
    ],
)
@pytest.mark.parametrize("before", ["", "Approve ", "Approve\n", "> a\n\n"])
@pytest.mark.timeout(60)
def test_every_text_is_read_in_time(before: str, piece: str) -> None:
    assert plain(before + piece * 100_000).words_read is not None


@pytest.mark.parametrize("before", [*range(3960, 4001), *range(9960, 10_001, 5)])
def test_no_part_of_a_reference_outlives_a_cut(before: int) -> None:
    secret = "FM-" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for text in (f"Approve\n> {'x' * before} {secret}", f"Approve {'x' * before} {secret}"):
        reading = read(Parsed(plain=text), DEFAULT_WORDS)
        for shown in (reading.rest, reading.own_text, reading.comment, reading.words_read):
            assert "FM-A" not in shown


@pytest.mark.parametrize(
    ("text", "page", "verdict"),
    [
        ("Approve", "<p>Builds mailing list<br>Archive: https://lists.corp.test</p>", "approve"),
        ("Approve", "<hr>Unsubscribe: do not answer, write to x@corp.test", "approve"),
        ("Approve", "<p>Approve</p>", "approve"),
        ("Approve", "<blockquote>Reject</blockquote>", "approve"),
        ("Approve", "<p>Stop. The picture shows it is broken.</p>", None),
        ("Approve", "<p>It is broken, do not approve.</p>", None),
        ("Approve", "<p>The picture is not it.</p>", None),
        ("Approve", "<p>I have to reject it</p>", None),
        ("Approve", "<p>Reject</p>", None),
        ("Approve", "fine" + "<br>" * 50_001 + "Reject", None),
        ("Reject", "<p>It is not good.</p>", "reject"),
        ("Reject", "<p>Approve</p>", None),
        ("Hm", "<p>Approve</p>", None),
    ],
)
def test_a_page_beside_the_text_can_only_say_not_to(
    text: str, page: str, verdict: str | None
) -> None:
    reading = read(Parsed(plain=text, beside=(page,)), DEFAULT_WORDS)
    assert reading.verdict == verdict
    assert verdict or not reading.comment


def test_our_own_mail_in_a_page_beside_the_text_says_nothing() -> None:
    page = "<p>Do not forward this mail.</p><p>Please decide on PO 4711.</p>"
    for sent, verdict in ((Sent("", page, ()), "approve"), (None, None)):
        assert read(Parsed(plain="Approve", beside=(page,)), DEFAULT_WORDS, sent).verdict == verdict


PICTURE = "Content-Type: image/png; name=a.png\n\nAAAA"


@pytest.mark.parametrize(
    ("leaves", "verdict"),
    [
        (["plain\n\nApprove", PICTURE, "plain\n\nStop. It is broken, do not approve."], None),
        (["html\n\n<p>Approve", PICTURE, "html\n\n<p>Wait, it is broken. Reject."], None),
        (["plain\n\n\n", PICTURE, "plain\n\nApprove"], "approve"),
        (["html\n\n<br>", PICTURE, "html\n\n<div>Approve</div>"], "approve"),
        (["plain\n\nApprove", "html\n\n<p>Builds mailing list</p>"], "approve"),
        (["html\n\n<p>Approve", PICTURE, "plain\n\nSent from my iPhone"], "approve"),
        (["html\n\n<p>Approve", "plain\n\nReject"], None),
        (
            [
                "plain\n\nCAUTION: This email originated from outside the organization.\n",
                "plain\n\nApprove\n\n> Please decide",
            ],
            "approve",
        ),
    ],
)
def test_parts_side_by_side_are_read_as_one(leaves: list[str], verdict: str | None) -> None:
    body = "".join(
        f"--b\n{leaf if leaf is PICTURE else f'Content-Type: text/{leaf}'}\n" for leaf in leaves
    )
    head = "From: bob@corp.test\nContent-Type: multipart/mixed; boundary=b\n\n"
    assert read(parse(f"{head}{body}--b--\n".encode()), DEFAULT_WORDS).verdict == verdict


@pytest.mark.parametrize(
    ("line", "verdict"), [("Approve", "approve"), ("Reject", "reject"), ("Approve not", None)]
)
def test_a_signed_text_is_read_inside_its_frame(line: str, verdict: str | None) -> None:
    raw = (
        "From: bob@corp.test\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"{line}\n\n{QUOTED}\n-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n"
    )
    assert read(parse(raw.encode()), DEFAULT_WORDS).verdict == verdict
