from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexmail.mail.bounded import MAX_DEFECTS, MAX_DEPTH, MAX_HEADER_BYTES, MAX_PARTS
from flexmail.mail.html import visible_text
from flexmail.mail.parse import Parsed, parse
from flexmail.mail.sizes import MAX_BYTES

FROM = b"From: Bob <bob@corp.test>\r\n"
MIXED = FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def text_of(headers: str, body: bytes) -> str | None:
    return parse(FROM + headers.encode() + b"\r\n\r\n" + body).plain


def parts(*leaves: str, kind: str = "mixed") -> Parsed:
    body = "".join(f"--b\r\n{leaf}\r\n" for leaf in leaves)
    head = f"From: bob@corp.test\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n"
    return parse(f"{head}preamble\r\n{body}--b--\r\nepilogue\r\n".encode())


def leaf(kind: str, text: str, *headers: str) -> str:
    return "\r\n".join([f"Content-Type: {kind}", *headers, "", text])


def nested(depth: int) -> bytes:
    opening = "".join(
        f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n" for i in range(depth)
    )
    return FROM + opening.encode() + b"\r\napprove\r\n"


def inner(count: int, boundary: bytes) -> bytes:
    """Return so many parts inside a part of a mixed mail."""
    head = b"--b\r\nContent-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n"
    return head + (b"--" + boundary + b"\r\n\r\n") * count


def test_a_plain_mail_is_read() -> None:
    parsed = parse(
        b"Return-Path: <bob@corp.test>\r\n"
        b"Authentication-Results: mx.corp.test;\r\n dmarc=pass header.from=corp.test\r\n"
        b"Authentication-Results: other.test; none\r\n"
        b"From: Bob\r\n <bob@corp.test>\r\n"
        b"Subject: =?utf-8?q?Re:_Gr=C3=B6=C3=9Fe?=\r\n =?utf-8?q?_12?=\r\n"
        b"Message-ID: <reply@corp.test>\r\n"
        b"In-Reply-To: <fm-a@corp.test>\r\n"
        b"References: <root@corp.test>\r\n <fm-a@corp.test>\r\n"
        b"\r\n"
        b"approve\r\n"
    )
    assert parsed.from_values == ("Bob <bob@corp.test>",)
    assert str(parsed.author) == "Bob <bob@corp.test>"
    assert parsed.subject == "Re: Größe 12"
    assert parsed.message_id == "<reply@corp.test>"
    assert parsed.in_reply_to == ("<fm-a@corp.test>",)
    assert parsed.references == ("<root@corp.test>", "<fm-a@corp.test>")
    assert parsed.return_path == "bob@corp.test"
    assert parsed.authentication_results == (
        "mx.corp.test; dmarc=pass header.from=corp.test",
        "other.test; none",
    )
    assert (parsed.plain, parsed.html) == ("approve\n", None)
    assert (parsed.problem, parsed.automatic, parsed.bounce, parsed.own_mark) == ("", "", "", "")
    assert not parsed.text_missing


def test_a_missing_return_path_differs_from_an_empty_one() -> None:
    assert parse(FROM + b"\r\nx").return_path is None
    assert parse(b"Return-Path: <>\r\n" + FROM + b"\r\nx").return_path == ""


