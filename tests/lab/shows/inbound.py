"""Mail that says who has sent it, rightly or not, and what filter-auth lets become of it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.maildir import Maildir
from lab.peers.nameserver import Records
from lab.shows.guide import Guide

ALICE = "alice@example.com"
FORWARDER = "192.0.2.100"
"""A client with proper DNS whom no domain has named in its SPF record."""
STRICT, MILD, SHOP = "bank.example", "paper.example", "shop.example"
"""Domains that ask to refuse, to file as junk, and to deliver what is not theirs."""
LIST = "list.example"
"""A mailing list whose seal is trusted."""
FIELD = b"Authentication-Results: example.com;"


class Signer(NamedTuple):
    """Somebody else's key."""

    pem: bytes
    text: str
    """Its TXT record."""

    @property
    def record(self) -> str:
        """The record in zone file form."""
        return " ".join(f'"{self.text[at : at + 250]}"' for at in range(0, len(self.text), 250))

    def signed(self, domain: str, message: bytes) -> bytes:
        """Return a message with a signature of a domain, both with CRLF line ends."""
        names = [b"from", b"to", b"subject", b"date"]
        field = dkim.sign(message, b"s", domain.encode(), self.pem, include_headers=names,
                          canonicalize=(b"relaxed", b"relaxed"))  # fmt: skip
        return bytes(field) + message

    def zone(self) -> Records:
        """Return what the DNS says of the domains."""
        found = {(f"s._domainkey.{LIST}", "TXT"): [self.record]}
        for domain, policy in ((STRICT, "reject"), (MILD, "quarantine"), (SHOP, "none")):
            found[domain, "TXT"] = [f'"v=spf1 ip4:{CONFIRMED_PTR} -all"']
            found[f"_dmarc.{domain}", "TXT"] = [f'"v=DMARC1; p={policy}"']
            found[f"s._domainkey.{domain}", "TXT"] = [self.record]
        return found


def new_signer() -> Signer:
    """Make a key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Signer(pem, f"v=DKIM1; p={base64.b64encode(der).decode()}")


def plain(signer: Signer, domain: str, message: bytes) -> bytes:
    """Leave a message without a signature."""
    return message


def signed(signer: Signer, domain: str, message: bytes) -> bytes:
    """Sign a message."""
    return signer.signed(domain, message)


def altered(signer: Signer, domain: str, message: bytes) -> bytes:
    """Sign a message, and change it, as some lists do."""
    return signer.signed(domain, message).replace(b"\r\nSubject: ", b"\r\nSubject: [list] ")


def sealed(signer: Signer, domain: str, message: bytes) -> bytes:
    """Sign a message, change it, and say under the seal of a list that it had been in order."""
    found = f"Authentication-Results: {LIST}; dmarc=pass header.from={domain}\r\n".encode()
    changed = found + altered(signer, domain, message)
    names = [b"from", b"to", b"subject", b"date"]
    chain = dkim.arc_sign(changed, b"s", LIST.encode(), signer.pem, LIST.encode(),
                          include_headers=names)  # fmt: skip
    return b"".join(chain) + changed


@dataclass(frozen=True)
class InboundScene:
    """One mail from outside."""

    title: str
    author: str
    """The domain in From."""
    made: Callable[[Signer, str, bytes], bytes]
    place: str
    """Where it has to land: "inbox", ".Junk", or "refused"."""
    says: str
    """The results of SPF for MAIL FROM, DKIM, ARC (where there is any) and DMARC that the message
    tells, or words of the refusal."""
    client: str = FORWARDER


SCENES = (
    InboundScene("honest: signed, and from its own server", STRICT, signed, "inbox",
                 "spf=pass dkim=pass dmarc=pass", CONFIRMED_PTR),
    InboundScene("honest: from its own server, unsigned", STRICT, plain, "inbox",
                 "spf=pass dkim=none dmarc=pass", CONFIRMED_PTR),
    InboundScene("forwarded: signed, from another server", STRICT, signed, "inbox",
                 "spf=fail dkim=pass dmarc=pass"),
    InboundScene("forwarded, and changed on the way", SHOP, altered, "inbox",
                 "spf=fail dkim=fail dmarc=fail"),
    InboundScene("forwarded, changed and sealed by a list", STRICT, sealed, "inbox",
                 "spf=fail dkim=fail arc=pass dmarc=fail"),
    InboundScene("spoofed: its domain asks to refuse it", STRICT, plain, "refused",
                 f"5.7.1 DMARC {STRICT}"),
    InboundScene("spoofed: its domain asks for Junk", MILD, plain, ".Junk",
                 "spf=fail dkim=none dmarc=fail"),
)  # fmt: skip


def outcome(scene: InboundScene, guide: Guide, signer: Signer) -> tuple[str, str]:
    """Send the mail of a scene; returns where it landed, and what the results of its checks are."""
    sender = f"bob@{scene.author}"
    message = scene.made(signer, scene.author, mail.compose(sender, ALICE, scene.title))
    with mail.connect(scene.client) as client:
        code, text = mail.send(client, sender, ALICE, message)
    if code != 250:
        return "refused", refusal(text.decode(), scene.author)
    delivered = Maildir(guide.home("alice") / "Maildir").one(30)
    return delivered.folder, results(delivered.message)


def refusal(reply: str, author: str) -> str:
    """Return what a refusal has to say: its code, the word DMARC, and the domain."""
    return " ".join(word for word in reply.split() if word in ("5.7.1", "DMARC", author))


def results(message: bytes) -> str:
    """Return what our field says of SPF for MAIL FROM, DKIM, ARC if there is any, and DMARC."""
    header = message.partition(b"\n\n")[0].replace(b"\n\t", b" ")
    fields = [line for line in header.split(b"\n") if line.startswith(FIELD)]
    words = [part.split()[0].decode() for field in fields for part in field.split(b";")[1:]]
    found = {word.partition("=")[0]: word for word in words}  # of SPF, the last is MAIL FROM
    if found.get("arc") == "arc=none":
        del found["arc"]
    return " ".join(found[each] for each in ("spf", "dkim", "arc", "dmarc") if each in found)
