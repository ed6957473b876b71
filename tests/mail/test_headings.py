"""Headers of answered mails, titles and lines drawn: what stands between an answer and history."""

from __future__ import annotations

import pytest

from flexmail.mail.quote import own_lines

BLOCKS = [
    "From: Ada <ada@corp.test>\nSent: Monday\nTo: Bob\nSubject: PO",
    "**From:** Ada <ada@corp.test>\n**Sent:** 2 November 2026\n**To:** Bob",
    "*From: *Ada\n*To: *Bob\n*Sent: *Monday",
    "From:\tAda\nTo:\tBob\nDate:\t02.11.2026 09:14",
    " From: Ada\n To: Bob",
    "From: Ada <ada@corp.test>",
    "From: Ada [mailto:ada@corp.test]",
    "From: Ada <ada@corp.test> On Behalf Of Corp\nSent: Monday",
    "From: Ada <ada@corp.test> Sent: Monday, November 2, 2026 9:14 AM To: Bob Subject: PO",
    "From: Ada\n\nSent: Monday\n\nTo: Bob\n\nSubject: PO",
    "Date: Mon, 2 Nov 2026 09:14:00 +0100\nFrom: ada@corp.test\nTo: bob@corp.test",
    "From: ada@corp.test\nReply-To: x@corp.test",
    "To: Bob\nFrom: Ada",
    "From: ada@corp.test",
    "Date: Wed, 2 Nov 2026 09:14:00 -0600\nTo: bob@corp.test",
    "Date: Tue, 2 Nov 2026 09:14:00 +0000 From: ada@corp.test To: Bob Subject: PO",
    "From: Ada [mailto:\nada@corp.test]\nSent: Wednesday, 2 November 2026\nTo: bob@corp.test",
    "Från: Ada <ada@corp.test>\nDatum: måndag 2 november 2026\nTill: Bob",
    "Von: Ada <ada@corp.test> \nGesendet am: 02.11.2026\nAn: Bob",
    "De : Ada <ada@corp.test>\nEnvoyé : lundi\nÀ : Bob Objet : PO",
    "De la: Ada\nTrimis: luni, 2 noiembrie 2026\nCătre: Bob\nSubiect: PO",
    "Šalje: Ada\nDatum: 2.11.2026\nPrima: Bob\nPredmet: PO",
    "Pošiljatelj: Ada\nPoslano: 2.11.2026\nZa: Bob\nZadeva: PO",
    "От: Ada\nИзпратено: 2.11.2026\nДо: Bob\nОтносно: PO",
    "Від: Ada\nНадіслано: 2 листопада\nКому: Bob\nТема: PO",
    "Από: Ada\nΣτάλθηκε: Δευτέρα, 2 Νοεμβρίου 2026\nΠρος: Bob\nΘέμα: PO",
    "Kimden: Ada\nGönderildi: 2 Kasım 2026 Pazartesi\nKime: Bob\nKonu: PO",
    "מאת: Ada\nנשלח: יום שני 02 נובמבר 2026\nאל: Bob\nנושא: PO",
    "\u200fמאת:\u200f Ada\n\u200fנשלח:\u200f 02 נובמבר 2026\n\u200fאל:\u200f Bob",
    "من: Ada\nتم الإرسال: 2 نوفمبر 2026\nإلى: Bob\nالموضوع: PO",
    "از: Ada\nتاریخ: ۲ نوامبر ۲۰۲۶\nبه: Bob\nموضوع: PO",
    "Saatja: Ada\nSaadetud: 2. november 2026\nAdressaat: Bob\nTeema: PO",
    "Nuo: Ada\nIšsiųsta: 2026-11-02\nKam: Bob\nTema: PO",
    "Từ: Ada\nĐã gửi: 2/11/2026\nĐến: Bob\nChủ đề: PO",
    "Dari: Ada\nTerkirim: 2/11/2026\nKepada: Bob\nSubjek: PO",
    "จาก: Ada\nส่ง: 2/11/2026\nถึง: Bob\nเรื่อง: PO",
    "보낸 사람: Ada\n보낸 날짜: 2026년 11월 2일\n받는 사람: Bob\n제목: PO",
    "發件人: Ada\n發送時間: 2026年11月2日\n收件人: Bob\n主旨: PO",
    "寄件者: Ada\n寄件日期: 2026年11月2日\n收件者: Bob\n主旨: PO",
    "Feladó: Ada\nElküldve: 2026. november 2.\nCímzett: Bob\nTárgy: PO",
    "Od: Ada\nOdoslané: 2. 11. 2026\nKomu: Bob\nPredmet: PO",
]
# Of no language that is listed: four labels, an address and a date, below a blank line.
UNKNOWN = [
    "Gan: Ada <ada@corp.test>\nAnfonwyd: 02/11/2026 09:14\nAt: Bob\nPwnc: PO",
    "Kutoka: ada@corp.test\nImetumwa: 2 Nov 2026\nKwa: bob@corp.test\nMada: PO",
]
LINES = [
    "-----Original Message-----",
    "----- Original Message -----",
    "*----- Original Message -----*",
    "-- Original Message --",
    "Original Message",
    "Original message:",
    "------ Original Message ------",
    "------- Original Message -------",
    "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐",
    "--- Original Message ---",
    "-------- Original message --------",
    "-------- Ursprüngliche Nachricht --------",
    "-------- Pôvodná správa --- Original Message --------",
    "------------------ 原始邮件 ------------------",
    "------------------&nbsp;Original&nbsp;------------------".replace("&nbsp;", "\u00a0"),
    "———— Original Message ————",
    "―――――――― Původní zpráva ――――――――",
    "________________________________",
    "_______________________________________________",
    "***************************",
    "* * *",
    "─────────────────────",
    "════════",
    "――――――――",
    "#####################",
    "##- Please type your reply above this line -##",
    "Begin forwarded message:",
    "Začátek přeposílané zprávy:",
    "-------- Message transféré --------",
]