def test_what_may_hold_a_secret_is_not_in_the_repr() -> None:
    shown = repr(parse(FROM + b"In-Reply-To: <fm-secret@corp.test>\r\n\r\nFM-SECRET\r\n"))
    assert "secret" not in shown.lower()


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        ("Content-Type: text/plain; charset=iso-8859-1", b"gr\xf6n", "grön"),
        ("Content-Type: text/plain; charset=no-such", b"gr\xc3\xb6n", "grön"),
        ("Content-Type: text/plain; charset=no-such", b"gr\xf6n", "grön"),
        ("Content-Type: text/plain; charset=\"'", b"yes", "yes"),
        ("Content-Type: text/plain; charset*=us-ascii'en'utf-8", b"gr\xc3\xb6n", "grön"),
        ("Content-Type: nonsense", b"yes", "yes"),
        ("Content-Type:", b"yes", "yes"),
        ("Content-Type: text/plain; boundary", b"yes", "yes"),
        ("X: y", "grön".encode(), "grön"),
        ("X: y", b"\xef\xbb\xbfyes", "yes"),
        ("X: y", b"a\nb\r\nc\rd", "a\nb\nc\nd"),
        ("Content-Transfer-Encoding: base64", base64.b64encode(b"approve"), "approve"),
        ("Content-Transfer-Encoding: BASE64 ", b"YXBwcm92ZQ", "approve"),
        ("Content-Transfer-Encoding: base64", b"YXBw!cm92\r\n ZQ==", "approve"),
        ("Content-Transfer-Encoding: quoted-printable", b"appro=\r\nve =C3=B6", "approve ö"),
        ("Content-Transfer-Encoding: quoted-printable", b"50 =% =ZZ", "50 =% =ZZ"),
        ("Content-Transfer-Encoding: nonsense", b"yes", "yes"),
        ("Content-Type: multipart/mixed", b"yes", "yes"),
        ("Content-Type: multipart/mixed; boundary=b", b"yes", "yes"),
        ("Content-Type: multipart/mixed; boundary=b", b"--b\r\n\r\nyes", "yes"),
    ],
)
def test_odd_but_readable_text_is_read(headers: str, body: bytes, text: str) -> None:
    assert text_of(headers, body) == text


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_any_line_end_of_the_standards_will_do(newline: bytes) -> None:
    raw = (MIXED + b"--b\r\n\r\nyes\r\nBob\r\n--b--\r\n").replace(b"\r\n", newline)
    assert (parse(raw).plain, parse(raw).problem) == ("yes\nBob", "")


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("Größe".encode(), "Größe"),
        (b"Gr\xf6\xdfe", "Größe"),
        (b"=?nope?q?a?=", "a"),
        (b"=?utf-8?b?!?=", ""),
        (b"a\x00b\x1b[31mc", "a b [31mc"),
        (b"=?utf-8?q?a=0D=0AX:_y?=", "a X: y"),
        (b"a\r\n\tb", "a b"),
        (b"x" * 5000, "x" * 2000),
    ],
)
def test_a_subject_is_one_plain_line(raw: bytes, subject: str) -> None:
    assert parse(FROM + b"Subject: " + raw + b"\r\n\r\nx").subject == subject


FLOWED = "Content-Type: text/plain; format=flowed"


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        (FLOWED, "approve \r\nthis", "approve this"),
        (FLOWED, "approve\r\nthis", "approve\nthis"),
        (FLOWED, " From here\r\n  two", "From here\n two"),
        (FLOWED, "a \r\n\r\nb", "a \n\nb"),
        (FLOWED, "a \r\n> b", "a \n> b"),
        (FLOWED, "> a \r\n> b\r\n>> c", "> a b\n>> c"),
        (FLOWED, "a\r\n-- \r\nBob", "a\n-- \nBob"),
        (FLOWED, "a \r\n-- \r\nBob", "a \n-- \nBob"),
        (FLOWED + "; delsp=yes", "appr \r\nove", "approve"),
        ("Content-Type: text/plain; Format=Flowed", "a \r\nb", "a b"),
        ("Content-Type: text/plain; format=fixed", "a \r\nb", "a \nb"),
    ],
)
def test_flowed_text_is_joined(headers: str, body: str, text: str) -> None:
    assert text_of(headers, body.encode()) == text


IMAGE = "Content-Type: image/png; name=a.png\r\nContent-Disposition: inline\r\n\r\nAAAA"


def group(kind: str, *leaves: str) -> str:
    body = "".join(f"--{kind}\r\n{leaf}\r\n" for leaf in leaves)
    return f"Content-Type: multipart/{kind}; boundary={kind}\r\n\r\n{body}--{kind}--"


def test_alternatives_are_the_text_in_two_kinds() -> None:
    both = parts(leaf("text/plain", "yes"), leaf("text/html", "<p>yes</p>"), kind="alternative")
    assert (both.plain, both.html) == ("yes", "<p>yes</p>")


YES, NOT = leaf("text/plain", "yes"), leaf("text/plain", "not yet")
BLANK = leaf("text/plain", " \r\n")
PAGE, NOT_PAGE = leaf("text/html", "<p>yes</p>"), leaf("text/html", "<p>not yet</p>")
BLANK_PAGE = leaf("text/html", "<br>")
BOTH = group("alternative", YES, PAGE)


