"""The fault of a file that is no private key of ours, and the remedy for it.

Nothing of the file is ever put into a message: it may be a key.
"""

import re
from base64 import b64decode

GENRSA = "make one: openssl genrsa -out FILE 2048"

_PEM = {
    b"-----BEGIN OPENSSH PRIVATE KEY": ("a key for ssh", GENRSA),
    b"ENCRYPTED": (
        "an encrypted key",
        "take the passphrase off: openssl pkey -in FILE -out NEWFILE",
    ),
    b"PRIVATE KEY-----": ("a damaged private key", f"restore it, or {GENRSA}"),
    b"PUBLIC KEY-----": (
        "a public key",
        "name the private key; the public one belongs into the DNS",
    ),
    b"CERTIFICATE-----": ("a certificate", "name the private key"),
}
"""Text to look for in a file, with the fault and its remedy; the first that is found counts."""
_SEQUENCE = b"\x30"
"""The first byte of each key in DER, and ``openssl pkey`` reads all kinds of them."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_FROM_DER = "openssl pkey -inform DER -out NEWFILE"
_UNWRAP = r"tr -d '\r\n' <FILE | openssl base64 -d -A"
# PKCS #8 of Ed25519 (RFC 8410 section 7), up to the 32 bytes of the key.
_ED25519 = r"printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'"
_PSS = bytes.fromhex("06092a864886f70d01010a")
"""id-RSASSA-PSS (RFC 8017 appendix A.2.3) in DER. cryptography takes such a key for any RSA key."""


def of_text(data: bytes) -> tuple[str, str]:
    """Return the fault of a file that cannot be read as a private key in PEM, and the remedy."""
    for mark, found in _PEM.items():
        if mark in data:
            return found
    if not data.strip():
        return "an empty file", GENRSA
    text = b"".join(data.split())
    if data.startswith(_SEQUENCE) and not _BASE64.fullmatch(text):  # which may begin with "0"
        return "not a key in PEM", f"convert it: {_FROM_DER} -in FILE"
    if b"\0" in data:
        return "not a key in PEM, but UTF-16 or no text", f"save it as ASCII, or {GENRSA}"
    return _of_base64(text)


def _of_base64(text: bytes) -> tuple[str, str]:
    """Return the same for a file that may be base64 without the lines of PEM around it."""
    if len(text) % 4 == 0 and _BASE64.fullmatch(text):
        key = b64decode(text)
        if len(key) in (32, 64):  # as dkimpy's dknewkey and libsodium write them
            convert = f"({_ED25519}; {_UNWRAP} | head -c 32) | {_FROM_DER}"
            return (
                "an Ed25519 key in base64, not in PEM",
                f"if it is private, convert it: {convert}",
            )
        if key.startswith(_SEQUENCE):
            return "a key in base64, not in PEM", f"convert it: {_UNWRAP} | {_FROM_DER}"
    return "not a key in PEM", GENRSA


def is_pss(data: bytes) -> bool:
    """Return whether the first key in PEM is for RSASSA-PSS only (PKCS #8, RFC 5208 section 5)."""
    _, _, rest = data.partition(b"-----BEGIN PRIVATE KEY-----")
    return _PSS in b64decode(b"".join(rest[:200].split())[:64])


def private_keys(data: bytes) -> int:
    """Return how many private keys there are in a file in PEM."""
    return len(re.findall(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", data))
