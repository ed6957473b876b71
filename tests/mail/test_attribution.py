"""Lines that introduce a quote, in the wording of mail clients in the languages of their users."""

from __future__ import annotations

import pytest

from flexmail.mail.attribution import attribution_start
from flexmail.mail.quote import own_lines

MARKED = "\u202b", "\u202c", "\u202a", "\u200f"  # how Gmail embeds names in lines of Hebrew
RIGHT, POP, LEFT, MARK = MARKED

# Each stands above history that nothing marks, or above a quote: both must be enough.
WORDINGS = [
    # Gmail
    "În lun., 2 nov. 2026 la 09:14, Ada <ada@corp.test> a scris:",
    "На пн, 2.11.2026 г. в 9:14 Ada <ada@corp.test> написа:",
    "пон, 2. нов 2026. у 09:14 Ada <ada@corp.test> је написао/ла:",
    "pon, 2. stu 2026. u 09:14 Ada <ada@corp.test> napisao je:",
    "V V pon., 2. nov. 2026 ob 09:14 je oseba Ada <ada@corp.test> napisala:",
    "Στις Δευ 2 Νοε 2026 στις 9:14 π.μ., ο χρήστης Ada <ada@corp.test> έγραψε:",
    "Ada <ada@corp.test>, 2 Kas 2026 Pzt, 09:14 tarihinde şunu yazdı:",
    f"{RIGHT}בתאריך יום ב׳, 2 בנוב׳ 2026 ב-9:14 מאת {LEFT}Ada{POP}{MARK} "
    f"<{LEFT}ada@corp.test{POP}{MARK}>:{POP}",
    f"{RIGHT}في الاثنين، 2 نوفمبر 2026 في 9:14 ص تمت كتابة ما يلي بواسطة {LEFT}Ada{POP}{MARK} "
    f"<{LEFT}ada@corp.test{POP}{MARK}>:{POP}",
    "در تاریخ دوشنبه ۲ نوامبر ۲۰۲۶،\u200f ۹:۱۴ Ada <ada@corp.test> نوشت:",
    "सोम, 2 नव॰ 2026 को 9:14 am बजे को Ada <ada@corp.test> ने लिखा:",
    "เมื่อ จ. 2 พ.ย. 2026 เวลา 09:14 Ada <ada@corp.test> เขียนว่า:",
    "Vào Th 2, 2 thg 11, 2026 vào lúc 09:14 Ada <ada@corp.test> đã viết:",
    "Pada tanggal Sen, 2 Nov 2026 pukul 09.14 Ada <ada@corp.test> menulis:",
    "2026년 11월 2일 (월) 오전 9:14, Ada <ada@corp.test>님이 작성:",
    "2026-11-02, pr, 09:14 Ada <ada@corp.test> rašė:",
    "pirmd., 2026. g. 2. nov., plkst. 09:14 — lietotājs Ada (<ada@corp.test>) rakstīja:",
    "Kuupäev E, 2. november 2026 kell 09:14 kirjutas Ada <ada@corp.test>:",
    "Missatge de Ada <ada@corp.test> del dia dl., 2 de nov. 2026 a les 9:14:",
    "Ada igorleak (ada@corp.test) hau idatzi zuen (2026 aza. 2, al. (09:14)):",
    "O luns, 2 de nov. de 2026 ás 09:14, Ada (<ada@corp.test>) escribiu:",
    "mán., 2. nóv. 2026 kl. 09:14 skrifaði Ada <ada@corp.test>:",
    "Ada <ada@corp.test> 於 2026年11月2日 週一 上午9:14寫道：",
    "Ada <ada@corp.test> schrieb am Mo., 2. Nov. 2026, 09:14:",
    "Ada <ada@corp.test> escreveu no dia segunda, 2/11/2026 à(s) 09:14:",
    "2026/11/02 Ada <ada@corp.test>",
    "2026-11-02 9:14 GMT+01:00 Ada Byron",
    "2026-11-02 9:14 GMT+01:00 Ada:",
    # Thunderbird and Outlook, which may give a name only
    "La 02.11.2026 09:14, Ada a scris:",
    "На 2.11.2026 г. в 9:14, Ada написа:",
    "02.11.2026. u 09:14, Ada je napisao/la:",
    "Ada je 2.11.2026 ob 09:14 napisal:",
    "Στις 2/11/2026 9:14 π.μ., ο/η Ada έγραψε:",
    "2.11.2026 09:14 tarihinde Ada yazdı:",
    "02.11.2026 09:14 Ada kirjutas:",
    "2026-11-02 09:14, Ada rašė:",
    "2026/11/02 09:14(e)an, Ada igorleak idatzi zuen:",
    "O 02/11/26 ás 09:14, Ada escribiu:",
    "Þann 2.11.2026 09:14, skrifaði Ada:",
    "El 2/11/26 a les 9:14, Ada ha escrit:",
    "Ar 02/11/2026 09:14, ysgrifennodd Ada:",
    "Ar 02/11/2026 09:14, scríobh Ada:",
    "Den 02.11.2026 09:14, skreiv Ada:",
    "Më 2.11.2026, 9:14, Ada shkroi:",
    "على 02/11/2026 09:14، كتب Ada:",
    "בתאריך 02/11/2026 09:14, Ada כתב:",
    "2026-11-02 오전 9:14에 Ada 이(가) 쓴 글:",
    "Ada 於 2026/11/2 上午 09:14 寫道:",
    "Ada 写于 2026/11/2 9:14:",
    "Vào 02/11/2026 09:14, Ada đã viết:",
    "Às 09:14 de 02/11/2026, Ada escreveu:",
    "02.11.2026 09:14, Ada піша:",
    "Pada 02/11/26 09.14, Ada menulis:",
    "Op 02-11-2026 om 09:14, skreau Ada:",
    "Ada wrote on 02/11/2026 09:14:",
    "Ada schrieb am 02.11.2026 um 09:14:",
    "Ada a écrit le 02/11/2026 09:14 :",
    "Ada ha scritto il 02/11/2026 alle 09:14:",
    "Ada napsal(a) dne 2.11.2026 v 9:14:",
    'Den 2 november 2026 09:14 skrev "Ada" följande:',
    "Ada skrev følgende den 02.11.2026 09:14:",
    # Apple Mail
    "Op 2 nov. 2026, om 09:14 heeft Ada het volgende geschreven:",
    "Op 2 nov. 2026 om 09:14 heeft Ada <ada@corp.test> het volgende geschreven:",
    "Wiadomość napisana przez Ada w dniu 2 lis 2026, o godz. 09:14:",
    "2. 11. 2026 v 9:14, Ada <ada@corp.test>:",
    "Ada írta (2026. 11. 2. dátummal, 9:14 időpontban):",
    "2 нояб. 2026 г., в 9:14, Ada написал(а):",
    "Ada şunları yazdı (2 Kas 2026 09:14):",
    "2 Νοε 2026, 9:14 π.μ., ο χρήστης «Ada» έγραψε:",
    "ב-2 בנוב׳ 2026, בשעה 9:14, Ada כתב/ה:",
    "2 лист. 2026 р. о 09:14 Ada пише:",
    "2026. 11. 2. 오전 9:14, Ada 작성:",
    "2026/11/02 9:14、Adaのメール:",
    "Ada je 2.11.2026. u 09:14 napisao/la:",
    "Pe 2 nov. 2026, la 09:14, Ada a scris:",
    "Ada kirjoitti 2.11.2026 kello 9.14:",
    "On 2 Nov 2026, at 9:14\u202fAM, Ada <ada@corp.test> wrote:",
    "Le 2 nov. 2026 à 09:14, Ada <ada@corp.test> a écrit\u202f:",
    # others
    "понедельник, 2 ноября 2026 г. пользователь Ada написал:",
    '02.11.2026 09:14 пользователь "Ada" <\nada@corp.test> написал:',
    "Ada <ada@corp.test> wrote:",
    "Ada (ada@corp.test) wrote:",
    "Ada via Corp <ada@corp.test> schrieb:",
    "In message <b1@corp.test>, Ada <ada@corp.test> writes:",
    "In a message dated 11/2/2026 9:14:00 A.M. Eastern Standard Time, ada@corp.test writes:",
    "At 11/2/2026 09:14 AM, you wrote:",
    "Monday, November 2, 2026, 9:14:00 AM, you wrote:",
    "Quoting Ada <ada@corp.test>:",
    "Zitat von Ada <ada@corp.test>:",
    "Citando Ada <ada@corp.test>:",
    "* Ada <ada@corp.test> [2026-11-02 09:14]:",
    "Ada/Corp wrote on 11/02/2026 09:14:12 AM:",
    "Ada Byron---02.11.2026 09:14:00---Deploy billing",
    "Ada on 2 Nov 2026 at 9:14 AM wrote:",
    "------On 02/11/2026 09:14 AM, Ada wrote-----",
    "- Le 2026-11-02 09:14, Ada a écrit :",
    ' On Nov 2, 2026 9:14 AM, "Ada" <\nada+7f1b094ceb90e18cca93d53d37@corp.test> wrote:',
    "Ada <ada@corp.test> ezt írta (időpont: 2026. nov. 2., H 9:14):",
    "2026. 11. 02. 9:14 keltezéssel, Ada a következőt írta:",
    "Ada <ada@corp.test> 在 2026年11月2日 周一 09:14 写道：",
    "2026年11月2日 周一 09:14 Ada <ada@corp.test> 写道：",
    "På 2 november 2026 på 09:14:18, Ada (ada@corp.test) skrev:",
    "W dniu 2 listopada 2026 09:14 użytkownik Ada <ada@corp.test>\nnapisał:",
    'On Mon, Nov 2, 2026 at 9:14 AM -0800, "Ada" <ada@corp.test<mailto:ada@corp.test>> wrote:',
    "On Mon, Nov 2, 2026 at 9:14 AM, Ada <ada@corp.test> wrote: -----",
    "-------- Ada <ada@corp.test> schrieb am 02.11.2026 09:14 --------",
    "*On Mon, 2 Nov 2026 09:14, Ada <ada@corp.test> wrote:*",
]