@pytest.mark.parametrize("kind", ["mixed", "related", "signed"])
@pytest.mark.parametrize(
    ("leaves", "plain", "page", "beside"),
    [
        ([YES, IMAGE, NOT], "yes\nnot yet", None, []),
        ([YES, NOT], "yes\nnot yet", None, []),
        ([BLANK, IMAGE, YES], "yes", None, []),
        ([YES, IMAGE, BLANK], "yes", None, []),
        ([BLANK, PAGE], None, "yes", []),
        ([BLANK, IMAGE, BLANK], " \n", None, []),
        ([BLANK_PAGE, IMAGE, PAGE], None, "yes", []),
        ([BLANK_PAGE, YES], "yes", None, []),
        ([PAGE, IMAGE, NOT_PAGE], None, "yes\nnot yet", []),
        ([PAGE, NOT], None, "yes\nnot yet", []),
        ([YES, NOT_PAGE], "yes", None, ["not yet"]),
        ([YES, PAGE, NOT], "yes\nnot yet", None, ["yes"]),
        ([BOTH, NOT], "yes\nnot yet", "yes\nnot yet", []),
        ([NOT, BOTH], "not yet\nyes", "not yet\nyes", []),
        ([NOT_PAGE, BOTH], None, "not yet\nyes", []),
        ([BOTH, NOT_PAGE], "yes", "yes", ["not yet"]),
        ([group("alternative", BLANK, PAGE), NOT], None, "yes\nnot yet", []),
        (
            [group("alternative", YES, group("related", PAGE, IMAGE, NOT_PAGE))],
            "yes",
            "yes\nnot yet",
            [],
        ),
        (
            [group("alternative", YES, group("related", PAGE, IMAGE, NOT))],
            "yes",
            "yes\nnot yet",
            [],
        ),
        ([group("alternative", YES, NOT)], "yes", None, ["not yet"]),
        ([group("alternative", PAGE, NOT_PAGE)], None, "yes", ["not yet"]),
        ([group("alternative", BLANK, YES)], "yes", None, []),
        ([leaf("text/html", "<p>yes</p><!-- <div hidden>"), NOT_PAGE], None, "yes\nnot yet", []),
        ([leaf("text/html", "<p>yes</p><textarea><style>"), NOT], None, "yes\nnot yet", []),
        ([PAGE, leaf("text/plain", "a <b> & &lt;")], None, "yes\na <b> & &lt;", []),
    ],
)
def test_parts_side_by_side_are_one_text(
    leaves: list[str], plain: str | None, page: str | None, beside: list[str], kind: str
) -> None:
    def lines(html: str) -> str:
        return "\n".join(line for line in visible_text(html).split("\n") if line.strip())

    parsed = parts(*leaves, kind=kind)
    assert parsed.plain == plain
    assert (None if parsed.html is None else lines(parsed.html)) == page
    assert [shown for html in parsed.beside if (shown := lines(html))] == beside


@pytest.mark.parametrize("attached", ["name=a", "x=y\r\nContent-Disposition: attachment"])
def test_nothing_in_an_attached_group_is_the_text(attached: str) -> None:
    inner = group("mixed", NOT, NOT_PAGE).replace(
        "boundary", f"{attached.partition(chr(13))[0]}; boundary"
    )
    if "Disposition" in attached:
        inner = "Content-Disposition: attachment\r\n" + inner
    parsed = parts(YES, inner.replace("mixed", "digest").replace("/digest", "/mixed"))
    assert (parsed.plain, parsed.html, parsed.beside) == ("yes", None, ())


def test_every_part_that_is_not_attached_can_hold_a_reference() -> None:
    names = ["one", "two", "three", "four", "five", "six"]
    kinds = ["plain", "html", "plain", "html", "calendar", "x-any"]
    parsed = parts(
        *(leaf(f"text/{kind}", f"<p>{name}") for kind, name in zip(kinds, names, strict=True))
    )
    everything = f"{parsed.plain} {parsed.html} {parsed.more_text}"
    assert all(name in everything for name in names)


