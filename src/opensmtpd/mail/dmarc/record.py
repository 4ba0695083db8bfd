"""Policy records (RFC 9989 sections 4.7 and 4.8)."""

import re
from functools import lru_cache
from typing import NamedTuple

URIS_MAX = 20
"""Addresses for reports that are kept of a tag."""

_POLICIES = ("none", "quarantine", "reject")
# RFC 3986 appendix A, of any scheme; commas and exclamation points are encoded (section 4.8).
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_FO = re.compile(r"[01ds](?::[01ds])*")
_BLANKS = " \t\r\n"

is_record = re.compile(r"[ \t\r\n]*[vV][ \t\r\n]*=[ \t\r\n]*DMARC1[ \t\r\n]*(?:;|\Z)").match
"""Tells whether a text begins as a policy record does: at less cost than ``parse``."""


REMEMBERED = 1000
"""Characters of a text that is remembered: few domains send most of the mail."""


class Record(NamedTuple):
    """The tags of a record, in lower case, with defaults for those that are absent or wrong."""

    p: str
    """``"none"``, ``"quarantine"`` or ``"reject"``; "" where the record asks for no processing."""
    sp: str = ""
    """The same for subdomains; "" where the tag is absent."""
    np: str = ""
    """The same for subdomains that do not exist; "" where the tag is absent."""
    adkim: str = "r"
    aspf: str = "r"
    t: str = "n"
    psd: str = "u"
    fo: str = "0"
    rua: tuple[str, ...] = ()
    """URIs for aggregate reports, without the size that older records append."""
    ruf: tuple[str, ...] = ()


def parse(text: str) -> Record | None:
    """Parse a TXT record; return None for one that is no policy record.

    ``p`` is "" in a record without a valid p, or with an sp or np that is not valid, and without a
    URI in rua; with one, such a record is as one that says p=none (section 4.10.1).
    """
    return _remembered(text) if len(text) <= REMEMBERED else _parse(text)


def _parse(text: str) -> Record | None:
    version, *rest = text.split(";")
    name, _, value = version.partition("=")
    if name.strip(_BLANKS).lower() != "v" or value.strip(_BLANKS) != "DMARC1":
        return None
    tags: dict[str, str] = {}
    for tag in rest:
        name, equals, value = tag.partition("=")
        if equals:
            tags.setdefault(name.strip(_BLANKS).lower(), value.strip(_BLANKS))
    rua = _uris(tags.get("rua", ""))
    p, sp, np = (tags.get(name, "").lower() for name in ("p", "sp", "np"))
    if p not in _POLICIES or any(each not in ("", *_POLICIES) for each in (sp, np)):
        p, sp, np = "none" if rua else "", "", ""
    fo = tags.get("fo", "0").lower()
    return Record(
        p,
        sp,
        np,
        adkim=_one_of("rs", tags.get("adkim")),
        aspf=_one_of("rs", tags.get("aspf")),
        t=_one_of("ny", tags.get("t")),
        psd=_one_of("uyn", tags.get("psd")),
        fo=fo if _FO.fullmatch(fo) else "0",
        rua=rua,
        ruf=_uris(tags.get("ruf", "")),
    )


_remembered = lru_cache(maxsize=256)(_parse)


def _one_of(letters: str, value: str | None) -> str:
    """Return the letter that a tag says; the first one is the default."""
    found = (value or "").lower()
    return found if len(found) == 1 and found in letters else letters[0]


def _uris(value: str) -> tuple[str, ...]:
    found = (each.partition("!")[0].strip(_BLANKS) for each in value.split(","))
    return tuple([each for each in found if _URI.fullmatch(each)][:URIS_MAX])