# These say too little by themselves: only the quote below them tells what they are.
ABOVE_A_QUOTE = [
    "Ada wrote:",
    "Ada schrieb:",
    "Ada a écrit :",
    "ada@corp.test:",
    "2. 11. 2026 v 9:14, Ada:",
    "Ada, 2 Nov:",
    "Nachricht von Ada, 2.11.2026 9:14 Uhr:",
    "Dydd Llun, 2 Tachwedd 2026, 9:14, Ada dywedodd:",
]


def above(text: str) -> str:
    return "\n".join(own_lines(text).lines).strip()


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_clients_wording_ends_the_authors_words(wording: str) -> None:
    assert above(f"Approve\nfine\n\n{wording}\n\nApprove") == "Approve\nfine"
    assert above(f"Approve\nfine\n{wording}\n> Approve") == "Approve\nfine"
    assert above(f"\n{wording}\n\nApprove") == ""


@pytest.mark.parametrize("wording", ABOVE_A_QUOTE)
def test_right_above_a_quote_less_is_enough(wording: str) -> None:
    assert above(f"Approve\nfine\n\n{wording}\n> Approve") == "Approve\nfine"
    assert above(f"Approve\nfine\n\n{wording}\n\n> Approve") == "Approve\nfine"
    assert above(f"Approve\nfine\n\n{wording}\nmore") == f"Approve\nfine\n\n{wording}\nmore"