ARMOUR = "-----BEGIN PGP SIGNED MESSAGE-----"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (f"{ARMOUR}\nHash: SHA256\n\nyes\n{SIGNATURE}\n", "yes\n"),
        (f"\n{ARMOUR}  \nHash: SHA256\nHash: SHA1\n\nyes\n{SIGNATURE}", "yes\n"),
        (f"{ARMOUR}\n\nyes\n- -- \n- - a\n-b\n{SIGNATURE}\n", "yes\n-- \n- a\n-b\n"),
        (f"{ARMOUR}\nHash: SHA256\n\nyes\n{SIGNATURE}\nnot yet\n", "yes\nnot yet\n"),
        (f"{ARMOUR}\nHash: SHA256\n\nyes\n", "yes\n"),
        (f"{ARMOUR}\nHash: SHA256\n\nyes\n-----BEGIN PGP SIGNATURE-----\niQEz\n", "yes\n"),
        (f"{ARMOUR}\nnot this\n\nyes\n", f"{ARMOUR}\nnot this\n\nyes\n"),
        (f"{ARMOUR}\nComment: not this\n\nyes\n", f"{ARMOUR}\nComment: not this\n\nyes\n"),
        (f"no\n{ARMOUR}\n\nyes\n", f"no\n{ARMOUR}\n\nyes\n"),
        (f"> {ARMOUR}\n\nyes\n", f"> {ARMOUR}\n\nyes\n"),
        (f"yes\n{SIGNATURE}\n", f"yes\n{SIGNATURE}\n"),
    ],
)
def test_the_frame_of_a_signed_text_is_not_the_text(text: str, inside: str) -> None:
    assert text_of("X: y", text.replace("\n", "\r\n").encode()) == inside


def test_a_signed_text_may_be_flowed() -> None:
    text = f"{ARMOUR}\n\nyes \nit is\n- -- \nBob\n{SIGNATURE}\n"
    assert text_of(FLOWED, text.encode()) == "yes it is\n-- \nBob\n"


@pytest.mark.parametrize(
    "attachment",
    [
        leaf("text/plain", "approve", "Content-Disposition: attachment"),
        leaf("text/plain", "approve", "Content-Disposition: ATTACHMENT; filename=a.txt"),
        leaf("text/plain", "approve", "Content-Disposition: inline; filename=a.txt"),
        leaf("text/plain", "approve", "Content-Disposition: inline; filename*=utf-8''a.txt"),
        leaf("text/plain; name=a.txt", "approve"),
        leaf("text/html; name=a.html", "approve"),
        leaf("message/rfc822", "From: ada@corp.test\r\n\r\napprove"),
        leaf("message/rfc822", "Content-Type: text/html\r\n\r\napprove"),
        leaf("application/octet-stream", "approve"),
        leaf("text/calendar", "approve"),
        leaf("message/delivery-status", "Action: failed\r\n\r\napprove"),
    ],
)
def test_what_is_attached_is_never_the_text(attachment: str) -> None:
    assert (parts(attachment).plain, parts(attachment).html) == (None, None)
    assert parts(attachment, leaf("text/plain", "reject")).plain == "reject"


def test_a_digest_holds_mails_of_others() -> None:
    assert parts("\r\nFrom: ada@corp.test\r\n\r\napprove", kind="digest").plain is None


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "The mail has no headers."),
        (b"\r\n\r\napprove", "The mail has no headers."),
        (b"approve", "The mail has no headers."),
        (b"\x00" * 1000, "The mail has no headers."),
        (b"Subject: x\r\n\r\napprove", "The mail has no From line."),
        (FROM + FROM + b"\r\napprove", "The mail has more than one From line."),
        (FROM + b"FROM: charlie@x.test\r\n\r\n", "The mail has more than one From line."),
        (FROM + b"X: y\rFrom: charlie@x.test\r\n\r\n", "A carriage return stands alone"),
        (b"From: a@x.test, b@x.test\r\n\r\n", "The From line does not hold exactly one"),
        (b"From: b\xc3\xb8b@corp.test\r\n\r\n", "The From line does not hold exactly one"),
        (FROM + b"no header\r\nX: y\r\n\r\napprove", "A line among the headers is not a header."),
        (FROM + b"From x y\r\nX: y\r\n\r\napprove", "A line among the headers is not a header."),
        (b" folded: x\r\n" + FROM + b"\r\napprove", "A line among the headers is not a header."),
        (FROM + b"X: y\r\n" * MAX_HEADER_BYTES, "The headers are larger than 64 KiB."),
        (FROM + b"X: " + b"y" * MAX_HEADER_BYTES, "The headers are larger than 64 KiB."),
        (MIXED + b"--b\r\n\r\n" * MAX_PARTS, f"The mail has more than {MAX_PARTS} parts."),
        (MIXED + b"--b\n\n" * 200_000, f"The mail has more than {MAX_PARTS} parts."),
        (
            MIXED + b"".join(inner(MAX_PARTS // 2, b"c%d" % i) for i in range(2)),
            f"The mail has more than {MAX_PARTS} parts.",
        ),
        (nested(MAX_DEPTH + 1), f"The parts of the mail are nested more than {MAX_DEPTH} deep."),
        (nested(3000), f"The parts of the mail are nested more than {MAX_DEPTH} deep."),
        (
            FROM + b"Content-Type: message/delivery-status\n\n" + b"\n " * 2000,
            f"A part of the mail has more than {MAX_DEFECTS} faults.",
        ),
        (MIXED + b"--b" + b"\n " * 2000, f"A part of the mail has more than {MAX_DEFECTS} faults."),
        (FROM + b"Content-Type: message/rfc822\n\n" * 3000, "The parts of the mail are nested"),
    ],
)
def test_a_malformed_mail_says_why(raw: bytes, problem: str) -> None:
    assert parse(raw).problem.startswith(problem)


