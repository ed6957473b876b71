"""Bytes as text: by the charset that they claim, or by what such bytes mostly are.

Nothing raises. What claims an old national standard is read by the larger one that its senders
really use, as the WHATWG's Encoding Standard has it. RFC 2046 section 4.1.2, RFC 2978.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_MAX_NAME = 40
_MAX_PROLOGUE = 2048
_MAX_WRONG = 100
# What mail claims → Python's codec that reads all of it.
_CODECS = {
    **dict.fromkeys(("gb2312", "gbk", "xgbk", "cp936", "euccn", "gb18030", "csgb2312"), "gb18030"),
    **dict.fromkeys(("ksc56011987", "ksc5601", "euckr", "cp949", "xwindows949", "uhc"), "cp949"),
    **dict.fromkeys(("shiftjis", "sjis", "xsjis", "cp932", "windows31j", "mskanji"), "cp932"),
    **dict.fromkeys(("iso2022jp", "cp50220", "cp50221", "csiso2022jp"), "iso2022_jp_ext"),
    **dict.fromkeys(("eucjp", "xeucjp", "ujis"), "euc_jis_2004"),
    **dict.fromkeys(("big5", "xxbig5", "cp950", "big5hkscs", "cnbig5"), "big5hkscs"),
    **dict.fromkeys(("tis620", "iso885911", "cp874"), "cp874"),
    **dict.fromkeys(("iso88598i", "iso88598e", "logical"), "iso8859-8"),
    **dict.fromkeys(("iso88596i", "iso88596e"), "iso8859-6"),
    **dict.fromkeys(("iso88599", "latin5", "cp1254"), "cp1254"),
    **dict.fromkeys(("xmacroman", "macroman", "macintosh", "mac"), "mac_roman"),
    **dict.fromkeys(("xmacce", "macce", "xmaccentraleurroman"), "mac_latin2"),
    **dict.fromkeys(("utf8mb4", "unicode11utf8", "utf8", "cp65001"), "utf-8"),
    **dict.fromkeys(("unicode11utf7", "xunicode20utf7"), "utf-7"),
    "koi8ru": "koi8_u",
    "hzgb2312": "hz",
    "xmaccyrillic": "mac_cyrillic",
    "xmacgreek": "mac_greek",
    "xmacturkish": "mac_turkish",
}
# Not charsets of mail: quadratic on long input, or able to warn or raise whatever the bytes are.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
# Who says Latin-1 or ASCII means Windows-1252, unless it is UTF-8 after all.
_SAID_OF_ANYTHING = frozenset({"iso8859-1", "ascii", "cp1252"})
_TORN = frozenset({"unexpected end of data", "incomplete multibyte sequence", "truncated data"})
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_META = re.compile(rb"<meta\s[^>]{0,200}?charset\s{0,9}=[\s\"']{0,9}([\w.:-]{1,40})", re.IGNORECASE)


def decode_text(raw: bytes, charset: str) -> str:
    """Return the text of some bytes; an unknown or wrong charset falls back, nothing raises.

    A wrong byte costs its letter; a character torn by the end of the bytes is left out.
    """
    claimed = _codec(charset.strip(" \t\"'").lower()[:_MAX_NAME])
    for codec in (claimed, "utf-8"):
        if not codec or codec in _SAID_OF_ANYTHING:
            continue
        try:
            return raw.decode(codec)
        except UnicodeDecodeError as error:
            if codec == claimed and error.reason in _TORN and len(raw) - error.start < 5:
                return raw[: error.start].decode(codec, "replace")
        except (LookupError, ValueError):
            claimed = ""
    if not claimed or claimed in _SAID_OF_ANYTHING:
        return raw.decode("cp1252", "replace")
    replaced = raw.decode(claimed, "replace")
    if claimed != "utf-8":
        return replaced
    is_utf8 = replaced.count("\ufffd") <= _MAX_WRONG
    return raw.decode(claimed, _AS_WINDOWS) if is_utf8 else raw.decode("cp1252", "replace")


def charset_of_page(raw: bytes) -> str:
    """Return the charset that an HTML page gives in its first lines, or nothing."""
    found = _META.search(raw[:_MAX_PROLOGUE])
    return found[1].decode("ascii", "replace") if found else ""


@lru_cache(maxsize=64)
def _codec(name: str) -> str:
    """Return Python's name of the codec that reads what a charset's senders send, or nothing."""
    short = _PUNCTUATION.sub("", name)
    windows = re.sub(r"^x?(?:windows|cp|ibm)(?=\d)", "cp", short)
    for candidate in (_CODECS.get(short), _CODECS.get(windows), name, windows):
        try:
            known = codecs.lookup(candidate).name if candidate else ""
        except (LookupError, ValueError):
            continue
        if known:
            return "" if known in _NO_CHARSETS else known
    return ""


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Read a byte that is not UTF-8 as Windows-1252: what stands between was pasted together."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


_AS_WINDOWS = "flexmail-windows"
codecs.register_error(_AS_WINDOWS, _as_windows)
