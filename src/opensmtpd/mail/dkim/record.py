"""The TXT record that publishes a key (RFC 6376 section 3.6.2; RFC 1035 sections 3.3 and 5.1)."""

from opensmtpd.errors import ConfigError

STRING_MAX = 255
"""Bytes of one string in a TXT record: its length has one byte."""
_LABEL_MAX, _NAME_MAX = 63, 253


def name(domain: str, selector: str) -> str:
    """Return the name of the record. Raises ConfigError where the DNS has no room for it."""
    full = f"{selector}._domainkey.{domain}"
    if len(full) > _NAME_MAX:
        raise ConfigError(f"{full} has more than {_NAME_MAX} bytes, the most that the DNS takes")
    if any(len(label) > _LABEL_MAX for label in full.split(".")):
        fault = f"{full} has more than {_LABEL_MAX} bytes between two dots"
        raise ConfigError(f"{fault}, the most that the DNS takes")
    return full


def zone_form(name: str, text: str) -> str:
    """Return the record as a zone file has it, its strings a line each."""
    pieces = [text[at : at + STRING_MAX] for at in range(0, len(text), STRING_MAX)]
    strings = "\n    ".join(f'"{piece}"' for piece in pieces)
    return f"{name}. IN TXT ( {strings} )"