def test_an_envelope_line_before_the_headers_does_no_harm() -> None:
    assert parse(b"From bob@corp.test Mon Nov  2\r\n" + FROM + b"\r\nyes").problem == ""


def test_mail_at_the_caps_is_still_read() -> None:
    assert parse(MIXED + b"--b\r\n\r\nyes\r\n" * (MAX_PARTS - 1)).plain == "\n".join(["yes"] * 49)
    assert parse(nested(MAX_DEPTH)).plain == "approve"


def test_mail_over_a_cap_still_shows_who_and_what() -> None:
    head = FROM + b"Subject: Release\r\nAuto-Submitted: auto-replied\r\nMessage-ID: <a@x.test>\r\n"
    parsed = parse(head + MIXED[len(FROM) :] + b"--b\n\n" * 1000)
    assert parsed.problem
    assert parsed.subject == "Release"
    assert parsed.message_id == "<a@x.test>"
    assert str(parsed.author) == "Bob <bob@corp.test>"
    assert parsed.automatic
    assert (parsed.plain, parsed.html) == (None, None)


def test_only_a_wrong_from_line_leaves_the_text_readable() -> None:
    assert parse(FROM + FROM + b"\r\nFM-X").plain == "FM-X"


BIG = b"A" * (2 * MAX_BYTES)


@pytest.mark.parametrize(
    ("raw", "plain", "missing"),
    [
        (FROM + b"\r\nyes\r\nmore", "yes", False),
        (FROM + b"\r\nyes", "", True),
        (FROM + b"\r\n", "", True),
        (FROM, "", True),
        (FROM + FLOWED.encode() + b"\r\n\r\na\r\nyes \r\nmore \r\n", "a", False),
        (MIXED + b"--b\r\n\r\nyes\r\n--b\r\nContent-Type: image/png\r\n\r\nAAAA", "yes", False),
        (MIXED + b"--b\r\nContent-Type: image/png\r\n\r\nAAAA", None, True),
        (MIXED + b"--b\r\nContent-Type: image/png\r\n\r\nA\r\n--b\r\n\r\nyes but", "", True),
        (MIXED + b"--b\r\nContent-Type: text/html\r\n\r\n<p>yes", None, True),
        (
            FROM + b"Content-Transfer-Encoding: quoted-printable\r\n\r\na\r\nyes =\r\nbut=\r\n",
            "a",
            False,
        ),
    ],
)
def test_of_a_mail_cut_by_the_fetch_only_whole_lines_count(
    raw: bytes, plain: str | None, missing: bool
) -> None:
    parsed = parse(raw, partial=True)
    assert (parsed.plain, parsed.text_missing) == (plain, missing)
    assert not parse(raw).text_missing


@pytest.mark.parametrize(
    ("raw", "plain", "html", "beside"),
    [
        (YES + "\r\n--b\r\n" + NOT + "\r\nan", "yes\nnot yet", None, ()),
        (YES + "\r\n--b\r\n" + NOT_PAGE, "yes", None, ("<p>not yet</p>",)),
        (PAGE + "\r\n--b\r\n" + NOT_PAGE, None, "<p>yes</p>", ("<p>not yet</p>",)),
    ],
)
def test_a_torn_part_can_still_say_not_to(
    raw: str, plain: str | None, html: str | None, beside: tuple[str, ...]
) -> None:
    parsed = parse(MIXED + b"--b\r\n" + raw.encode(), partial=True)
    assert (parsed.plain, parsed.html, parsed.beside) == (plain, html, beside)


