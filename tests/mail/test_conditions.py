"""Conditions of the reading that other tests meet only together with a second one."""

from __future__ import annotations

import pytest

from flexmail.mail.address import MAX_LINE, is_safe_header, normalise, parse_mailbox, sole_author
from flexmail.mail.authenticate import MAX_HEADERS, Authentication, authenticate
from flexmail.mail.bounded import MAX_HEADER_VALUE
from flexmail.mail.lines import MAX_LINES
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.reference import find_references
from flexmail.mail.reply import DEFAULT_WORDS, author_text, read


def test_a_from_line_longer_than_a_line_of_mail_names_nobody() -> None:
    word = "=?utf-8?q?" + "=C3=B6" * 10 + "?="
    fits, too_long = (" ".join([word] * count) for count in (13, 14))
    assert sole_author([f"{fits} <bob@corp.test>"])
    assert len(f"{too_long} <bob@corp.test>") > MAX_LINE
    assert sole_author([f"{too_long} <bob@corp.test>"]) is None


@pytest.mark.parametrize(
    "value",
    [
        "Bob <bob@corp.test <charlie@x.test>",
        '"<charlie@x.test>" <bob@corp.test>',
        "Bob <bob @corp.test>",
        "bob @corp.test",
        "bob charlie",
    ],
)
def test_the_pattern_of_an_address_has_no_room_for_two(value: str) -> None:
    with pytest.raises(ValueError, match="exactly one address"):
        parse_mailbox(value)


@pytest.mark.parametrize(
    "name",
    [
        *("(<a>)", "(a, b)", "(a:b)", "(a;b)", "(a@b)", "(a(b))", '(a"b)', r"(a\b)"),
        *("a,b", "a;", "a:", "a@b", "a[b]", r"a\b", "a)", "(a"),
    ],
)
def test_a_name_has_no_room_for_anything_but_words(name: str) -> None:
    with pytest.raises(ValueError, match=r"in double quotes|exactly one address"):
        parse_mailbox(f"{name} <bob@corp.test>")


@pytest.mark.parametrize("control", ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\u2028", "\u2029"])
def test_a_control_is_not_read_as_a_space(control: str) -> None:
    assert sole_author(['"Bob Builder" <bob@corp.test>'])
    assert sole_author([f'"Bob{control}Builder" <bob@corp.test>']) is None


def test_an_address_is_measured_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="at most 254"):
        normalise("b" * 300 + "@corp.test")


