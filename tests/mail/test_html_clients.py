"""Replies in HTML as mail clients build them: the answer is found, history and signature are not.

Each page is built as the client builds it, with an attribution in a language that nothing lists,
so that the markup alone has to tell; where the client has no markup of its own, in English.
"""

from __future__ import annotations

import pytest

from flexmail.mail.html import visible_text
from flexmail.mail.parse import Parsed
from flexmail.mail.quote import own_lines
from flexmail.mail.reply import DEFAULT_WORDS, read

ODD = "Dydd Llun dywedodd Ada"
OLD = "<p>Approve or Reject?</p><p>Reference: FM-ABCDEFGHIJKLMNOPQRSTUVWXYZ</p>"
WORD = (
    "<meta name=Generator content='Microsoft Word 15'><style><!-- p.MsoNormal{margin:0} --></style>"
)
LABELS = (
    "<b>From:</b> Ada &lt;ada@corp.test&gt;<br><b>Sent:</b> Monday, 2 November 2026 09:14<br>"
    "<b>To:</b> Bob<br><b>Subject:</b> PO 4711"
)
GWENER = "<b>Gan:</b> Ada<br><b>Anfonwyd:</b> Llun<br><b>At:</b> Bob<br><b>Pwnc:</b> PO"

PAGES = {
    "Gmail": '<div dir="ltr"><div>Approve</div><div>fine</div></div><br>'
    f'<div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">{ODD}<br>'
    f'</div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{OLD}</blockquote></div>',
    "Gmail on Android": '<div dir="auto">Approve<div dir="auto">fine</div></div><br>'
    f'<div class="gmail_quote"><div dir="ltr">{ODD}<br></div><blockquote>{OLD}</blockquote></div>',
    "Gmail, signature set off": '<div dir="ltr">Approve<div>fine</div><div><br></div>'
    '<span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature" '
    f'data-smartmail="gmail_signature">Bob</div></div><div class="gmail_quote">{ODD}{OLD}</div>',
    "Outlook for Windows": f'{WORD}<div class="WordSection1"><p class="MsoNormal">Approve'
    '<o:p></o:p></p><p class="MsoNormal">fine<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;'
    "</o:p></p><div>"
    '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
    f'<p class="MsoNormal">{GWENER}<o:p></o:p></p></div></div>{OLD}</div>',
    "Outlook 2007": f'{WORD}<div class="Section1"><p class="MsoNormal">Approve</p>'
    "<p class=MsoNormal>fine</p><div style='border:none;border-top:solid #B5C4DF 1.0pt;"
    f"padding:3.0pt 0in 0in 0in'><p class=MsoNormal>{GWENER}</p></div>{OLD}</div>",
    "Outlook 2003": f'{WORD}<div class="Section1"><p class="MsoNormal">Approve</p>'
    '<p class="MsoNormal">fine</p><div><div class="MsoNormal" align="center"><hr size="2" '
    f'width="100%" align="center" tabindex="-1"></div><p>{GWENER}</p></div>{OLD}</div>',
    "Outlook on the web": '<div class="elementToProof">Approve</div><div class="elementToProof">'
    'fine</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" '
    f'tabindex="-1"><div id="divRplyFwdMsg" dir="ltr">{GWENER}<div>&nbsp;</div></div>{OLD}',
    "Outlook on the web, forwarded on": '<div class="x_elementToProof">Approve<br>fine</div>'
    f'<div id="x_divRplyFwdMsg">{GWENER}</div><div>{OLD}</div>',
    "Outlook, new": '<div class="elementToProof">Approve</div>'
    '<div class="elementToProof">fine</div>'
    '<div id="Signature" class="elementToProof">Bob, ACME</div><div id="mail-editor-reference-'
    f'message-container"><div><div>{GWENER}</div>{OLD}</div></div>',
    "Outlook for iOS": '<div dir="ltr">Approve</div><div dir="ltr">fine</div><div><br></div>'
    '<div id="ms-outlook-mobile-signature">Cael Outlook ar gyfer iOS</div>'
    '<hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr">'
    f"{GWENER}</div>{OLD}",
    "Outlook for Android": '<div dir="auto">Approve</div><div dir="auto">fine</div>'
    f'<div class="ms-outlook-mobile-reference-message skipProofing">{GWENER}<br>{OLD}</div>',
    "Outlook for Mac": "<div>Approve</div><div>fine</div><div><br></div>"
    f'<span id="OLK_SRC_BODY_SECTION"><div>{GWENER}</div>{OLD}</span>',
    "Windows Mail": '<div data-externalstyle="false" dir="ltr"><div>Approve</div><div>fine</div>'
    '<div style="padding-top: 5px; border-top-color: rgb(229, 229, 229); border-top-width: 1px; '
    f'border-top-style: solid;"><div>{GWENER}</div></div>{OLD}</div>',
    "Hotmail": '<body class="hmmessage"><div dir="ltr">Approve<br>fine<br><br><div>'
    f'<hr id="stopSpelling">{GWENER}<br>{OLD}</div></div></body>',
    "Apple Mail": '<body dir="auto">Approve<div>fine</div><div><br><blockquote type="cite">'
    f"<div>{ODD}</div><br>{OLD}</blockquote></div></body>",
    "iPhone": '<body dir="auto">Approve<div>fine<br><br><div id="AppleMailSignature" dir="ltr">'
    'Anfonwyd o fy iPhone</div><div dir="ltr"><br><blockquote type="cite">'
    f'{ODD}<br><br></blockquote></div><blockquote type="cite">{OLD}</blockquote></div></body>',
    "iPhone, English": '<body dir="auto">Approve<div>fine<br><br><div dir="ltr">Sent from my iPhone'
    '</div><div dir="ltr"><br><blockquote type="cite">On 2 Nov 2026, at 09:14, Ada wrote:<br>'
    f'</blockquote></div><blockquote type="cite">{OLD}</blockquote></div></body>',
    "Yahoo": '<div class="ydp1a2b3c4dyahoo-style-wrap"><div dir="ltr">Approve</div><div dir="ltr">'
    f'fine</div></div><div id="ydp77yahoo_quoted_123" class="ydp77yahoo_quoted"><div>{ODD}</div>'
    f"{OLD}</div>",
    "Yahoo, classic": '<div style="color:#000"><div>Approve</div><div>fine</div><div class='
    f'"yahoo_quoted"><div>{GWENER}</div>{OLD}</div></div>',
    "Thunderbird": '<p>Approve</p><p>fine</p><div class="moz-cite-prefix">Dydd Llun, Ada:<br>'
    f'</div><blockquote type="cite" cite="mid:1">{OLD}</blockquote><pre class="moz-signature">'
    "-- \nBob</pre>",
    "Roundcube": f'<p>Approve</p><p>fine</p><p id="reply-intro">{ODD}</p><blockquote type="cite">'
    f"{OLD}</blockquote>",
    "Proton Mail": '<div style="font-family: Arial">Approve</div><div>fine</div><div class='
    '"protonmail_signature_block"><div class="protonmail_signature_block-user">Bob</div></div>'
    f'<div class="protonmail_quote">{ODD}<br><blockquote>{OLD}</blockquote></div>',
    "Zoho": f'<div>Approve</div><div>fine</div><div class="zmail_extra_hr"></div>'
    f'<div class="zmail_extra">{ODD}<br><blockquote>{OLD}</blockquote></div>',
    "Tutanota": '<div>Approve</div><div>fine</div><div class="tutanota_signature">Bob</div>'
    f'<div class="tutanota_quote">{ODD}<blockquote>{OLD}</blockquote></div>',
    "Zimbra": '<div>Approve</div><div>fine</div><hr id="zwchr" data-marker="__DIVIDER__"><div '
    f'data-marker="__HEADERS__">{GWENER}</div><div data-marker="__QUOTED_TEXT__">{OLD}</div>',
    "Zimbra, no rule": f'<div>Approve</div><div>fine</div><div data-marker="__HEADERS__">{GWENER}'
    f'</div><div data-marker="__QUOTED_TEXT__">{OLD}</div>',
    "Spark": '<div name="messageBodySection"><div dir="auto">Approve<br>fine</div></div>'
    f'<div name="messageSignatureSection">Bob</div><div name="messageReplySection">{ODD}<br>'
    f'<blockquote type="cite" class="spark_quote">{OLD}</blockquote></div>',
    "Airmail": '<div id="bloop_customfont">Approve<br>fine</div><p class="airmail_on">'
    f'{ODD}</p><blockquote type="cite" class="clean_bq">{OLD}</blockquote>',
    "Mailspring": '<div>Approve</div><div>fine</div><div class="gmail_quote_attribution">'
    f'{ODD}</div><blockquote class="gmail_quote nylas-quote">{OLD}</blockquote>',
    "Front": f'<div>Approve</div><div>fine</div><div class="front-blockquote">{ODD}{OLD}</div>',
    "Samsung": '<div dir="auto">Approve</div><div dir="auto">fine</div><div><br></div>'
    '<div id="composer_signature">Bob</div><div>-------- Neges wreiddiol --------</div>'
    f"<div>{GWENER}</div>{OLD}",
    "K-9": f'<div>Approve<br>fine</div><br><br><div class="gmail_quote">{ODD}<blockquote>{OLD}'
    '</blockquote></div><div class="k9mail-signature">Bob</div>',
    "Lotus Notes": "<font size=2 face=sans-serif>Approve</font><br><font size=2 face=sans-serif>"
    "fine</font><br><br><br><table width=100%><tr valign=top><td width=40%><font size=1>From: "
    "</font></td><td><font size=1>Ada/Corp</font></td></tr><tr><td><font size=1>To: </font></td>"
    "<td><font size=1>Bob/Corp@Corp</font></td></tr><tr><td><font size=1>Date: </font></td><td>"
    f"02/11/2026 09:14</td></tr></table>{OLD}",
    "HCL Notes, old": "<font size=2>Approve</font><br><font size=2>fine</font><br><br><hr width="
    f'"100%" size="2" align="left" noshade><font>Ada---02.11.2026</font>{OLD}',
    "GroupWise": "<div>Approve</div><div>fine</div><div>&gt;&gt;&gt; Ada &lt;ada@corp.test&gt; "
    f"02.11.2026 09:14 &gt;&gt;&gt;</div>{OLD}",
    "mail.ru": "<div>Approve</div><div>fine</div><div>&nbsp;</div><blockquote style="
    f'"border-left:1px solid #0857A6">{ODD}<br>{OLD}</blockquote>',
    "Yandex": '<div>Approve</div><div>fine</div><div> </div><div>02.11.2026, 09:14, "Ada" &lt;'
    f'<a href="mailto:ada@corp.test">ada@corp.test</a>&gt;:</div><blockquote>{OLD}</blockquote>',
    "QQ": '<div>Approve</div><div>fine</div><div><includetail><div style="font-size: 12px">'
    f"------------------&nbsp;原始邮件&nbsp;------------------</div><div>{GWENER}</div>{OLD}"
    "</includetail></div>",
    "NetEase": '<div style="line-height:1.7">Approve<div>fine</div><pre><br>At 2026-11-02 09:14:00,'
    f' "Ada" &lt;ada@corp.test&gt; wrote:</pre><blockquote id="isReplyContent">{OLD}</blockquote>'
    "</div>",
    "Open-Xchange": '<div>Approve</div><div>fine</div><blockquote type="cite"><div>Ada &lt;'
    f"ada@corp.test&gt; hat am 02.11.2026 09:14 CET geschrieben:</div>{OLD}</blockquote>",
    "eM Client": '<div>Approve</div><div>fine</div><div class="x-em-signature"></div><div>'
    f'------ Neges wreiddiol ------</div><div>{GWENER}</div><br><blockquote class="cite2">{OLD}'
    "</blockquote>",
    "AOL": '<div style="font-size:10pt">Approve<div>fine</div><br><div id="yiv0"><div>-----'
    f"Original Message-----<br>From: Ada<br>To: Bob<br>Sent: Monday</div>{OLD}</div></div>",
    "Superhuman": '<div>Approve</div><div>fine</div><div class="sh-signature">Sent via Superhuman'
    f'</div><br><div class="gmail_quote">{ODD}<blockquote class="gmail_quote">{OLD}</blockquote>'
    "</div>",
    "HEY": f'<div class="trix-content"><div>Approve<br>fine</div></div><br><blockquote>{ODD}{OLD}'
    "</blockquote>",
    "Outlook, English header without any style": f"<p>Approve</p><p>fine</p><p>{LABELS}</p>{OLD}",
    "Outlook, labels in paragraphs": "<p>Approve</p><p>fine</p><p><b>From:</b> Ada</p><p><b>Sent:"
    f"</b> Monday</p><p><b>To:</b> Bob</p><p><b>Subject:</b> PO</p>{OLD}",
}
BANNERS = {
    "Exchange tip": '<table border="0" width="100%" style="background:#A6A6A6"><tr><td>You don\'t '
    'often get email from bob@corp.test. <a href="https://aka.ms/LearnAboutSenderIdentification">'
    "Learn why this is important</a></td><td></td></tr></table>{}",
    "bordered": '<div style="background-color:#FFEB9C;border-style:solid;border-color:#9C6500;'
    'border-width:1pt;padding:2pt"><span>CAUTION:</span> This email originated from outside of the '
    "organization. Do not click links.</div>{}",
    "bordered, with a gap": '<div style="border:1px solid red">[EXTERNAL] External email, be '
    "careful.</div><br>{}",
    "a paragraph": "<p>EXTERNAL SENDER: this message comes from outside.</p>{}",
}


def above(page: str) -> str:
    return "\n".join(line for line in own_lines(visible_text(page)).lines if line.strip())


@pytest.mark.parametrize("client", PAGES)
def test_only_the_answer_is_the_authors(client: str) -> None:
    page = f"<html><body>{PAGES[client]}</body></html>"
    assert above(page) == "Approve\nfine"
    assert above(page.replace("Approve", "", 1).replace("fine", "", 1)) == ""


@pytest.mark.parametrize("banner", BANNERS)
@pytest.mark.parametrize("answer", ["<div>Approve</div>", "<p>Approve</p>", "Approve"])
def test_a_banner_in_a_frame_of_its_own_ends_where_the_frame_ends(banner: str, answer: str) -> None:
    page = f"<html><body>{BANNERS[banner].format(answer)}</body></html>"
    assert read(Parsed(html=page), DEFAULT_WORDS).verdict == "approve"
    page = f"<html><body>{BANNERS[banner].format(f'<div>Please wait</div>{answer}')}</body></html>"
    assert read(Parsed(html=page), DEFAULT_WORDS).verdict is None
