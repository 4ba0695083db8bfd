"""Names in other scripts, as the DNS and the tags ``d=`` and ``s=`` have them.

RFC 6376 section 3.5 and RFC 8616 section 4 want A-labels there (``xn--bcher-kva``), while From, -d
and a key table may have U-labels. The codec ``idna`` of Python is of no use: it is IDNA 2003, which
makes another name of some (``straße`` becomes ``strasse``) and refuses characters that are newer
than Unicode 3.2. The package idna judges, too, which characters a registry may accept. Only the
encoding of IDNA 2008 is needed here: lower case and NFC (RFC 5895 section 2), then Punycode
(RFC 5891 section 4.4). A name that no registry accepts has no key in the DNS.
"""

from encodings.punycode import punycode_encode
from unicodedata import normalize

_UNSEEN = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
"""The soft hyphen, and spaces and joiners without width."""


def to_a_labels(name: str) -> str:
    """Return a name with each U-label as its A-label; one in ASCII is returned as it is.

    Raises UnicodeEncodeError for a str that holds half a surrogate pair.
    """
    if name.isascii():
        return name
    name.encode()  # half a surrogate pair: bytes of a command line that are not UTF-8
    # Each character by itself: a sigma at the end of a word is an ordinary one in IDNA.
    folded = normalize("NFC", "".join([char.lower() for char in name]))
    return ".".join(map(_a_label, folded.split(".")))


def mapped(name: str) -> str:
    """Return a name whose variants of characters are the plain ones, as a mail program shows it.

    Wide letters and the full stops of Chinese become plain ones (RFC 5895 section 2), characters
    that are not seen are left out (as UTS #46 does).
    """
    return normalize("NFKC", name.translate(_UNSEEN)).replace("\u3002", ".")


def _a_label(label: str) -> str:
    return label if label.isascii() else "xn--" + punycode_encode(label).decode("ascii")
