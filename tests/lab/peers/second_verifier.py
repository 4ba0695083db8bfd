"""A second judge of DKIM signatures, besides dkimpy: RFC 6376 read a line at a time.

It shares no code with the signer. It takes headers that dkimpy refuses to read, such as those with
blanks before a colon (RFC 5322 section 4.5), and takes the space and the tab alone for white space
(RFC 6376 section 2.8). It knows ``rsa-sha256`` only.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from lab.peers.nameserver import txt


@dataclass
class Field:
    """A header field: its lines as they came."""

    lines: list[bytes] = field(default_factory=list)

    @property
    def name(self) -> bytes:
        """Return the name in lower case, without the blanks before the colon."""
        return self.lines[0].partition(b":")[0].rstrip(b" \t").lower()

    @property
    def simple(self) -> bytes:
        """Return the canonical form of section 3.4.1."""
        return b"".join(line + b"\r\n" for line in self.lines)

    @property
    def relaxed(self) -> bytes:
        """Return the canonical form of section 3.4.2."""
        value = b"".join(self.lines).partition(b":")[2]
        return self.name + b":" + _squeezed(value).strip(b" ") + b"\r\n"


def fields(lines: list[bytes]) -> list[Field]:
    """Return the fields of a header; a continuation line that continues nothing is left out."""
    found: list[Field] = []
    for line in lines:
        if not line.startswith((b" ", b"\t")):
            found.append(Field([line]))
        elif found:
            found[-1].lines.append(line)
    return found


def tags(signature: Field) -> dict[bytes, bytes]:
    """Return the tags of a DKIM-Signature field (section 3.2), all white space gone."""
    value = re.sub(rb"[ \t]", b"", b"".join(signature.lines).partition(b":")[2])
    pairs = [tag.partition(b"=") for tag in value.split(b";") if tag]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: text for name, _, text in pairs}


def flaw(message: bytes, record: Callable[[bytes], bytes | None] = txt) -> str | None:
    """Return what is wrong with the topmost DKIM signature of a delivered message, or None.

    Its line ends are LF. ``record`` finds the TXT record of a name.
    """
    lines = message.split(b"\n")[:-1]
    blank = lines.index(b"") if b"" in lines else len(lines)
    header, body = fields(lines[:blank]), lines[blank + 1 :]
    signature = next(one for one in header if one.name == b"dkim-signature")
    said = tags(signature)
    header_form, _, body_form = said[b"c"].partition(b"/")
    digest = sha256(_body(body, body_form.decode())).digest()
    if b64decode(said[b"bh"]) != digest:
        return "the body is another one"
    chosen = _chosen([one for one in header if one is not signature], said[b"h"].split(b":"))
    data = b"".join(_form(one, header_form.decode()) for one in chosen)
    data += _form(_unsigned(signature), header_form.decode()).removesuffix(b"\r\n")
    published = record(said[b"s"] + b"._domainkey." + said[b"d"])
    assert published is not None
    key = load_der_public_key(b64decode(published.partition(b"p=")[2]))
    assert isinstance(key, RSAPublicKey)
    try:
        key.verify(b64decode(said[b"b"]), data, PKCS1v15(), SHA256())
    except InvalidSignature:
        return f"the header is another one than {data!r}"
    return None


def _chosen(header: list[Field], names: list[bytes]) -> list[Field]:
    """Return the fields that ``h=`` names, each from the bottom upwards (section 5.4.2)."""
    left = header[::-1]
    chosen = []
    for name in names:
        for number, one in enumerate(left):
            if one.name == name.lower():
                chosen.append(left.pop(number))
                break
    return chosen


def _form(one: Field, canonicalization: str) -> bytes:
    return one.simple if canonicalization == "simple" else one.relaxed


def _unsigned(signature: Field) -> Field:
    """Return the field with an empty value of ``b=`` (section 3.7)."""
    whole = b"\n".join(signature.lines)
    name, _, value = whole.partition(b":")
    parts = [
        part.partition(b"=")[0] + b"=" if part.partition(b"=")[0].strip() == b"b" else part
        for part in value.split(b";")
    ]
    return Field((name + b":" + b";".join(parts)).split(b"\n"))


def _body(lines: list[bytes], canonicalization: str) -> bytes:
    if canonicalization == "relaxed":
        lines = [_squeezed(line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines = lines[:-1]
    if not lines:
        return b"" if canonicalization == "relaxed" else b"\r\n"
    return b"".join(line + b"\r\n" for line in lines)


def _squeezed(text: bytes) -> bytes:
    return re.sub(rb"[ \t]+", b" ", text)
