"""A glance at headers: what they point at, in whatever way programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest

from flexmail.mail.glance import Glance, date_of, glance, sender_of

OURS = "<fm-abcdefghijklmnopqrstuvwxyz@corp.test>"


@pytest.mark.parametrize(
    ("head", "ids", "tags"),
    [
        (b"", (), ()),
        (b"Subject: Re: Deploy [FM #12]\r\n\r\n", (), (12,)),
        (b"SUBJECT: AW: Deploy\r\n [FM\r\n #12]\r\n\r\n", (), (12,)),
        (b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_[FM_#7]?=\r\n\r\n", (), (7,)),
        (b"Subject: =?utf-8?B?w5xiZXIgW0ZN?=\r\n =?utf-8?B?ICM3XQ==?=\r\n\r\n", (), (7,)),
        (b"Subject: [FM #1] [FM #2] [FM #1]\r\n\r\n", (), (1, 2)),
        (b"Subject: [FM #0] [FM #-1] [FM #12345678901] [fm #3] FM #4\r\n\r\n", (), ()),
        (f"In-Reply-To: {OURS}\r\n\r\n".encode(), (OURS,), ()),
        (f"References: <a@b>\r\n\t{OURS}\r\n <c@d>\r\n\r\n".encode(), (OURS,), ()),
        (f"X-Other: {OURS}\r\nSubject: {OURS}\r\n\r\n".encode(), (), ()),
        (b"In-Reply-To: <fm-short@corp.test>\r\n\r\n", (), ()),
        (b"\xff\xfe: \x00\r\nSubject\r\n:\r\n \r\n", (), ()),
    ],
)
def test_a_glance_tells_what_a_mail_answers(
    head: bytes, ids: tuple[str, ...], tags: tuple[int, ...]
) -> None:
    assert glance(head) == Glance(ids, tags)


def test_a_mail_that_names_thousands_costs_little_and_names_few() -> None:
    tags = b" ".join(b"[FM #%d]" % number for number in range(1, 3000))
    threads = b" ".join(b"<fm-%026d@x>" % 0 for _ in range(3000)).replace(b"0", b"a")
    words = b"=?utf-8?Q?" * 800
    began = process_time()
    for head in (tags, threads, words, b"(" * 8000, b"\r\n " * 4000, b"a:" * 4000):
        for name in (b"Subject", b"References", b"From", b"Date"):
            raw = name + b": " + head + b"\r\n\r\n"
            found = glance(raw)
            assert len(found.tags) <= 10
            assert len(found.message_ids) <= 20
            sender_of(raw)
            date_of(raw)
    assert process_time() - began < 2


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        ("Ada <ada@corp.test>", "ada@corp.test"),
        ("ADA@Corp.Test", "ada@corp.test"),
        ('"boss@corp.test" <charlie@evil.test>', "charlie@evil.test"),
        ("nobody", ""),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_the_sender_is_shown_as_a_plain_address(value: str, sender: str) -> None:
    assert sender_of(f"From: {value}\r\n\r\n".encode()) == sender


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Mon, 05 Oct 2026 23:05:00 -0700", datetime(2026, 10, 6, 6, 5, tzinfo=UTC)),
        ("5 Oct 2026 23:05:00", datetime(2026, 10, 5, 23, 5, tzinfo=UTC)),
        ("Mon, 05 Oct 2026 23:05:00 +9999", None),
        ("yesterday", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Mon, 99 Oct 2026 99:99:99 +0000", None),
        ("", None),
    ],
)
def test_a_date_is_read_or_left_out(value: str, moment: datetime | None) -> None:
    assert date_of(f"Date: {value}\r\n\r\n".encode()) == moment
