"""Domains and selectors: what the DNS takes, and what RFC 6376 asks for beyond that.

A name that the DNS cannot hold, or that spoils the signature, is an error. A name that the RFC does
not allow and the DNS does is a doubt: it may be in use, with a record for it.
"""

import re
from collections.abc import Iterator

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.a_label import to_a_labels

_LABEL_MAX, _NAME_MAX = 63, 253  # bytes: RFC 1035 section 2.3.4
# RFC 6376 section 3.5, with the underscore that names in the DNS may have.
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_WORDS = "use letters, digits, hyphens and dots (names in other scripts as xn--…)"
_SHORTER = "choose a shorter one"


def check(what: str, name: str, path: str | None = None, line: int | None = None) -> str:
    """Return a name as a signature holds it: as it was given, but with A-labels for U-labels.

    ``what`` is "domain" or "selector"; ``path`` and ``line`` are where the name stands. Raises
    ConfigError for a text that is no name in the DNS: it would spoil the signature.
    """
    try:
        found = to_a_labels(name)
    except UnicodeEncodeError:
        found = name  # its characters are the fault
    for fault, remedy in _faults(found):
        # Words of a file are not repeated: it may be a key, given by mistake.
        text = f"not a {what}" if path else f"{name!r} is no {what}"
        text = f"{text}: {fault}" if fault else text
        raise ConfigError(text, path=path, line=line, remedy=remedy)
    return found


def doubts(domain: str, selector: str) -> Iterator[str]:
    """Yield what speaks against two good names, a sentence each."""
    word, end, _ = selector.lower().partition("._domainkey")
    if end:
        near = selector[: len(word)]
        yield f"selector {selector}: verifiers add ._domainkey themselves; did you mean {near}?"
    elif "_" in selector:
        yield f"selector {selector}: RFC 6376 section 3.1 allows no underscore; choose another"
    if "_" in domain:
        yield f"domain {domain}: RFC 6376 section 3.5 allows no underscore; check the name"
    if "." not in domain:
        yield f"domain {domain}: RFC 6376 section 3.5 wants a dot in it; give the whole name"


def _faults(name: str) -> Iterator[tuple[str, str]]:
    """Yield why a text is no name, ``""`` where the remedy says it, and the remedy."""
    labels = name.split(".")
    longest = max(map(len, labels))
    if "@" in name:
        yield "an address", "give what stands behind the @"
    if not name or not all(_LABEL.fullmatch(label) for label in labels if label):
        yield "", _WORDS
    if all(labels[:-1]) and not labels[-1]:
        yield "a dot at its end", "leave that dot out"
    if not all(labels):
        yield "nothing between two dots", "leave one of them out"
    if longest > _LABEL_MAX:
        yield f"{longest} bytes between two dots, of {_LABEL_MAX} at most", _SHORTER
    if len(name) > _NAME_MAX:
        yield f"{len(name)} bytes, of {_NAME_MAX} at most", _SHORTER
