"""Encoded words in the fields of a header (RFC 2047), decoded for those who look for a text.

A word that cannot be decoded stays as it is, and hides none of the others: programs that show mail
do so, too. Each byte is looked at a few times at most, whatever stands there.
"""

import binascii
import codecs
import re
from encodings.aliases import aliases

_LABELS = (
    *("utf-8", "utf-7", "us-ascii", "koi8-r", "koi8-u", "gb2312", "gbk", "gb18030", "hz", "big5"),
    *("shift_jis", "iso-2022-jp", "euc-jp", "euc-kr", "cp874", "cp932", "cp949"),
    *(f"iso-8859-{part}" for part in range(1, 17) if part != 12),
    *(f"windows-125{part}" for part in range(9)),
    *("big5-hkscs", "iso-2022-kr", "iso-2022-jp-2", "johab", "cp866", "mac-roman", "mac-cyrillic"),
)
_OTHER_NAMES = {
    **{"windows_31j": "cp932", "x_sjis": "cp932", "x_euc_jp": "euc_jp", "windows_949": "cp949"},
    **{"gb_2312_80": "gbk", "x_gbk": "gbk", "cn_big5": "big5", "x_x_big5": "big5"},
    **{"windows_874": "cp874", "dos_874": "cp874", "tis_620": "cp874"},
    **{"iso_8859_8_i": "iso8859_8", "iso_8859_8_e": "iso8859_8"},
    **{"logical": "iso8859_8", "visual": "iso8859_8"},
    **{"macintosh": "mac_roman", "x_mac_roman": "mac_roman", "x_mac_cyrillic": "mac_cyrillic"},
    **{f"x_cp125{part}": f"cp125{part}" for part in range(9)},
}
"""Names that mail and browsers have (Encoding Standard of WHATWG) and not all Pythons know."""
_WORD = re.compile(
    rb"=\?([^?\s]+)\?([bq])\?((?:[^?=]|=(?!\?[^=])|\?(?!=))*)\?=", re.IGNORECASE | re.DOTALL
)
"""Charset, encoding and text. A ``?`` in the text is no end of it (section 5 forbids it, and some
write it); another word that begins is, so that no word is hidden in one. Not possessive: Python
3.11.2 does not match lookaheads in that."""
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def _canonical(label: str) -> str:
    """Return Python's name for a charset, the same for all its aliases."""
    name = re.sub(r"[^a-z0-9]+", "_", label.partition("*")[0].lower())  # * language (RFC 2231)
    return aliases.get(name) or _OTHER_NAMES.get(name, name)


CHARSETS = {_canonical(label): codecs.lookup(label) for label in _LABELS}
"""The charsets that are decoded. They are read now, for a filter reads no files later."""


def shown(value: bytes) -> bytes:
    """Return a value as it is shown, in UTF-8; as it is where nothing in it can be decoded."""
    if b"=?" not in value:
        return value
    done: list[bytes] = []
    at, charset, raw = 0, "", b""
    for word in _WORD.finditer(value):
        name = _canonical(word[1].decode("latin-1"))
        if name not in CHARSETS:
            continue
        between = value[at : word.start()]
        if at and not between.strip():
            between = b""  # blanks between two words are not shown (section 6.2)
        if between or name != charset:  # a character may have begun in the word before
            done += [_text(raw, charset), between]
            raw = b""
        raw += _bytes(word[2], word[3])
        at, charset = word.end(), name
    return b"".join([*done, _text(raw, charset), value[at:]])


def _bytes(encoding: bytes, text: bytes) -> bytes:
    """Return the bytes of a word."""
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    digits = _NO_BASE64.sub(b"", text)
    return binascii.a2b_base64(digits[: len(digits) - (len(digits) % 4 == 1)] + b"==")


def _text(raw: bytes, charset: str) -> bytes:
    """Return bytes of a charset in UTF-8."""
    return CHARSETS[charset].decode(raw, "replace")[0].encode("utf-8", "replace") if raw else b""
