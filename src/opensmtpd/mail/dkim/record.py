"""The TXT record that publishes a key (RFC 6376 section 3.6.2; RFC 1035 sections 3.3 and 5.1)."""

from base64 import b64encode

from opensmtpd.errors import ConfigError

STRING_MAX = 255
"""Bytes of one string in a TXT record: its length has one byte."""
_NAME_MAX = 253


def name(domain: str, selector: str, path: str | None = None, line: int | None = None) -> str:
    """Return the name of the record; ``path`` and ``line`` are where the two stand.

    Raises ConfigError where it is longer than the DNS takes (RFC 1035 section 2.3.4).
    """
    full = f"{selector}._domainkey.{domain}"
    if len(full) > _NAME_MAX:
        fault = f"{full} has {len(full)} bytes, and a name in the DNS {_NAME_MAX} at most"
        raise ConfigError(fault, path=path, line=line, remedy="choose a shorter selector")
    return full


def text(algorithm: str, public: bytes) -> str:
    """Return the text of the record for a public key; ``algorithm`` is the ``a=`` tag."""
    kind = algorithm.partition("-")[0]
    return f"v=DKIM1; k={kind}; p={b64encode(public).decode('ascii')}"


def zone_form(name: str, text: str) -> str:
    """Return the record as a zone file has it, its strings a line each."""
    pieces = [text[at : at + STRING_MAX] for at in range(0, len(text), STRING_MAX)]
    strings = "\n    ".join(f'"{piece}"' for piece in pieces)
    return f"{name}. IN TXT ( {strings} )"
