"""Signatures made by hand, good ones and odd ones, to be verified.

It shares no code with the signer of the library: RFC 6376 section 3.7, with dkimpy's forms.
"""

from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dkim.canonicalization import Relaxed, Simple

from unit.support.dkim_material import ED25519_PEM, ED25519_PUBLIC, RSA_PEM, RSA_PUBLIC

FORMS = {b"simple": Simple, b"relaxed": Relaxed}
HEADER = [b"From: Alice <alice@example.com>\r\n", b"Subject: a  test\r\n\tof folding \r\n"]
BODY = b"Hello  Bob, \r\n\r\ntabs\tand blanks \r\n\r\n\r\n"
RECORDS: dict[str, str | list[str] | None] = {
    "mail._domainkey.example.com": RSA_PUBLIC.decode(),
    "ed._domainkey.example.com": ED25519_PUBLIC.decode(),
}
_RSA, _ED = (load_pem_private_key(pem.encode(), None) for pem in (RSA_PEM, ED25519_PEM))


def field(
    tags: bytes = b"",
    *,
    form: bytes = b"relaxed/relaxed",
    names: bytes = b"from:subject",
    header: list[bytes] = HEADER,
    body: bytes = BODY,
    length: int | None = None,
    ed25519: bool = False,
    domain: bytes = b"example.com",
) -> bytes:
    """Return a DKIM-Signature field with its line end; ``tags`` are more of them, each with ";".

    The fields of the header are those that the signature covers, in the order of ``names``.
    """
    of_header, of_body = (FORMS[name] for name in form.split(b"/"))
    algorithm, selector = (b"ed25519", b"ed") if ed25519 else (b"rsa", b"mail")
    hashed = sha256(of_body.canonicalize_body(body)[:length]).digest()
    tags += b"" if length is None else b" l=%d;" % length
    empty = b"v=1; a=%s-sha256; c=%s; d=%s; s=%s; h=%s; bh=%s;%s b=" % (
        *(algorithm, form, domain, selector, names, b64encode(hashed), tags),
    )
    covered = [one.partition(b":")[::2] for one in header]
    pairs = of_header.canonicalize_headers([*covered, (b"DKIM-Signature", b" " + empty + b"\r\n")])
    data = b"".join(name + b":" + value for name, value in pairs).removesuffix(b"\r\n")
    return b"DKIM-Signature: " + empty + b64encode(_signature(data, ed25519)) + b"\r\n"


def _signature(data: bytes, ed25519: bool) -> bytes:
    digest = sha256(data).digest()
    if ed25519:
        assert isinstance(_ED, Ed25519PrivateKey)
        return _ED.sign(digest)
    assert isinstance(_RSA, RSAPrivateKey)
    return _RSA.sign(digest, PKCS1v15(), Prehashed(SHA256()))


def message(*fields: bytes, header: list[bytes] = HEADER, body: bytes = BODY) -> bytes:
    """Return a message with these fields on top."""
    return b"".join([*fields, *header]) + b"\r\n" + body