def above(text: str) -> str:
    return "\n".join(own_lines(text).lines).strip()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_header_of_another_mail_ends_the_authors_words(block: str) -> None:
    assert above(f"Approve\nfine\n\n{block}\n\nApprove") == "Approve\nfine"
    assert above(f"Approve\nfine\n{block}\nApprove") == "Approve\nfine"
    assert above(f"{block}\n\nApprove") == ""


@pytest.mark.parametrize("block", UNKNOWN)
def test_a_header_in_any_language_ends_the_authors_words_but_does_not_begin_them(
    block: str,
) -> None:
    assert above(f"Approve\nfine\n\n{block}\n\nApprove") == "Approve\nfine"
    assert above(f"Rejected: too dear\n{block}") == f"Rejected: too dear\n{block}"
    assert above(block) == block


def test_a_word_with_a_colon_is_the_authors_though_a_header_follows_at_once() -> None:
    header = "From: Ada\nSent: 2 November 2026\nTo: bob@corp.test\nSubject: PO"
    assert above(f"Rejected: too dear\n{header}") == "Rejected: too dear"
    assert above(f"Rejected: too dear\nBob\n{header}") == "Rejected: too dear\nBob"


@pytest.mark.parametrize("line", LINES)
def test_a_title_or_a_line_drawn_ends_the_authors_words(line: str) -> None:
    assert above(f"Approve\nfine\n\n{line}\n\nApprove") == "Approve\nfine"
    assert above(f"{line}\nApprove") == ""


@pytest.mark.parametrize(
    "text",
    [
        "From: here\n\nTo: there",
        "To: do\nSubject: to change",
        "From Ada: we need two",
        "Date: 3 May 2026\nPlace: here",
        "Budget: 4711\nCost centre: 4712\nOwner: Ada\nYear: 2026",
        "Contact: ada@corp.test\nBudget: 2026",
        "From: one of ours\nTo: one of theirs".replace("\n", " "),
        "Date: 3 May 2026\nTo: decide with ada",
        "Re: the second quote",
        "The original message said two",
        "Original message is lost",
        "-- Bob",
        "- one\n- two",
        "* one\n* two",
        "a ** b",
        "#1 and #2",
        "...",
        "??",
        "1) yes\n2) fine",
    ],
)
def test_what_an_author_may_write_is_no_heading(text: str) -> None:
    assert above(f"Approve\n{text}") == f"Approve\n{text}"
