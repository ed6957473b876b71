"""What mail clients and people write around an answer, in the languages of their users.

Lists only: how they are used stands in `quote` and `reply`. Everything is in lower case. A phrase
that is missing here costs a comment some stray lines; it never turns anything into a decision.
"""
# ruff: noqa: RUF001

from __future__ import annotations

# "On Monday Bob wrote:" - what such a line says, and what it may start with.
_WROTE = (
    "wrote writes said schrieb geschrieben écrit écrite escribió escrito escreveu scritto scrive"
    " scrisse schreef geschreven skrev skriver kirjoitti napisał napisała napisał(a) pisze napsal"
    " napsala napsal(a) napísal napísala írta scris написал написала написал(а) пишет написав"
    " пише έγραψε yazdı"
)
WROTE = frozenset(_WROTE.split())
WROTE_UNSPACED = ("写道", "寫道", "のメール", "さんが書きました", "님이 작성")
OPENERS = (
    *("on", "am", "le", "el", "il", "in data", "il giorno", "op", "em", "no dia", "den", "d."),
    *("på", "w dniu", "dnia", "dne", "dňa", "kl.", "в", "у", "στις", "în", "message du"),
)

# The lines of a forwarded or answered mail's header, by what they say.
HEADER_LABELS: dict[str, tuple[str, ...]] = {
    "from": (
        *("from", "von", "de", "da", "van", "fra", "från", "lähettäjä", "od", "odesílatel"),
        *("expéditeur", "remitente", "mittente", "afzender", "nadawca", "feladó", "kimden"),
        *("от", "від", "от кого", "差出人", "送信者", "发件人", "寄件者", "寄件人", "보낸 사람"),
    ),
    "date": (
        *("date", "sent", "on", "gesendet", "datum", "envoyé", "envoyé le", "enviado", "fecha"),
        *("enviado el", "enviada em", "enviado em", "enviada", "data", "inviato", "data invio"),
        *("verzonden", "sendt", "dato", "skickat", "datum", "lähetetty", "päivämäärä", "päiväys"),
        *("wysłano", "wysłane", "odesláno", "отправлено", "дата", "надіслано", "küldve", "dátum"),
        *(
            "elküldve",
            "message du",
            "送信日時",
            "日付",
            "日時",
            "发送时间",
            "发送日期",
            "日期",
            "時間",
        ),
        *("寄件日期", "보낸 날짜", "gönderildi", "gönderilme tarihi", "tarih"),
    ),
    "to": (
        *("to", "an", "à", "a", "para", "per", "aan", "til", "till", "vastaanottaja", "kenelle"),
        *("do", "komu", "кому", "címzett", "kime", "宛先", "收件人", "收件者", "받는 사람"),
    ),
    "copy": (
        *(
            "cc",
            "bcc",
            "kopie",
            "copie",
            "copie à",
            "kopia",
            "kopi",
            "copia",
            "dw",
            "копия",
            "抄送",
        ),
    ),
    "subject": (
        *("subject", "betreff", "objet", "asunto", "assunto", "oggetto", "onderwerp", "emne"),
        *("ämne", "aihe", "temat", "předmět", "predmet", "тема", "tárgy", "konu", "件名", "主题"),
        *("主題", "主旨", "제목"),
    ),
    "reply": ("reply-to", "antwort an", "répondre à", "responder a", "rispondi a", "svar til"),
}

