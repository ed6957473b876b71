"""What HTML elements of mail are for: lines, quotes, signatures, and what is never text.

The names of ids and classes are those that mail clients write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MAX_STYLE = 500

_BLOCK_TAGS = (
    "address article aside blockquote body caption center dd details dir div dl dt fieldset figure"
    " figcaption footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p pre"
    " section summary table tbody tfoot thead tr ul"
)
_DROPPED_TAGS = (
    "audio bdo canvas datalist dialog embed head iframe map math noembed noframes noscript object"
    " option rp rt script select style svg template textarea title video"
)
BLOCKS = frozenset(_BLOCK_TAGS.split())
DROPPED = frozenset(_DROPPED_TAGS.split())
PARAGRAPHS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p"})
CELLS = frozenset({"td", "th"})
STRUCK = frozenset({"del", "s", "strike"})
# What holds a quote, or the line that introduces one.
QUOTES = re.compile(
    "gmail_quote|yahoo_quoted|protonmail_quote|tutanota_quote|zmail_extra|moz-cite-prefix"
    "|moz-forward-container|outlookmessageheader|front-blockquote|messagereplysection|reply-intro"
    "|airmail_on|__headers__|__quoted_text__|ms-outlook-mobile-reference-message"
)
# From here on everything is history, whatever encloses it.
_HISTORY_STARTS = re.compile(
    "appendonsend|divrplyfwdmsg|mail-editor-reference-message-container|olk_src_body_section"
    "|stopspelling|__divider__|_mailoriginal"
)
SIGNATURES = re.compile(
    "gmail_signature|moz-signature|ms-outlook-mobile-signature|protonmail_signature_block"
    "|applemailsignature|atbeginningofsignature|tutanota_signature|messagesignaturesection"
    "|composer_signature|k9mail-signature|x-em-signature|sh-signature"
    r"|(?:^|[ _])signature(?: |$)"
)
# The line that Outlook and Windows Mail draw above the header of the mail that is answered.
_HEADER_STYLE = re.compile(
    r"border-top:(?:solid|1(?:\.0)?pt)[^;]{0,40};(?:[^;]{0,40};){0,6}padding:3(?:\.0)?pt0"
    r"|padding-top:5px;border-top-color:rgb\(229,229,229\)"
)
_FRAME = re.compile(r"(?:^|;)border(?:-style)?:[^;]{0,40}(?:solid|dashed|double)")
NAMING = ("id", "class", "name", "data-marker")


def names(attributes: Mapping[str, str]) -> str:
    """Return how an element is called by its client, in lower case.

    Clients put letters before each other's names ("x_", "ecx", "ydp1a2b"), so look inside.
    """
    return " ".join(attributes[key] for key in NAMING if key in attributes).lower()


def is_set_off(tag: str, attributes: Mapping[str, str], named: str) -> bool:
    """Tell whether space follows: after a paragraph, a table, a frame; Outlook's are lines."""
    if tag in PARAGRAPHS:
        return not any(word.startswith(("mso", "x_mso")) for word in named.split())
    return tag == "table" or bool(_FRAME.search(_style(attributes)))


def starts_history(attributes: Mapping[str, str], named: str) -> bool:
    """Tell whether all is history from here on, by its name or by a border drawn above it."""
    return bool(_HISTORY_STARTS.search(named) or _HEADER_STYLE.search(_style(attributes)))


def _style(attributes: Mapping[str, str]) -> str:
    style = attributes.get("style", "")[:_MAX_STYLE]
    return "".join(style.lower().split()) if "border" in style.lower() else ""
