"""What mail clients write around an answer, in the languages of their users.

Lists only: how they are used stands in `attribution`, `headings` and `signature`. All of it is in
lower case. What is missing here costs a comment some stray lines; it never makes a decision.
"""
# ruff: noqa: RUF001

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(item.split()) for item in text.split("|"))


# "On Monday Bob wrote:" - what such a line says, and what it may start with.
_WROTE = (
    "wrote writes said says schrieb schrieben geschrieben écrit écrite ecrit escribió escribio"
    " escrito escreveu scritto scrive scrisse schreef geschreven skreau skrev skriver skreiv"
    " kirjoitti napisał napisała napisał(a) napisana pisze napsal napsala napsal(a) napísal"
    " napísala napísal(a) napisal napisala napisal(a) napisao napisala/o napisao/la napisao(la)"
    " написао написала написао/ла írta scris scrit написал написал(а) пишет написав пише написа"
    " напісаў напісала піша έγραψε έγραψες yazdı escrit escriure escribiu idatzi skrifaði rašė"
    " parašė rakstīja kirjutas shkroi ysgrifennodd scríobh viết menulis كتب كتبت נכתב כתב כתבה"
    " כתב/ה نوشت लिखा napisa գրել 작성"
)
WROTE = frozenset(_WROTE.split())
WROTE_UNSPACED = _listed(
    "写道|寫道|写于|のメール|のメッセージ|さんが書きました|さんは書きました|님이 작성"
    "|작성했습니다|쓴 글|เขียนว่า"
)
OPENERS = _listed(
    "on|at|in message|in a message dated|am|le|el|il|in data|il giorno|op|em|no dia|às|o|den|d."
    "|på|w dniu|dnia|dne|dňa|kl.|в|у|на|στις|în|la|pe|message du|missatge de|ar|më|þann|vào|pada"
    "|kuupäev|dana|على|في|در|בתאריך|เมื่อ"
)
# Of these, what also stands between a date and a time.
MID_OPENERS = frozenset({"at", "o", "la", "às", "в", "у", "kl.", "ar", "am", "em"})
QUOTING = _listed("quoting|zitat von|citando|citando a|cytowanie|citeren|mensaje citado por")

# The lines of a forwarded or answered mail's header, by what they say.
HEADER_LABELS: dict[str, tuple[str, ...]] = {
    "from": _listed(
        "from|von|de|da|van|fra|från|lähettäjä|od|odesílatel|expéditeur|remitente|mittente"
        "|afzender|nadawca|feladó|kimden|gönderen|от|отправитель|від|від кого|от кого|ад|差出人"
        "|送信者|发件人|寄件者|寄件人|發件人|보낸 사람|보낸사람|보낸이|από|αποστολέας|מאת|מ|من|از"
        "|de la|expeditorul|šalje|pošiljatelj|saatja|kellelt|nuo|từ|dari|จาก|prejemnik od|frá"
        "|remitent|nork|from (sender)"
    ),
    "date": _listed(
        "date|sent|on|received|gesendet|datum|gesendet am|envoyé|envoyé le|date d'envoi|enviado"
        "|fecha|enviado el|enviados|enviada em|enviado em|enviada|data|inviato|data invio"
        "|verzonden|sendt|dato|skickat|lähetetty|päivämäärä|päiväys|wysłano|wysłane|data wysłania"
        "|odesláno|отправлено|дата|надіслано|відправлено|дата отправки|küldve|dátum|elküldve"
        "|message du|送信日時|日付|日時|发送时间|發送時間|发送日期|日期|時間|时间|寄件日期"
        "|傳送時間|보낸 날짜|보낸날짜|날짜|보낸 시간|gönderildi|gönderilme tarihi|gönderilen"
        "|tarih|odoslané|poslano|poslato|trimis|dată|dată trimitere|στάλθηκε|ημερομηνία|נשלח"
        "|תאריך|بتاريخ|تاريخ|التاريخ|تم الإرسال|تاریخ|saadetud|kuupäev|išsiųsta|nosūtīts|đã gửi"
        "|ngày|đã gửi lúc|terkirim|dikirim|tanggal|ส่ง|วันที่|sent on|изпратено|enviat|bidalia"
    ),
    "to": _listed(
        "to|an|à|a|para|pour|per|aan|til|till|vastaanottaja|kenelle|do|komu|кому|címzett|kime"
        "|alıcı|宛先|收件人|收件者|받는 사람|받는사람|받는이|prima|za|pre|către|destinatarul"
        "|destinataire|destinatario|adresat|προς|παραλήπτης|אל|إلى|الى|به|kellele|saaja|kam|đến"
        "|tới|kepada|ถึง|до|per a|nori"
    ),
    "copy": _listed(
        "cc|bcc|cco|kopie|kopie (cc)|copie|copie à|kopia|kopi|kopio|copia|dw|копия|копія|másolat"
        "|másolatot kap|kópia|bilgi|抄送|副本|참조|κοιν.|κοινοποίηση|עותק|نسخة|الى نسخة|kp"
        "|v kopii"
    ),
    "subject": _listed(
        "subject|betreff|objet|sujet|asunto|assunto|oggetto|onderwerp|emne|ämne|aihe|temat"
        "|předmět|predmet|tárgy|тема|относно|konu|件名|主题|主題|主旨|제목|subiect|subiectul"
        "|naslov|θέμα|נושא|الموضوع|موضوع|teema|tema|temats|chủ đề|subjek|perihal|เรื่อง|หัวเรื่อง"
        "|assumpte|gaia|re|betr."
    ),
    "reply": _listed(
        "reply-to|antwort an|répondre à|responder a|rispondi a|svar til|svara till|antwoord aan"
        "|odpověď na|odpowiedź-do|ответ-кому|odgovori na|importance|wichtigkeit|priorität"
        "|priority|attachments|anlagen|organization|organisation|list-id"
    ),
}

