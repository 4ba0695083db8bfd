"""The keys that smtpd asks a table for, as str; bytes that are no UTF-8 are surrogates."""

from opensmtpd.table import KEY_MAX, Service
from opensmtpd.table.text import lower

AUTH_AS_TYPED = (7, 9)
"""Before this version, smtpd lower-cases the key of ``auth``, password included."""


def asked(service: Service, key: str, smtpd: tuple[int, ...]) -> str:
    """Return the key as it is sent to a table by an smtpd of this version.

    Raises ValueError, with the reason, for one that smtpd does not ask for.
    """
    if len(key.encode("utf-8", "surrogateescape")) > KEY_MAX:
        raise ValueError(f"the key has more than {KEY_MAX:,} bytes")
    if "\n" in key or "\r" in key:
        raise ValueError("the key holds a line end")
    return key if service is Service.AUTH and smtpd >= AUTH_AS_TYPED else lower(key)


def of_alias(address: str, delimiter: str = "+") -> list[str]:
    """Return what ``action … alias <table>`` asks for, in order (``aliases_get``).

    The domain of an address plays no part.
    """
    user = lower(address.rpartition("@")[0] if "@" in address else address)
    return list(dict.fromkeys([user, user.partition(delimiter)[0]]))


def of_virtual(address: str, delimiter: str = "+") -> list[str]:
    """Return what ``action … virtual <table>`` asks for, in order (``aliases_virtual_get``)."""
    whole, _, domain = (
        lower(address).rpartition("@") if "@" in address else (lower(address), "", "")
    )
    user, _, tag = whole.partition(delimiter)
    if not tag:
        found = [f"{user}@{domain}", user]
    else:
        tagged = f"{user}{delimiter}{tag}"
        found = [f"{tagged}@{domain}", f"{user}@{domain}", tagged, user]
    return [*found, f"@{domain}", "@"] if domain else found
