"""The keys that RFC 6376 and RFC 8463 publish for examples, and what judges signatures."""

from base64 import b64decode
from collections.abc import Sequence
from types import SimpleNamespace

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# RFC 6376 appendix C: 1024 bits, so it also has a warning to show.
RSA_PEM = """\
-----BEGIN RSA PRIVATE KEY-----
MIICXwIBAAKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC
jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gb
to/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB
AoGBALmn+XwWk7akvkUlqb+dOxyLB9i5VBVfje89Teolwc9YJT36BGN/l4e0l6QX
/1//6DWUTB3KI6wFcm7TWJcxbS0tcKZX7FsJvUz1SbQnkS54DJck1EZO/BLa5ckJ
gAYIaqlA9C0ZwM6i58lLlPadX/rtHb7pWzeNcZHjKrjM461ZAkEA+itss2nRlmyO
n1/5yDyCluST4dQfO8kAB3toSEVc7DeFeDhnC1mZdjASZNvdHS4gbLIA1hUGEF9m
3hKsGUMMPwJBAPW5v/U+AWTADFCS22t72NUurgzeAbzb1HWMqO4y4+9Hpjk5wvL/
eVYizyuce3/fGke7aRYw/ADKygMJdW8H/OcCQQDz5OQb4j2QDpPZc0Nc4QlbvMsj
7p7otWRO5xRa6SzXqqV3+F0VpqvDmshEBkoCydaYwc2o6WQ5EBmExeV8124XAkEA
qZzGsIxVP+sEVRWZmW6KNFSdVUpk3qzK0Tz/WjQMe5z0UunY9Ax9/4PVhp/j61bf
eAYXunajbBSOLlx4D+TunwJBANkPI5S9iylsbLs6NkaMHV6k5ioHBBmgCak95JGX
GMot/L2x0IYyMLAz6oLWh2hm7zwtb0CgOrPo1ke44hFYnfc=
-----END RSA PRIVATE KEY-----
"""
RSA_PUBLIC = (
    b"v=DKIM1; k=rsa; p="
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
    b"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0"
    b"fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)

# RFC 8463 appendix A.2: another one, of which only the public half is needed.
RFC_8463_RSA_PUBLIC = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bd"
    "OKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4h"
    "stT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
)

# RFC 8463 appendix A.1, in the frame that PKCS #8 puts around it.
ED25519_PEM = """\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
ED25519_PUBLIC = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


class _VerifyKey:
    """The one class of PyNaCl that dkimpy verifies Ed25519 with."""

    def __init__(self, key: bytes, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(b64decode(key))

    def verify(self, message: bytes, signature: bytes) -> None:
        self._key.verify(signature, message)


if not hasattr(dkim, "nacl"):
    dkim.nacl = SimpleNamespace(
        signing=SimpleNamespace(VerifyKey=_VerifyKey),
        encoding=SimpleNamespace(Base64Encoder=None),
        exceptions=SimpleNamespace(ValueError=ValueError, BadSignatureError=InvalidSignature),
    )


def dns(name: bytes, timeout: int = 5) -> bytes | None:
    """Answer for every domain: selector mail has the RSA key, selector ed the other."""
    records = {b"mail": RSA_PUBLIC, b"ed": ED25519_PUBLIC}
    return records.get(name.partition(b"._domainkey.")[0])


def verifies(lines: Sequence[bytes], index: int = 0) -> bool:
    """Does dkimpy find the signature number ``index`` of a message good?"""
    message = b"\r\n".join(lines) + b"\r\n"
    # The RFC's own RSA key has 1024 bits.
    judge = dkim.DKIM(message, minkey=1024)
    try:
        return bool(judge.verify(index, dnsfunc=dns))
    except dkim.ValidationError:
        return False


def readable(lines: Sequence[bytes]) -> bool:
    """Does dkimpy take this for a message at all?"""
    try:
        dkim.DKIM(b"\r\n".join(lines))
    except dkim.MessageFormatError:
        return False
    return True


def tags(field: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the tags of the first DKIM-Signature field in ``field``, white space gone."""
    lines = [field[0]]
    for line in field[1:]:
        if not line.startswith((b" ", b"\t")):
            break
        lines.append(line)
    value = b"".join(b"".join(lines).partition(b":")[2].split())
    return {tag.partition(b"=")[0]: tag.partition(b"=")[2] for tag in value.split(b";")}