# The start of a line by which a client signs, as in "Sent from my phone".
CLIENT_SIGNATURES = _listed(
    "sent from|sent with|sent via|sent by|sent using|sent on the|get outlook for|from my iphone"
    "|from my ipad|get bluemail for|von meinem|von meiner|gesendet von|gesendet mit|gesendet über"
    "|gesendet aus|diese nachricht wurde von|holen sie sich outlook|outlook für|envoyé de"
    "|envoyé depuis|envoyé à partir|envoyé avec|envoyé par|envoyé via|télécharger outlook"
    "|obtenez outlook|provenance :|enviado desde|enviado con|enviado do|enviado da|enviado de"
    "|enviado pelo|enviado via|enviado a partir|obtener outlook|obtén outlook|obter o outlook"
    "|baixar o outlook|inviato da|inviato con|ottieni outlook|scarica outlook|verzonden vanaf"
    "|verzonden met|verzonden vanuit|verstuurd vanaf|verstuurd met|verstuurd via|outlook voor"
    "|download outlook for|sendt fra|sendt via|sendt med|hent outlook|få outlook|skickat från"
    "|skickat via|skickades från|hämta outlook|lähetetty|hanki outlook|wysłane z|wysłano z"
    "|pobierz outlook|pobierz aplikację outlook|odesláno z|odoslané z|poslano s|poslano z"
    "|poslato sa|pošiljeno|trimis de pe|trimis din|изпратено от|отправлено с|отправлено из"
    "|надіслано з|відправлено з|küldve|elküldve|saadetud minu|išsiųsta iš|nosūtīts no"
    "|στάλθηκε από|iphone'umdan|iphone'dan|ipad'imden|android cihazımdan|iphoneから|ipadから"
    "|androidから|outlook for ios|发自我的|發自我的|从我的|從我的|寄自我的|来自我的|來自我的"
    "|나의 iphone|나의 ipad|나의 galaxy|내 iphone|내 ipad|내 갤럭시|내 galaxy|삼성 모바일에서"
    "|enviat des|bidalia nire|được gửi từ|đã gửi từ|dikirim dari|ส่งจาก|נשלח מ|أُرسلت من|أرسلت من"
    "|مرسل من|تم الإرسال من|ارسال شده از|diese e-mail wurde von"
)
# By these even a line below others signs: nobody writes them otherwise.
SURE_SIGNATURES = _listed(
    "sent from my|sent from outlook|sent from yahoo|sent from proton|sent from mail for windows"
    "|get outlook for|von meinem iphone|von meinem ipad|gesendet von outlook|envoyé de mon"
    "|envoyé depuis mon|enviado desde mi|enviado do meu|inviato da iphone|verstuurd vanaf mijn"
    "|verzonden vanaf mijn|sendt fra min|skickat från min|wysłane z iphone|отправлено с iphone"
)
# "Original message", with or without strokes around it.
TITLES = _listed(
    "original message|forwarded message|reply message|original appointment"
    "|begin forwarded message|ursprüngliche nachricht|ursprüngliche mitteilung|originalnachricht"
    "|original-nachricht|weitergeleitete nachricht|antwort nachricht|message d'origine"
    "|message original|message initial|message transféré|mensaje original|mensaje reenviado"
    "|mensagem original|mensagem encaminhada|mensagem reencaminhada|messaggio originale"
    "|messaggio inoltrato|oorspronkelijk bericht|doorgestuurd bericht|oprindelig meddelelse"
    "|oprindelig besked|opprinnelig melding|videresendt meddelelse|videresendt melding"
    "|ursprungligt meddelande|originalmeddelande|vidarebefordrat meddelande|alkuperäinen viesti"
    "|välitetty viesti|wiadomość oryginalna|oryginalna wiadomość|treść oryginalnej wiadomości"
    "|przekazana wiadomość|původní zpráva|přeposlaná zpráva|pôvodná správa|preposlaná správa"
    "|eredeti üzenet|továbbított üzenet|mesajul original|mesaj original|izvorna poruka"
    "|originalna poruka|izvirno sporočilo|исходное сообщение|пересылаемое сообщение"
    "|оригинално писмо|початкове повідомлення|αρχικό μήνυμα|özgün ileti|orijinal mesaj"
    "|הודעה מקורית|الرسالة الأصلية|algne kiri|originalus laiškas|missatge original"
    "|jatorrizko mezua|mensaxe orixinal|pesan asli|thư gốc|元のメッセージ|원본 메시지|原始邮件"
    "|原始郵件|原始消息"
)
FORWARD_INTRODUCTIONS = _listed(
    "begin forwarded message|anfang der weitergeleiteten|début du message|inicio del mensaje"
    "|início da mensagem|inizio messaggio inoltrato|begin doorgestuurd bericht"
    "|start på videresendt besked|videresendt besked|vidarebefordrat brev|vidarebefordrat mejl"
    "|videresendt melding|välitetty viesti alkaa|začátek přeposílané zprávy"
    "|začiatok preposlanej správy|początek przekazywanej wiadomości|továbbított levél kezdete"
    "|începe mesajul redirecționat|započni proslijeđenu poruku|начало переадресованного сообщения"
    "|початок листа|i̇leti başlangıcı|ileti başlangıcı"
)