def test_html_before_the_cut_counts() -> None:
    raw = (
        MIXED
        + b"--b\r\nContent-Type: text/html\r\n\r\n<p>yes\r\n--b\r\nContent-Type: image/png\r\n\r\nA"
    )
    assert parse(raw, partial=True).html == "<p>yes"


def test_bytes_over_the_cap_count_as_not_fetched() -> None:
    attached = b"Content-Type: image/png\r\n\r\n" + BIG
    first = parse(MIXED + b"--b\r\n\r\nyes\r\n--b\r\n" + attached)
    assert (first.plain, first.text_missing, first.problem) == ("yes", False, "")
    last = parse(MIXED + b"--b\r\n" + attached + b"\r\n--b\r\n\r\nyes\r\n--b--")
    assert (last.plain, last.text_missing, last.problem) == (None, True, "")


@pytest.mark.parametrize(
    "raw",
    [
        FROM + b"\n" + b"\n" * MAX_BYTES,
        MIXED + b"--b\n" + b"a:\n" * 340_000,
        MIXED + b"--b\na:" + b"\n a" * 340_000,
        FROM + b'Content-Type: text/plain; "' + b";" * 60_000 + b"\n\nx",
        FROM + b"Content-Type: text/plain; name*" + b"9" * 5000 + b"=x\n\nx",
        FROM + b"Content-Type: text/plain; charset*0*=\x00''%\n\nx",
        FROM + b"Content-Type: multipart/mixed; boundary*=\xff''%ff\n\n--\n\nx",
        FROM + b"Content-Transfer-Encoding: \xff\nContent-Type: \xff/\xff\n\nx",
        FROM + b"Content-Disposition: \xff; filename*=%\n\nx",
        FROM + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 666 x\n" + b"M" * MAX_BYTES,
        FROM + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * MAX_BYTES,
        FROM + FLOWED.encode() + b"\n\n" + b"a \n" * 340_000,
        FROM + FLOWED.encode() + b"; delsp=yes\n\n" + b">" * 900_000,
        FROM + b"References: " + b"<a" * 30_000 + b"\n\nx",
        FROM + b"Subject: " + b"=?a?q?" * 10_000 + b"\n\nx",
        b"From: " + b"(" * 60_000 + b"\n\nx",
        b"From: " + b"\n " * 30_000 + b"\n\nx",
        FROM + b"Content-Type: message/delivery-status\n\n" + b"\n " * (MAX_BYTES // 2),
        MIXED + b"--b" + b"\n " * (MAX_BYTES // 2),
    ],
)
def test_hostile_mail_is_read_or_says_why_not(raw: bytes) -> None:
    parsed = parse(raw)
    assert parsed.problem or parsed.author


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_make_the_parser_raise(tail: bytes, partial: bool) -> None:
    for head in (b"", FROM, FROM + b"\r\n", MIXED, FROM + b"Content-Type: ", b"From: "):
        assert isinstance(parse(head + tail, partial=partial), Parsed)


@pytest.mark.parametrize(
    "line",
    [
        b"X-Note: a\rFrom: bob@corp.test",
        b"X-Note: a\rAuthentication-Results: mx.corp.test; dmarc=pass header.from=corp.test",
        b"X-Note: a\r\rApprove",
        b"X-Note: a\r\r\nX-Other: b",
    ],
)
def test_a_carriage_return_alone_among_the_headers_makes_a_mail_malformed(line: bytes) -> None:
    raw = b"From: charlie@evil.test\r\n" + line + b"\r\nSubject: Re\r\n\r\nApprove\r\n"
    parsed = parse(raw)
    assert parsed.problem == "A carriage return stands alone among the headers."
    assert parsed.plain is None


def test_a_carriage_return_alone_in_the_text_is_a_line_end() -> None:
    parsed = parse(b"From: bob@corp.test\r\n\r\nApprove\rfine\r\n")
    assert (parsed.problem, parsed.plain) == ("", "Approve\nfine\n")
