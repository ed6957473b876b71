"""How automatic mail titles itself: answers of the absent, and reports of mail systems.

The words that mail programs put before or instead of the subject they answer, by language. A person
may write them too, so they are a hint and never a proof.
"""

from __future__ import annotations

import re
import unicodedata

_ANSWERS = (
    *("automatic reply", "automatic response", "automated reply", "automated response", "auto:"),
    *("auto reply", "auto-reply", "autoreply", "auto response", "auto-response", "autoresponse"),
    *("out of office", "out-of-office", "out of the office", "ooo:", "away from the office"),
    *("i am out of", "i'm out of", "i am away", "i am on vacation", "on vacation", "vacation:"),
    # de
    *(
        "automatische antwort",
        "abwesenheitsnotiz",
        "abwesenheitsmeldung",
        "abwesenheit",
        "abwesend",
    ),
    *("außer haus", "nicht im büro", "nicht im haus", "im urlaub", "urlaub:"),
    # fr
    *("réponse automatique", "absence du bureau", "absent du bureau", "message d'absence"),
    *("notification d'absence", "absence :", "absence:", "en congé"),
    # es
    *("respuesta automática", "respuesta automatica", "fuera de la oficina", "fuera de oficina"),
    *("ausencia", "ausente"),
    # it
    *("risposta automatica", "fuori sede", "fuori ufficio", "assenza", "assente"),
    # pt
    *("resposta automática", "fora do escritório", "ausência", "resposta automatica"),
    # nl
    *("automatisch antwoord", "automatische reactie", "automatische beantwoording", "afwezig"),
    *("niet aanwezig", "buiten kantoor"),
    # da, no
    *(
        "automatisk svar",
        "autosvar",
        "ikke til stede",
        "fraværsmelding",
        "fravær",
        "ikke på kontoret",
    ),
    # sv
    *("automatiskt svar", "frånvaromeddelande", "frånvaro", "ej på kontoret", "inte på kontoret"),
    # fi
    *("automaattinen vastaus", "poissaoloilmoitus", "poissa", "en ole toimistossa"),
    # pl
    *("automatyczna odpowiedź", "odpowiedź automatyczna", "autoodpowiedź", "poza biurem"),
    *("nieobecność", "nieobecny", "nieobecna"),
    # cs, sk
    *("automatická odpověď", "mimo kancelář", "nepřítomnost", "automatická odpoveď"),
    *("mimo kancelárie", "neprítomnosť"),
    # hu
    *("automatikus válasz", "házon kívül", "nem vagyok az irodában", "távollét"),
    # ro
    *("răspuns automat", "raspuns automat", "absent de la birou", "în afara biroului"),
    # ru
    *("автоматический ответ", "автоответ", "вне офиса", "нет на месте", "отсутствие на"),
    # uk
    *("автоматична відповідь", "автовідповідь", "поза офісом"),
    # bg
    *("автоматичен отговор", "извън офиса"),
    # hr, sr, sl
    *("automatski odgovor", "samodejni odgovor", "аутоматски одговор"),
    # et, lv, lt
    *("automaatvastus", "automātiskā atbilde", "automatinis atsakymas"),
    # tr
    *("otomatik yanıt", "otomatik cevap", "ofis dışında", "işyeri dışında"),  # noqa: RUF001 Turkish
    # el, he, ar, ca
    *("αυτόματη απάντηση", "εκτός γραφείου", "תשובה אוטומטית", "رد تلقائي", "resposta automàtica"),
    # ja
    *("自動応答", "自動返信", "不在通知", "不在のお知らせ", "不在:"),
    # zh
    *("自动答复", "自动回复", "自動回覆", "自動答覆", "不在办公室", "外出:"),
    # ko
    *("자동 회신", "자동 응답", "자동회신", "자동응답", "부재중", "부재 중"),
    # vi, th, id
    *("trả lời tự động", "ตอบกลับอัตโนมัติ", "balasan otomatis"),
)
_REPORTS = (
    *("undeliverable", "undelivered mail", "undelivered:", "delivery status notification"),
    *("delivery failure", "delivery failed", "delivery has failed", "delivery delayed"),
    *("mail delivery fail", "mail delivery problem", "mail could not be delivered"),
    *("mail system error", "message delivery failure", "failure notice", "returned mail"),
    *("warning: could not send message", "warning: message", "non-delivery", "nondeliverable"),
    # RFC 7489, section 7.2.1.1
    "report domain:",
    *("unzustellbar", "nicht zustellbar", "non remis", "échec de la remise", "échec de remise"),
    *("no se puede entregar", "no entregado", "recapito non riuscito", "non recapitabile"),
    *("não é possível entregar", "não entregue", "onbestelbaar", "kan ikke leveres"),
    *("kunde inte levereras", "olevererbart", "niedostarczalne", "nedoručitelné"),
    *("не удается доставить", "недоставлено", "配信不能", "无法送达", "無法傳遞", "배달되지 않음"),
)
# What gateways put before a subject, such as [EXTERNAL].
_TAGS = re.compile(r"(?:\s*\[[^\[\]]{1,40}\])*\s*")


def is_automatic_answer(subject: str) -> bool:
    """Tell whether a subject begins as that of someone absent, in the languages known here."""
    return _begins(subject, _ANSWER_STARTS)


def is_report(subject: str) -> bool:
    """Tell whether a subject begins as that of a mail system's report."""
    return _begins(subject, _REPORT_STARTS)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")


_ANSWER_STARTS = tuple(map(_fold, _ANSWERS))
_REPORT_STARTS = tuple(map(_fold, _REPORTS))


def _begins(subject: str, starts: tuple[str, ...]) -> bool:
    return _TAGS.sub("", _fold(subject[:300]), count=1).startswith(starts)
