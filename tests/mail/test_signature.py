"""Signatures: what is marked as one, what a client signs with, what a lawyer has added."""

from __future__ import annotations

import pytest

from flexmail.mail.quote import own_lines

CLIENTS = [
    "Sent from my iPad",
    "(Sent from my phone)",
    "<<sent by galaxy>>",
    "*Sent from my Galaxy*",
    "[Sent from Yahoo Mail for iPhone](https://yho.com/footer0)",
    "Sent from Yahoo Mail on Android",
    "Sent from Outlook for Android<https://aka.ms/AAb9ysg>",
    "Sent from Mail for Windows",
    "Sent from Proton Mail for iOS",
    "Sent with Spark",
    "Get Outlook for Android",
    "Get BlueMail for Android",
    "From my iPhone",
    "Gesendet von Outlook für Android<https://aka.ms/AAb9ysg>",
    "Gesendet mit der GMX Mail App",
    "Von meinem Samsung Galaxy gesendet.",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "Envoyé depuis mon téléphone",
    "Obtenez Outlook pour Android<https://aka.ms/AAb9ysg>",
    "Télécharger Outlook pour iOS",
    "Enviado desde Outlook para Android",
    "Obtener Outlook para iOS",
    "Enviado via iPhone",
    "Obter o Outlook para Android",
    "Inviato da Outlook per iOS",
    "Ottieni Outlook per Android",
    "Verzonden vanuit Outlook voor iOS",
    "Outlook voor Android downloaden",
    "Sendt fra Outlook til Android",
    "Hent Outlook til iOS",
    "Skickat från Outlook för Android",
    "Hämta Outlook för iOS",
    "Lähetetty Outlook for Androidista",
    "Wysłane z aplikacji Outlook",
    "Pobierz aplikację Outlook dla systemu Android",
    "Odesláno z aplikace Seznam Email",
    "Odoslané z iPhonu",
    "Poslano s mojega iPhone",
    "Trimis de pe iPhone-ul meu",
    "Изпратено от моя iPhone",
    "Отправлено из мобильной Почты Mail",
    "Надіслано з iPhone",
    "Elküldve az iPhone-omról",
    "Στάλθηκε από το iPhone μου",
    "iPhone'umdan gönderildi",
    "iPhoneから送信",
    "나의 iPhone에서 보냄",
    "내 iPhone에서 보냄",
    "发自我的iPhone",
    "從我的 iPhone 傳送",
    "来自我的华为手机",
    "Enviat des del meu iPhone",
    "Được gửi từ iPhone của tôi",
    "Dikirim dari iPhone saya",
    "ส่งจาก iPhone ของฉัน",
    "נשלח מה-iPhone שלי",
    "\u200fنشلح".replace("نشلح", "أُرسلت من الـ iPhone"),
]
DISCLAIMERS = [
    "This e-mail and any attachments are confidential and intended solely for Bob.",
    "This message (including any attachments) may be privileged. If you are not\nthe intended "
    "recipient please delete it.",
    "CONFIDENTIALITY NOTICE: The contents of this email are intended only for Bob.",
    "*Disclaimer*: this mail is confidential",
    "The information contained in this communication is confidential.",
    "Please consider the environment before printing this e-mail.",
    "Virus-free.www.avast.com",
    "This email has been checked for viruses by Avast antivirus software.",
    "Diese E-Mail enthält vertrauliche Informationen.",
    "Der Inhalt dieser E-Mail ist vertraulich.",
    "Virenfrei.www.avast.com",
    "Ce message et toutes les pièces jointes sont confidentiels.",
    "Garanti sans virus. www.avast.com",
    "Este mensaje y sus adjuntos son confidenciales.",
    "Esta mensagem pode conter informação confidencial.",
    "Questo messaggio contiene informazioni riservate.",
    "Dit bericht kan vertrouwelijke informatie bevatten.",
    "Denne e-mail kan indeholde fortrolige oplysninger.",
    "Detta meddelande kan innehålla konfidentiell information.",
    "Tämä viesti saattaa sisältää luottamuksellista tietoa.",
    "Niniejsza wiadomość zawiera informacje poufne.",
    "Tato zpráva může obsahovat důvěrné informace.",
    "Это сообщение содержит конфиденциальную информацию.",
    "Bu e-posta gizli bilgiler içerebilir.",
    "本邮件及其附件含有保密信息",
]


def above(text: str) -> str:
    return "\n".join(own_lines(text).lines).strip()


@pytest.mark.parametrize("signature", [*CLIENTS, *DISCLAIMERS])
def test_what_a_machine_or_a_lawyer_adds_is_not_the_authors(signature: str) -> None:
    assert above(f"Approve\nfine\n\n{signature}\n\nApprove") == "Approve\nfine"
    assert above(f"{signature}\n\nApprove") == ""


@pytest.mark.parametrize(
    "signature",
    [
        "Sent from my iPhone",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Enviado desde mi iPhone",
    ],
)
def test_a_sure_signature_needs_no_blank_line_above(signature: str) -> None:
    assert above(f"Approve\nfine\n{signature}") == "Approve\nfine"


@pytest.mark.parametrize(
    "text",
    [
        "Sent with the wrong VAT",
        "This message is for Ada too",
        "This e-mail was late, sorry",
        "The information in the contract is outdated",
        "Confidential until Monday",
        "Disclaimer accepted",
        "From my side all is fine",
        "내일 주문해 주세요",
        "来自供应商的报价太高",
        "- Bob",
    ],
)
def test_what_an_author_writes_is_no_signature(text: str) -> None:
    assert above(f"Approve\n{text}") == f"Approve\n{text}"
    if not text.startswith("Sent"):
        assert above(f"Approve\n\n{text}") == f"Approve\n\n{text}"
