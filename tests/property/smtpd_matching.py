"""What smtpd's own tables match, one row at a time: ``table_*_match`` in table.c, after its C.

It knows nothing of ``opensmtpd.table.matching``, and reads addresses with ``ipaddress``.
"""

import ipaddress
import string

from opensmtpd.table import Service

ROW_MAX = 1023
PART_MAX = 255
STAR, AT = b"*", b"@"


def matches(service: Service, key: str, row: str, delimiter: str = "+") -> bool:
    """Does ``row`` match ``key``? Both as bytes, and in lower case, as smtpd has them."""
    k = key.encode("utf-8", "surrogateescape").lower()
    r = row.encode("utf-8", "surrogateescape").lower()
    if not r or max(len(k), len(r)) > ROW_MAX:
        return False
    if service is Service.DOMAIN:
        return hostname_match(k, r)
    if service is Service.MAILADDR:
        return mailaddr_match(k, r, delimiter.encode())
    if service is Service.NETADDR:
        return netaddr_match(k, r)
    return k == r


def hostname_match(name: bytes, pattern: bytes) -> bool:
    while name and pattern:
        if pattern[:1] == STAR:
            pattern = pattern.lstrip(STAR)
            while name and name[:1] != pattern[:1]:
                name = name[1:]
        elif name[:1] == pattern[:1]:
            name, pattern = name[1:], pattern[1:]
        else:
            return False
    return not name and not pattern


def mailaddr(text: bytes) -> tuple[bytes, bytes] | None:
    at = text.rfind(AT)
    user, domain = (text, b"") if at < 0 else (text[:at], text[at + 1 :])
    return None if len(user) > PART_MAX or len(domain) > PART_MAX else (user, domain)


def mailaddr_match(key: bytes, row: bytes, delimiter: bytes) -> bool:
    one, two = mailaddr(key), mailaddr(row)
    if one is None or two is None:
        return False
    if two == (b"", b""):
        return True
    if two[1] and not hostname_match(one[1], two[1]):
        return False
    user = one[0]
    if two[0] and delimiter and delimiter not in two[0]:
        user = user.split(delimiter)[0]
    return not two[0] or user == two[0]


def netaddr_match(key: bytes, row: bytes) -> bool:
    if key == row:
        return True
    one, two = netaddr(key), netaddr(row)
    if one is None or two is None or one[0] != two[0]:
        return False
    family, network, bits = two
    mask = int("1" * bits + "0" * (family - bits), 2)
    return one[1] & mask == network & mask


def netaddr(raw: bytes) -> tuple[int, int, int] | None:
    """Return 32 or 128, the address and the prefix length: ``text_to_netaddr`` in to.c."""
    text = raw.decode("latin-1")
    text = text[5:] if text[:5] == "ipv6:" else text
    address, slash, length = text.partition("/")
    found = ipv4(address, length if slash else None)
    if found is not None:
        return found
    if text[:1] == "[":
        text = text[6:] if text[1:6] == "ipv6:" else text[1:]
        if text[-1:] != "]":
            return None
        text = text[:-1]
    address, slash, length = text.partition("/")
    return ipv6(address, length if slash else None) if len(text) <= 50 else None


def digits(text: str, allowed: str = string.digits) -> bool:
    return text != "" and all(char in allowed for char in text)


def ipv4(address: str, length: str | None) -> tuple[int, int, int] | None:
    if address[:2] == "0x" and digits(address[2:], string.hexdigits) and len(address) <= 10:
        octets = [int(address[at : at + 2].ljust(2, "0"), 16) for at in range(2, len(address), 2)]
    elif all(digits(octet) and int(octet) < 256 for octet in address.split(".")):
        octets = [int(octet) for octet in address.split(".")]
    else:
        return None
    if len(octets) > 4 or (length is not None and not (digits(length) and int(length) <= 32)):
        return None
    if length is not None:
        bits = int(length)
    elif octets[0] >= 240:
        bits = 32
    else:
        imputed = 4 if octets[0] >= 224 else 24 if octets[0] >= 192 else 16
        bits = max(8 if octets[0] < 128 else imputed, 8 * len(octets))
    octets += [0, 0, 0]
    return (
        32,
        sum(octet << shift for octet, shift in zip(octets, (24, 16, 8, 0), strict=False)),
        bits,
    )


def ipv6(address: str, length: str | None) -> tuple[int, int, int] | None:
    try:
        value = None if "%" in address else int(ipaddress.IPv6Address(address))
    except ValueError:
        return None
    bits = 128
    if length is not None:  # strtonum
        number = length.lstrip(" \t\n\v\f\r")
        if not digits(number[number[:1] in ("+", "-") :]):
            return None
        bits = int(number)
    if value is None or not 0 <= bits <= 128:
        return None
    unseen = 128 - (bits + 7) // 8 * 8
    return 128, value >> unseen << unseen, bits