# The start of a line by which a client signs, as in "Sent from my phone".
CLIENT_SIGNATURES = (
    *(
        "sent from",
        "sent with",
        "sent via",
        "sent by",
        "sent using",
        "sent on the",
        "get outlook for",
    ),
    *("von meinem", "von meiner", "gesendet von", "gesendet mit", "gesendet über", "gesendet aus"),
    *("diese nachricht wurde von", "envoyé de", "envoyé depuis", "envoyé à partir", "envoyé avec"),
    *("envoyé par", "envoyé via", "télécharger outlook", "provenance :", "enviado desde"),
    *("enviado con", "enviado do", "enviado da", "enviado de", "enviado pelo", "enviado via"),
    *("enviado a partir", "obtener outlook", "obter o outlook", "inviato da", "inviato con"),
    *("scarica outlook", "verzonden vanaf", "verzonden met", "verzonden vanuit", "verstuurd vanaf"),
    *("verstuurd met", "outlook voor", "sendt fra", "sendt via", "sendt med", "hent outlook"),
    *("skickat från", "skickat via", "skickades från", "hämta outlook", "lähetetty"),
    *("hanki outlook", "wysłane z", "wysłano z", "pobierz outlook", "odesláno z", "отправлено с"),
    *(
        "отправлено из",
        "надіслано з",
        "küldve",
        "iphoneから",
        "ipadから",
        "androidから",
        "发自我的",
    ),
    *("發自我的", "从我的", "從我的", "寄自我的", "나의", "内 "),
)
FORWARD_INTRODUCTIONS = (
    *("begin forwarded message", "anfang der weitergeleiteten", "début du message", "inicio del"),
    *("início da mensagem", "inizio messaggio inoltrato", "begin doorgestuurd bericht"),
    *("videresendt besked", "vidarebefordrat brev", "videresendt melding"),
)

# A line by itself that only says hello, or goodbye.
GREETINGS = (
    *("hi", "hello", "hey", "dear", "greetings", "good morning", "good afternoon", "good evening"),
    *("good day", "hallo", "guten tag", "guten morgen", "liebe", "lieber", "moin", "servus"),
    *("sehr geehrte", "sehr geehrter", "bonjour", "salut", "cher", "chère", "hola", "buenos días"),
    *("buenas tardes", "estimado", "estimada", "olá", "bom dia", "boa tarde", "caro", "cara"),
    *("ciao", "buongiorno", "gentile", "beste", "hoi", "goedemorgen", "goedemiddag", "geachte"),
    *("hej", "hei", "heisann", "kære", "kjære", "hyvä", "moi", "terve", "dzień dobry", "cześć"),
    *("witam", "dobrý den", "ahoj", "здравствуйте", "привет", "добрый день", "вітаю", "您好"),
    *("你好", "こんにちは", "お疲れ様です"),
)
GOODBYES = (
    *("thanks", "many thanks", "thank you", "thx", "cheers", "regards", "best", "best regards"),
    *("kind regards", "warm regards", "all the best", "yours", "sincerely", "yours sincerely"),
    *("best wishes", "br", "rgds", "danke", "vielen dank", "gruß", "grüße", "viele grüße", "mfg"),
    *("liebe grüße", "lg", "vg", "mit freundlichen grüßen", "beste grüße", "freundliche grüße"),
    *("merci", "cordialement", "bien cordialement", "bien à vous", "salutations", "gracias"),
    *("saludos", "un saludo", "saludos cordiales", "atentamente", "obrigado", "obrigada"),
    *("cumprimentos", "atenciosamente", "abraços", "grazie", "cordiali saluti", "saluti"),
    *("distinti saluti", "groet", "groeten", "met vriendelijke groet", "mvg", "bedankt"),
    *("med venlig hilsen", "venlig hilsen", "mvh", "hilsen", "tak", "med vennlig hilsen", "takk"),
    *("vennlig hilsen", "med vänliga hälsningar", "vänliga hälsningar", "hälsningar", "tack"),
    *("ystävällisin terveisin", "terveisin", "kiitos", "pozdrawiam", "z poważaniem", "dziękuję"),
    *("s pozdravem", "děkuji", "üdvözlettel", "köszönettel", "с уважением", "спасибо", "з повагою"),
    *("дякую", "谢谢", "よろしくお願いします", "よろしくお願いいたします", "以上", "以上です"),
)
NAMELESS = frozenset({"all", "both", "everyone", "everybody", "folks", "team", "there", "zusammen"})
# What a gateway puts above a mail from outside: how it starts, and what it then says.
BANNER_STARTS = (
    *("caution", "external", "warning", "attention", "notice", "this email originated", "achtung"),
    *("vorsicht", "extern", "avertissement", "atención", "attenzione", "let op"),
)
BANNER_PHRASES = (
    *("originated from outside", "originated outside", "from outside", "external sender"),
    *("external email", "external e-mail", "external mail", "[external]", "externe e-mail"),
    *("externen absender", "externer absender", "außerhalb", "expéditeur externe", "extérieur"),
    *("remitente externo", "mittente esterno", "externe afzender", "van buiten"),
)
