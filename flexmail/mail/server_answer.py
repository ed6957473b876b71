"""What a mail server's answer means and what to do about it, for people.

By the enhanced code where there is one, by the reply code elsewhere; of codes that say too little,
nothing is said. RFC 3463, 5321 (section 4.2), 4954, 6531, 7505.
"""

from __future__ import annotations

import re

from flexmail.mail.delivery_report import status_code_in

# Without the class: that one says whether it is for good, which the state of the mail tells.
_BY_ENHANCED_CODE = {
    "1.0": "The address is wrong. Correct it, and have the mail made anew.",
    "1.1": "The mailbox does not exist. Correct the address, and have the mail made anew.",
    "1.2": "The domain of the address takes no mail. Correct the address.",
    "1.3": "The address is not well-formed for that server. Correct the address.",
    "1.4": "The address fits several mailboxes. Give a full one.",
    "1.6": "The mailbox has moved. Ask its owner for the new address.",
    "1.8": "The server cannot use our sender address. Check SMTP From Address.",
    "1.7": "The server cannot use our sender address. Check SMTP From Address.",
    "1.10": "The domain of the address says that it takes no mail. Correct the address.",
    "2.0": "The mailbox cannot take mail. Ask its owner.",
    "2.1": "The mailbox is disabled. Ask its owner, or send to somebody else.",
    "2.2": "The mailbox is full. Its owner has to make room; then send the mail again.",
    "2.3": "The mail is too large for the mailbox.",
    "2.4": "The mailing list behind the address does not work. Ask who runs it.",
    "3.1": "The mail server has no disk space left. Ask who runs it.",
    "3.2": "The mail server takes no mail for now. It is tried again by itself.",
    "3.4": "The mail is too large for the mail server.",
    "4.1": "The recipient's mail server does not answer. It is tried again for some days.",
    "4.2": "The connection to the recipient's mail server broke off.",
    "4.3": "The domain of the address cannot be looked up just now. Check its spelling.",
    "4.4": "No mail server is known for the address. Check the spelling of its domain.",
    "4.5": "The mail server is overloaded. It is tried again by itself.",
    "4.6": "The mail went in a circle between servers. Ask who runs the recipient's.",
    "4.7": "The recipient's mail server did not take it in time. Send the mail again.",
    "5.3": "The server takes fewer recipients at a time. It is tried again by itself.",
    "6.1": "The server does not take this kind of mail. Ask who runs it.",
    "6.7": "The server takes no addresses with letters beyond ASCII. Use one without them.",
    "7.0": "The server does not want this mail, by a rule of its own. Ask who runs it.",
    "7.1": "The server does not let us send this. Ask who runs it to let our sender through.",
    "7.2": "We may not write to that mailing list. Ask its owner.",
    "7.8": "The login was refused. Check SMTP User and SMTP Password.",
    "7.9": "The server wants another way to log in. Ask who runs it.",
    "7.11": "The server wants an encrypted connection. Tick SMTP Enable STARTTLS.",
    "7.20": "No DKIM signature of ours passed. Have the sending server sign our domain.",
    "7.23": "The recipient's server found SPF failing. Have our server added to the SPF record.",
    "7.25": "Our server's address has no name in the DNS. Have one entered.",
    "7.26": "SPF and DKIM both failed. Have both set up for our sender's domain.",
    "7.27": "The domain of our sender takes no mail itself. Check SMTP From Address.",
    "7.28": "The server counts too much mail from us. It is tried again later.",
}
_BY_REPLY_CODE = {
    421: "The server closed the connection. It is tried again by itself.",
    432: "The server wants mail slower. It is tried again by itself.",
    450: "The mailbox is not available for now. It is tried again by itself.",
    451: "The server has trouble of its own. It is tried again by itself.",
    452: "The server lacks room. It is tried again by itself.",
    454: "The server cannot log anybody in for now. It is tried again by itself.",
    455: "The server cannot take what the mail needs for now. It is tried again by itself.",
    503: "The server wants the commands in another order. Ask who runs it.",
    521: "The server takes no mail at all. Correct the address.",
    530: "The server wants a login or encryption first. Check the email settings.",
    535: "The login was refused. Check SMTP User and SMTP Password.",
    550: "The mailbox does not exist or may not be written to. Check the address.",
    551: "The mailbox is elsewhere. Ask its owner for the new address.",
    552: "The mailbox is full, or the mail too large. Its owner has to make room.",
    553: "The server does not take this address. Check how it is written.",
    554: "The server does not want this mail, by a rule of its own. Ask who runs it.",
    556: "The domain of the address says that it takes no mail. Correct the address.",
}
_REPLY_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])")


def meaning(answer: str, status_code: str = "") -> str:
    """Return what an answer means and what to do, as sentences; "" where there is nothing to add.

    Args:
        answer: what the server said, as it is stored with the mail.
        status_code: the enhanced code, where it is known; else that of the answer counts.
    """
    code = status_code or status_code_in(answer)
    if said := code[:1] in ("4", "5") and _BY_ENHANCED_CODE.get(code[2:]):
        return said
    found = _REPLY_CODE.search(answer)
    return _BY_REPLY_CODE.get(int(found[1]), "") if found else ""