@pytest.mark.parametrize(
    "lines",
    [
        ["On Mon, 2 Nov 2026 at 09:14,", "Ada <ada@corp.test>", "wrote:"],
        ["On Mon, 2 Nov 2026 at 09:14, Ada <", "ada@corp.test> wrote:"],
        ["On Mon, 2 Nov 2026 at 09:14, Ada", "<ada@corp.test>wrote:"],
        ["Am Mo., 2. Nov. 2026 um 09:14 Uhr schrieb Ada", "<ada@corp.test>:"],
        ["Ada <ada@corp.test> schrieb am Mo., 2.", "Nov. 2026, 09:14:"],
        ["Le lun. 2 nov. 2026 à 09:14, Ada <ada@corp.test> a", "écrit :"],
        ["Ada <ada@corp.test>, 2 Kas 2026 Pzt, 09:14", "tarihinde şunu yazdı:"],
        ["El lun, 2 nov 2026 a las 9:14, Ada", "(<ada@corp.test>) escribió:"],
    ],
)
def test_a_wording_that_a_client_broke_starts_on_its_first_line(lines: list[str]) -> None:
    assert attribution_start(["Approve, fine", *lines], len(lines), 0) == 1
    assert above("\n".join(["Approve", "In all fine.", *lines, "", "x"])) == "Approve\nIn all fine."


@pytest.mark.parametrize(
    "text",
    [
        "On balance I think that it is fine.",
        "In 2025 we paid 4,000:",
        "The meeting is at 09:14:",
        "On 3 May we need it here",
        "Bob wrote to me",
        "As Bob wrote on 3 May:\nbuy two",
        "Please write to ada@corp.test:\nshe knows",
        "I wrote:",
        "Ask Ada <ada@corp.test>",
        "See the mail of ada@corp.test at 09:14 on this:",
        "Approved, see what Ada <ada@corp.test> said in 2025 about it:",
        "2026-11-02: the new budget",
        "Version 2026-11 of the contract",
        "Schritt 1 ist geschrieben",
    ],
)
def test_what_an_author_writes_about_writing_is_no_attribution(text: str) -> None:
    assert above(f"Approve\n{text}") == f"Approve\n{text}"
    assert above(text) == text