@pytest.mark.parametrize("half", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_half_a_character_is_not_safe_in_a_header(half: int) -> None:
    assert not is_safe_header(f"Bob{chr(half)}")


PASSING = "mx.corp.test; dmarc=pass header.from=corp.test"


def vouched(*headers: str, server: str = "mx.corp.test", domain: str = "corp.test") -> bool:
    return authenticate(headers, authserv_id=server, from_domain=domain).passed


def test_without_a_name_or_a_domain_nothing_is_looked_up() -> None:
    for server, domain in (("", "corp.test"), (" ", "corp.test"), ("mx.corp.test", "")):
        told = authenticate([PASSING], authserv_id=server, from_domain=domain)
        assert told == Authentication(False, told.reason)
        assert told.reason.startswith("No mail server is named")


def test_a_header_below_the_cap_is_not_read() -> None:
    others = ["other.test; none"] * (MAX_HEADERS - 1)
    assert vouched(*others, PASSING)
    assert not vouched(*others, "other.test; none", PASSING)


@pytest.mark.parametrize("method", ["spf", "arc", "x-dkim", "dkim-atps", "dkimx"])
def test_only_a_dkim_pass_is_a_dkim_pass(method: str) -> None:
    assert vouched("mx.corp.test; dkim=pass header.d=corp.test")
    assert not vouched(f"mx.corp.test; {method}=pass header.d=corp.test")


@pytest.mark.parametrize("signer", [".corp.test", "corp.test.", "corp..test", ".", ""])
def test_a_domain_with_an_empty_label_speaks_for_nobody(signer: str) -> None:
    for domain in ("corp.test", f"ops{signer}", signer):
        assert not vouched(f'mx.corp.test; dkim=pass header.d="{signer}"', domain=domain)


def test_contradicting_results_are_not_outvoted_by_a_signature() -> None:
    signed = "dkim=pass header.d=corp.test"
    assert vouched(f"mx.corp.test; dmarc=none header.from=corp.test; {signed}")
    assert not vouched(f"{PASSING}; dmarc=none header.from=corp.test; {signed}")


@pytest.mark.parametrize(
    "tail",
    [
        " , x=y",
        " ) x (",
        "; spf=pass reason=a) b (",
        ") (",
        r"; spf=pass reason=a\b",
        r" \ ",
        '; spf=pass reason=" ( ',
    ],
)
def test_a_header_that_bends_the_grammar_proves_nothing(tail: str) -> None:
    assert vouched(PASSING)
    assert not vouched(PASSING + tail)


def test_half_a_label_is_no_parent() -> None:
    assert not vouched("mx.corp.test; dkim=pass header.d=corp.test", domain="evilcorp.test")


def verdict(text: str) -> str | None:
    return read(Parsed(plain=text), DEFAULT_WORDS).verdict


@pytest.mark.parametrize("line", ["No?", "No ?", "no - ?", "Yes?", "yes ,?"])
def test_no_with_a_question_mark_does_not_reject(line: str) -> None:
    assert verdict(line) is None


def test_a_line_that_a_client_broke_ends_at_a_blank_line() -> None:
    long = "Approve, and this line is as long as the lines of a mail program may become."
    assert verdict(f"{long}\n\nNothing else is to be said, for it is not much.") == "approve"
    assert verdict(f"{long}\n\n{'x' * 80} is not much") == "approve"
    assert verdict(f"{long}\nnot that it matters") is None


def test_a_line_that_its_author_ended_is_not_read_on() -> None:
    assert verdict("Approve\nIt is not much.") == "approve"
    assert verdict("Approve it is not much.") is None


def test_an_undecided_line_says_why() -> None:
    reading = read(Parsed(plain="Hi Ada,\n\nApprove it?"), DEFAULT_WORDS)
    assert (reading.verdict, reading.comment) == (None, "")
    assert reading.reason == "The line that approves also asks something."


def test_a_tab_is_a_space() -> None:
    assert verdict("Approve\tit") == "approve"


@pytest.mark.parametrize("comment", ["спасибо", "ευχαριστώ", "ご苦労様"])
def test_a_word_in_another_script_is_comment(comment: str) -> None:
    assert verdict(f"Approve, {comment}") == "approve"


@pytest.mark.parametrize("mark", "?\u00bf\u203d\u037e\u061f\u055e\uff1f\ufe56\u2047")
def test_a_question_mark_of_any_script_is_one(mark: str) -> None:
    assert verdict(f"Approve {mark}") is None
    assert verdict(f"Approve it{mark}") is None


def test_a_rejection_stands_whatever_is_below() -> None:
    assert verdict("Reject\nno") == "reject"
    assert verdict("Reject\nwait, do not approve it yet") == "reject"


@pytest.mark.parametrize(
    "banner",
    [
        "Ada wrote to an external sender",
        "Caution: external sender\n" + "about\n" * 6 + "the above",
    ],
)
def test_a_banner_is_known_by_how_it_starts_and_what_it_says(banner: str) -> None:
    assert verdict("Caution: external sender\n\nApprove") == "approve"
    assert verdict(f"{banner}\n\nApprove") is None


def test_a_greeting_is_short() -> None:
    assert verdict("Hello Ada Bob Charlie\n\nApprove") == "approve"
    assert verdict("Hello Ada Bob Charlie Dora\n\nApprove") is None
    assert verdict(f"Hello {'A' * 60}\n\nApprove") is None


def test_below_a_quote_that_is_too_long_nothing_counts() -> None:
    for count, decided in ((MAX_LINES - 3, "approve"), (MAX_LINES - 2, None)):
        assert verdict("> a\n" * count + "\nApprove") == decided


def test_below_a_quote_our_marker_is_history_too() -> None:
    assert verdict("> a\n\nApprove\n\n-- \nBob") == "approve"
    assert verdict("> a\n\nApprove\n\n-- \nBob\n***** below\nReject") is None


@pytest.mark.parametrize(
    "below", ["-----Original Message-----", "From: Ada\nSent: Monday", "Reference: FM-A", "______"]
)
def test_below_a_quote_nothing_but_a_signature_follows(below: str) -> None:
    assert verdict("> a\n\nApprove\n\nSent from my iPhone") == "approve"
    assert verdict(f"> a\n\nApprove\n\n{below}\n\nfine") is None


@pytest.mark.parametrize("marker", ["***** here it ends", "Reference: FM-ABC"])
def test_our_marker_ends_the_authors_words(marker: str) -> None:
    assert author_text(f"Approve\n{marker}\nnot mine") == "Approve"


@pytest.mark.parametrize(
    "below",
    [
        *("no", "Reject", "- Rejected -", "no, do not", "Sorry, no.", "Reject it, it is too dear"),
        *("I do not approve this", "Not approved yet", "This isn't approved by me"),
        *("wait", "Hm, hold on.", "Please stop!", "not yet", "On second thought: later"),
        "I have looked at all of the numbers that came with this mail today and\nreject",
        *("unless Ada objects", "but only on Monday", "until Monday", "?", "??", "... ?"),
    ],
)
def test_an_approval_can_be_taken_back_in_the_lines_below(below: str) -> None:
    assert verdict("Approve\nas it is") == "approve"
    assert verdict(f"Approve\n{below}") is None


@pytest.mark.parametrize(
    "below",
    [
        "It is not much.",
        "I approved the last one too.",
        "Fine\nbut tell Ada",
        "Fine\n?",
        "Thanks. Shall I tell Ada?",
        "No objections from me",
    ],
)
def test_a_comment_may_hold_any_word(below: str) -> None:
    assert verdict(f"Approve\n{below}") == "approve"


@pytest.mark.parametrize(
    "below",
    [
        *("wait", "Hm, stop!", "Hold. It is late", "cancel", "No, not this", "Rejected: too dear"),
        "I have looked at all of the numbers that came with this mail today and\nreject",
        "This isn't approved by me",
    ],
)
def test_a_later_line_can_hold_an_approval_back(below: str) -> None:
    assert verdict(f"Approve\nFine.\n{below}") is None


WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("size", [26, 27, 63, 64, 65, 200])
def test_a_word_in_the_form_of_a_reference_is_taken_whole_or_not_at_all(size: int) -> None:
    word = "FM-" + (WORD * 10)[:size]
    assert find_references(word) == ({word} if size <= 64 else set())


@pytest.mark.parametrize("tail", ["a", "0", "9", "z"])
def test_a_broken_reference_ends_where_a_word_ends(tail: str) -> None:
    broken = f"FM-{WORD[:10]}\n{WORD[10:]}"
    assert find_references(broken) == {f"FM-{WORD}"}
    assert find_references(broken + tail) == set()


def test_a_reference_is_broken_twice_at_most() -> None:
    assert find_references(f"FM-{WORD[:9]}\n{WORD[9:18]}\n{WORD[18:]}") == {f"FM-{WORD}"}
    assert find_references(f"FM-{WORD[:9]}\n{WORD[9:12]}\n{WORD[12:18]}\n{WORD[18:]}") == set()


def read_html(page: str, *beside: str) -> str | None:
    return read(Parsed(html=page, beside=beside), DEFAULT_WORDS).verdict


def test_html_that_goes_on_beyond_what_is_read_does_not_approve() -> None:
    endless = "<b></b>" * 60_000
    assert read_html("Approve" + "<b></b>" * 1000) == "approve"
    assert read_html("Approve" + endless) is None
    assert read_html("Reject" + endless) == "reject"
    assert read_html("Approve", endless) is None
    assert read_html("Approve", "<br>") == "approve"


@pytest.mark.parametrize(
    ("heading", "answer", "decided"),
    [
        ("On Mon, 2 Nov 2026 at 09:14, Ada <ada@corp.test> wrote:", "Approve", "approve"),
        ("On Mon, 2 Nov 2026 at 09:14, I did not like what Ada wrote:", "Approve", None),
        ("On Mon, 2 Nov 2026 at 09:14, I did not like what Ada wrote:", "Reject", "reject"),
        ("Reject: on 2 Nov 2026 at 09:14, Ada <ada@corp.test> wrote:", "Approve", None),
    ],
)
def test_what_introduces_a_quote_above_an_approval_does_not_deny_it(
    heading: str, answer: str, decided: str | None
) -> None:
    assert verdict(f"{heading}\n> one\n> two\n\n{answer}") == decided
    assert verdict(f"{answer}\n\n{heading}\n> one\n> two") == answer.lower()
    assert verdict(f"> I did not like it\n> two\n\n{answer}") == answer.lower()


def test_who_wrote_a_mail_is_not_read_from_half_a_line() -> None:
    gap = b" " * (MAX_HEADER_VALUE + 1)
    parsed = parse(b"From: bob@corp.test" + gap + b", charlie@x.test\r\n\r\nApprove\r\n")
    assert parsed.author is None
    assert parsed.problem == "The From line does not hold exactly one plain address."


def test_a_mail_with_a_problem_has_no_text() -> None:
    parsed = parse(b"From: bob@corp.test\r\nno header\r\n\r\nApprove\r\n")
    assert parsed.problem == "A line among the headers is not a header."
    assert (parsed.plain, parsed.html, parsed.beside, parsed.more_text) == (None, None, (), "")
