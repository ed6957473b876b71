"""Where the author's words end, as clients in many languages mark it."""

from __future__ import annotations

import pytest

from flexmail.mail.quote import own_lines


def above(text: str) -> str:
    return "\n".join(own_lines(text).lines).strip()


@pytest.mark.parametrize(
    "attribution",
    [
        "On Mon, 2 Nov 2026 at 09:14, Ada <ada@corp.test> wrote:",
        "On Nov 2, 2026, at 9:14 AM, Ada <ada@corp.test> wrote:",
        "On Nov 2, 2026, at 9:14 AM, Ada <ada@corp.test> wrote",
        "On 02.11.2026 09:14, Ada wrote:",
        "On Mon, 2 Nov 2026 at 09:14, Ada <\nada@corp.test> wrote:",
        "On Nov 2, 2026,\nat 9:14,\nAda <ada1@corp.test>\nwrote:",
        "On 2026-11-02 09:14 Ada you wrote:",
        "--- On Mon, 2/11/26, Ada <ada@corp.test> wrote:",
        "---- On Mon, 2 Nov 2026 09:14:00 +0100 ada@corp.test wrote ----",
        "2026-11-02 9:14 GMT+01:00 Ada <ada@corp.test>:",
        "Monday, 2 November 2026, 9:14 AM +0300 from ada@corp.test <ada@corp.test>:",
        '9:14 AM, November 2, 2026, "Ada" <ada@corp.test>:',
        "Am Mo., 2. Nov. 2026 um 09:14 Uhr schrieb Ada <ada@corp.test>:",
        "Am 02.11.26 um 09:14 schrieb Ada:",
        "Le lun. 2 nov. 2026 à 09:14, Ada <ada@corp.test> a écrit :",
        "Le lun. 2 nov. 2026 à 09:14, Ada <ada@corp.test>\na écrit\u00a0:",
        "El lun, 2 nov 2026 a las 9:14, Ada (<ada@corp.test>) escribió:",
        "El 2/11/26 a las 9:14, Ada escribió:",
        "Il giorno lun 2 nov 2026 alle ore 09:14 Ada <ada@corp.test> ha scritto:",
        'In data 2 novembre 2026 09:14:00 "Ada" <ada@corp.test> ha scritto:',
        "Op ma 2 nov 2026 om 09:14 schreef Ada <ada@corp.test>:",
        "Em seg., 2 de nov. de 2026 às 09:14, Ada <ada@corp.test> escreveu:",
        "Den man. 2. nov. 2026 kl. 09.14 skrev Ada <ada@corp.test>:",
        "man. 2. nov. 2026 kl. 09:14 skrev Ada <ada@corp.test\n>:",
        "Den mån 2 nov. 2026 kl 09:14 skrev Ada <ada@corp.test>:",
        "ma 2. marrask. 2026 klo 9.14 Ada (ada@corp.test) kirjoitti:",
        "pon., 2 lis 2026 o 09:14 Ada <ada@corp.test> napisał(a):",
        "W dniu 2.11.2026 o 09:14, Ada pisze:",
        "po 2. 11. 2026 v 9:14 odesílatel Ada <ada@corp.test> napsal:",
        "Dne 2. 11. 2026 v 9:14 Ada napsal(a):",
        "пн, 2 нояб. 2026 г. в 09:14, Ada <ada@corp.test>:",
        "02.11.2026 9:14, Ada пишет:",
        "2 листопада 2026 р. о 09:14 Ada <ada@corp.test> написав:",
        "2026. 11. 02. 9:14 keltezéssel, Ada írta:",
        "2026年11月2日(月) 9:14 Ada <ada@corp.test>:",
        "2026/11/02 9:14、Ada <ada@corp.test>のメール:",
        "Ada <ada@corp.test> 于2026年11月2日周一 09:14写道：",
        "在 2026年11月2日，09:14，Ada <ada@corp.test> 写道：",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_an_attribution_ends_the_authors_words(attribution: str, gap: str) -> None:
    assert above(f"Approve\nfine{gap}{attribution}\n\nApprove") == "Approve\nfine"
    assert above(f"{attribution}\n\nApprove") == ""


@pytest.mark.parametrize(
    "header",
    [
        "From: Ada <ada@corp.test>\nSent: Monday\nTo: Bob\nSubject: PO",
        "*From:* Ada\n*Sent:* Monday",
        "From: Ada\n<ada@corp.test>\nSent: Monday",
        "Date: Mon, 2 Nov 2026\nSubject: PO\nFrom: ada@corp.test",
        "Von: Ada\nGesendet: Montag\nAn: Bob\nBetreff: PO",
        "De : Ada\nEnvoyé le : lundi\nÀ : Bob\nObjet : PO",
        "De: Ada\nEnviado el: lunes\nPara: Bob\nAsunto: PO",
        "De: Ada\nEnviada em: segunda\nPara: Bob\nAssunto: PO",
        "Da: Ada\nInviato: lunedì\nA: Bob\nOggetto: PO",
        "Van: Ada\nVerzonden: maandag\nAan: Bob\nOnderwerp: PO",
        "Fra: Ada\nSendt: mandag\nTil: Bob\nEmne: PO",
        "Från: Ada\nSkickat: måndag\nTill: Bob\nÄmne: PO",
        "Lähettäjä: Ada\nLähetetty: maanantai\nVastaanottaja: Bob\nAihe: PO",
        "Od: Ada\nWysłano: poniedziałek\nDo: Bob\nTemat: PO",
        "Od: Ada\nOdesláno: pondělí\nKomu: Bob\nPředmět: PO",
        "От: Ada\nОтправлено: понедельник\nКому: Bob\nТема: PO",
        "差出人: Ada\n送信日時: 2026年11月2日\n宛先: Bob\n件名: PO",
        "发件人： Ada\n发送时间： 2026年11月2日\n收件人： Bob\n主题： PO",
        "-----Original Message-----",
        "----- Original Message -----",
        "-----Ursprüngliche Nachricht-----",
        "-------- Message d'origine --------",
        "---------- Forwarded message ---------",
        "-----元のメッセージ-----",
        "________________________________",
        " ------------------------------",
        "========================================",
        "Begin forwarded message:",
        "******* Please do not change anything below this line. *******",
        "Reference: FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "-- ",
        "--",
    ],
)
def test_a_heading_or_a_line_drawn_ends_the_authors_words(header: str) -> None:
    assert above(f"Approve\nfine\n{header}\n\nApprove") == "Approve\nfine"
    assert above(f"{header}\n\nApprove") == ""


@pytest.mark.parametrize(
    "signature",
    [
        "Sent from my iPhone",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
        "Verzonden vanaf mijn iPhone",
        "Sendt fra min iPhone",
        "Skickat från min iPhone",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Отправлено с iPhone",
        "iPhoneから送信",
        "发自我的 iPhone",
    ],
)
def test_what_a_client_signs_with_is_not_the_authors(signature: str) -> None:
    assert above(f"Approve\nfine\n\n{signature}\nApprove") == "Approve\nfine"
    assert above(f"{signature}\n\nApprove") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Approve\nOn 3 May we need it here",
        "Approve\nOn the other hand: fine",
        "Approve\nBob wrote to me",
        "Approve\nAs Bob wrote on 3 May:\nbuy two",
        "Approve\nthe date: 3 May 2026\nthe place: here",
        "Approve\nFrom: here\n\nTo: there",
        "Approve\nPlease write to ada@corp.test:\nshe knows",
        "Approve\na - b - c",
        "Approve\n* one\n* two",
        "Approve\n-- Bob",
        "Approve\n5 > 3",
        "Approve\nSent with the wrong VAT",
        "Approve\nReference: 4711",
    ],
)
def test_what_only_looks_like_a_heading_stays_with_the_author(text: str) -> None:
    assert above(text) == text


def test_an_answer_below_one_quote_is_marked_as_such() -> None:
    own = own_lines("> one\n>\n\n> two\n\nApprove\nfine\n-- \nBob")
    assert own.under_quote
    assert own.lines == ("Approve", "fine")


def test_an_answer_above_a_quote_wins() -> None:
    own = own_lines("Reject\n> one\n\nApprove")
    assert not own.under_quote
    assert own.lines == ("Reject",)
