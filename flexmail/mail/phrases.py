"""What people and gateways write around an answer, in the languages of their users.

Lists only: how they are used stands in `openings`, `reply` and `signature`. Everything is in lower
case. A phrase that is missing here costs a comment some stray lines; it never makes a decision.
"""
# ruff: noqa: RUF001

from __future__ import annotations

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
_NAMELESS = (
    "all both everyone everybody folks team there zusammen alle allemaal tous todos tutti sir madam"
    " or sirs colleagues"
)
NAMELESS = frozenset(_NAMELESS.split())
AND = frozenset({*("and", "und", "et", "y", "e", "en", "og", "och", "ja", "i"), *"&/+"})
HONORIFICS = ("さん", "様", "さま", "先生", "님")
# What a gateway puts above a mail from outside: how it starts, and what it then says.
BANNER_STARTS = (
    *("caution", "external", "warning", "attention", "notice", "alert", "important", "stop"),
    *("be careful", "security notice", "this email", "this e-mail", "this message", "this mail"),
    *("this sender", "the sender of this", "you don't often get", "some people who received"),
    *("achtung", "vorsicht", "warnung", "hinweis", "extern", "diese e-mail", "diese nachricht"),
    *("sie erhalten nicht", "avertissement", "prudence", "ce message", "ce courriel", "cet e-mail"),
    *("vous ne recevez pas souvent", "vous n'obtenez pas souvent", "atención", "precaución"),
    *("advertencia", "cuidado", "este correo", "este mensaje", "atenção", "aviso", "este e-mail"),
    *("esta mensagem", "você não costuma", "attenzione", "avviso", "questa e-mail", "questa mail"),
    *("questo messaggio", "non si ricevono spesso", "let op", "waarschuwing", "deze e-mail"),
    *("dit bericht", "u ontvangt niet vaak", "advarsel", "bemærk", "denne e-mail", "denne mail"),
    *("du får ikke ofte", "varning", "obs", "detta meddelande", "du får inte ofta", "varoitus"),
    *("huomio", "tämä viesti", "uwaga", "ostrzeżenie", "ta wiadomość", "nieczęsto otrzymujesz"),
    *("upozornění", "pozor", "figyelem", "внимание", "увага", "dikkat", "uyarı", "注意", "警告"),
    *("外部", "【外部", "주의", "[외부"),
)
BANNER_PHRASES = (
    *("originated from outside", "originated outside", "from outside", "external sender"),
    *("external email", "external e-mail", "external mail", "external source", "external address"),
    *("external message", "[external]", "outside of the org", "outside the org", "outside of our"),
    *("outside our org", "outside your org", "outside of your", "outside the company"),
    *("recognize the sender", "recognise the sender", "know the sender", "verify the sender"),
    *("unverified sender", "don't often get email from", "learn why this is important"),
    *(
        "aka.ms/learnaboutsenderidentification",
        "externe e-mail",
        "externe mail",
        "externen absender",
    ),
    *(
        "externer absender",
        "externem absender",
        "außerhalb",
        "nicht oft e-mails",
        "extern gesendet",
    ),
    *("expéditeur externe", "extérieur", "l'externe", "pas souvent", "remitente externo"),
    *("externo", "fuera de", "con frecuencia", "remetente externo", "fora da", "com frequência"),
    *("mittente esterno", "esterna", "all'esterno", "spesso messaggi", "externe afzender"),
    *("van buiten", "buiten de", "niet vaak e-mail", "ekstern", "uden for", "ikke ofte"),
    *("utanför", "extern avsändare", "inte ofta", "ulkopuol", "spoza", "zewnętrzn", "mimo org"),
    *("externí", "külső", "внешн", "зовнішн", "за пределами", "dışından", "harici", "外部"),
    *("组织外", "組織外", "외부"),
)
# What is added below a mail by rule or by law: how it starts, and of what it then speaks.
DISCLAIMER_STARTS = (
    *("this e-mail", "this email", "this mail", "this message", "this communication"),
    *("this transmission", "this electronic", "the information", "the content", "the contents"),
    *("confidential", "privileged", "disclaimer", "important notice", "legal notice", "notice:"),
    *("note:", "if you are not the intended", "if you have received this", "any views"),
    *("please consider the environment", "please think", "before printing", "scanned by"),
    *("virus-free", "no virus", "checked by", "email disclaimer", "diese e-mail", "diese email"),
    *("diese mail", "diese nachricht", "der inhalt dieser", "die in dieser", "vertraulichkeit"),
    *("haftungsausschluss", "wichtiger hinweis", "hinweis:", "bitte denken sie", "virenfrei"),
    *("ce message", "ce courriel", "cet e-mail", "cet email", "ce mail", "les informations"),
    *("le contenu de ce", "avis de confidentialité", "pensez à", "l'absence de virus"),
    *("garanti sans virus", "sans virus", "este mensaje", "este correo", "la información"),
    *("aviso de confidencialid", "aviso legal", "antes de imprimir", "libre de virus"),
    *("esta mensagem", "este e-mail", "este email", "as informações", "livre de vírus"),
    *("questo messaggio", "questa e-mail", "questa email", "le informazioni", "il presente"),
    *("il contenuto di", "avviso di riservatezza", "prima di stampare", "privo di virus"),
    *("dit bericht", "deze e-mail", "de informatie", "de inhoud van", "denk aan het milieu"),
    *("virusvrij", "denne e-mail", "denne mail", "denne meddelelse", "denne e-post"),
    *("denne besked", "detta meddelande", "detta e-post", "tämä viesti", "tämä sähköposti"),
    *("niniejsza wiadomość", "ta wiadomość", "treść tej", "tato zpráva", "tento e-mail"),
    *("táto správa", "ez az üzenet", "ez az e-mail", "jelen üzenet", "acest mesaj"),
    *("это сообщение", "данное сообщение", "информация", "це повідомлення", "bu e-posta"),
    *("bu mesaj", "bu elektronik", "αυτό το", "το παρόν", "このメールは", "本メールは", "本邮件"),
    *("此邮件", "本電子郵件", "이 메일은", "본 메일은"),
)
DISCLAIMER_WORDS = (
    *("confidential and", "is confidential", "are confidential", "be confidential", "privileged"),
    *("intended recipient", "intended solely", "intended only", "received this", "virus"),
    *("confidential information", "before printing", "vertraulich", "virenfrei", "confidentiel"),
    *("confidencia", "riservat", "vertrouwelijk", "fortrolig", "konfidentiel", "luottamuksel"),
    *("poufn", "důvěrn", "dôvern", "bizalmas", "confidenț", "конфиденциальн", "конфіденційн"),
    *("εμπιστευτικ", "gizli", "機密", "机密", "保密", "비밀", "umwelt", "environnement"),
    *("medio ambiente", "meio ambiente", "het milieu", "vírus", "antes de imprimir"),
    *("prima di stampare",),
)
