"""What HTML elements of mail are for: lines, quotes, signatures, and what is never text.

The names of ids and classes are those that mail clients write.
"""

from __future__ import annotations

from collections.abc import Mapping

_BLOCK_TAGS = (
    "address article aside blockquote body caption center dd details dir div dl dt fieldset figure"
    " figcaption footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p pre"
    " section summary table tbody tfoot thead tr ul"
)
_DROPPED_TAGS = (
    "audio canvas datalist embed head iframe map math noembed noframes noscript object option rp rt"
    " script select style svg template textarea title video"
)
BLOCKS = frozenset(_BLOCK_TAGS.split())
DROPPED = frozenset(_DROPPED_TAGS.split())
PARAGRAPHS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p"})
CELLS = frozenset({"td", "th"})
STRUCK = frozenset({"del", "s", "strike"})
QUOTE_CLASSES = (
    "gmail_quote",
    "yahoo_quoted",
    "protonmail_quote",
    "tutanota_quote",
    "zmail_extra",
    "moz-cite-prefix",
    "moz-forward-container",
    "outlookmessageheader",
)
# From here on everything is history, whatever encloses it.
HISTORY_STARTS = (
    "appendonsend",
    "divrplyfwdmsg",
    "mail-editor-reference-message-container",
    "olk_src_body_section",
    "stopspelling",
)
SIGNATURES = (
    "gmail_signature",
    "moz-signature",
    "ms-outlook-mobile-signature",
    "protonmail_signature_block",
)


def is_one_of(attributes: Mapping[str, str], names: tuple[str, ...]) -> bool:
    """Tell whether id or class names one of `names`; clients put "x_" or "ecx" before them."""
    if "id" not in attributes and "class" not in attributes:
        return False
    given = f"{attributes.get('id', '')} {attributes.get('class', '')}".lower().split()
    return any(word.removeprefix("x_").removeprefix("ecx").startswith(names) for word in given)
