"""OpenDKIM behind filter-milter: it signs, it verifies, and OpenDMARC reads what it has found."""

import re

import dkim
import pytest

from integration.support.milter_real import number, prepare, seen_by, send
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.milters.clamav import EICAR, ClamavServer
from lab.peers.milters.opendkim import OpenDkimServer
from lab.peers.milters.opendmarc import OpenDmarcServer
from lab.peers.milters.spamass import GTUBE, SpamassServer
from lab.peers.verify import flaw, signatures
from lab.shows.demo import LOCAL, OUTSIDE, STRANGER
from lab.shows.guide import PASSWORD
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milters", prepare)], indirect=True, ids=str
)
BODIES = {
    "short": b"hello\r\n",
    "dots": b".\r\n..\r\n.dot\r\n\r\n\r\n",
    "white space": b"a \t b  \r\n \t\r\n\r\nend  \r\n\r\n\r\n",
    "none": b"",
    "eight bits": b"gr\xc3\xbc\xc3\x9fe \xff\xfe\r\n",
    "long lines": b"y" * 60_000 + b"\r\nx" + b"z" * 4000 + b"\r\n",
    "large": (b"z" * 98 + b"\r\n") * 20_000,
}
HEADER = (
    b"From: Alice <alice@example.com>\r\n"
    b"To: bob@example.net,\r\n\tcarol@outside.example.org\r\n"
    b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n and more\r\n"
    b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@client.example.net>\r\n"
    b"X-Odd:no space\r\n"
)


@pytest.fixture
def site(lab: Lab, opendkim: OpenDkimServer) -> Lab:
    """smtpd that sees OpenDKIM, whose key is in the DNS."""
    seen_by(lab, opendkim)
    keys = {(name, "TXT"): [_quoted(text)] for name, text in opendkim.records.items()}
    lab.dns.records = {**lab.dns.records, **keys}
    return lab


def _quoted(text: str) -> str:
    return " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))


def submit(site: Lab, message: bytes, recipient: str = LOCAL, title: str = "signing") -> mail.Reply:
    """Send a message as Alice, with TLS and password."""
    with mail.connect(CONFIRMED_PTR, number(title)) as client:
        client.starttls(context=mail.trusting(site.guide))
        client.login("alice", PASSWORD)
        return mail.send(client, LOCAL, recipient, message)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_signature_holds(site: Lab, body: bytes) -> None:
    assert submit(site, HEADER + b"\r\n" + body)[0] == 250
    message = site.inbox.one().message
    assert signatures(message) == 1
    assert re.search(rb"\bd=example\.com;\s+s=odkim;", message.partition(b"\n\n")[0])
    assert flaw(message) is None
    names = [line.partition(b":")[0] for line in message.split(b"\n") if line[:1] not in b" \t"]
    assert names[:2] == [b"Received", b"DKIM-Signature"]
    assert message.endswith((HEADER + b"\r\n" + body).replace(b"\r\n", b"\n"))


def test_a_signature_holds_outside(site: Lab) -> None:
    assert submit(site, HEADER + b"\r\nhello\r\n", OUTSIDE)[0] == 250
    message = site.sink.take(30)
    assert signatures(message) == 1
    assert flaw(message) is None


def test_mail_of_a_stranger_is_not_signed(site: Lab) -> None:
    """Though it says that it is from us: only those who have authenticated are."""
    assert send("signing", HEADER + b"\r\nhello\r\n")[0] == 250
    message = site.inbox.one().message
    assert signatures(message) == 0
    assert b"Authentication-Results: example.com; dkim=none" in message


def test_the_signature_is_one_of_what_milters_before_it_made(
    site: Lab, clamav: ClamavServer, spamass: SpamassServer
) -> None:
    """SpamAssassin has put another body around the message."""
    seen_by(site, spamass)
    assert submit(site, HEADER + b"\r\n" + EICAR + b"\r\n", title="all")[0] == 550
    for body in (GTUBE + b"\r\n", b"hello\r\n"):
        assert submit(site, HEADER + b"\r\n" + body, title="all")[0] == 250
        message = site.inbox.one().message
        assert signatures(message) == 1
        assert flaw(message) is None
        assert (b"Found to be spam" in message) == (GTUBE in body)
        assert b"\nX-Virus-Status: Clean\n" in message


# --- incoming -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signer() -> tuple[bytes, str]:
    """The key of somebody else, and its record."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, "v=DKIM1; k=rsa; p=" + "".join(public.decode().splitlines()[1:-1])


@pytest.fixture
def incoming(site: Lab, opendmarc: OpenDmarcServer, signer: tuple[bytes, str]) -> Lab:
    """smtpd with both milters, and domains with policies in the DNS."""
    records: dict[tuple[str, str], list[str]] = {}
    for domain, policy in (
        ("pass.example", "reject"),
        ("none.example", "none"),
        ("open.example", ""),
    ):
        records[f"s1._domainkey.{domain}", "TXT"] = [_quoted(signer[1])]
        records[domain, "A"] = ["192.0.2.7"]
        if policy:
            records[f"_dmarc.{domain}", "TXT"] = [f'"v=DMARC1; p={policy}"']
    site.dns.records = {**site.dns.records, **records}
    return site


def message_of(domain: str) -> bytes:
    """Return a message of somebody there."""
    return (
        f"From: Bob <bob@{domain}>\r\nTo: alice@example.com\r\nSubject: hello\r\n"
        f"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@{domain}>\r\n\r\nhello\r\n"
    ).encode()


def signed(domain: str, pem: bytes) -> bytes:
    """Return the same, signed."""
    message = message_of(domain)
    field: bytes = dkim.sign(message, b"s1", domain.encode(), pem)
    return field + message


def results(message: bytes) -> list[bytes]:
    """Return the Authentication-Results, each in one line, from the top."""
    header = re.sub(rb"\n[ \t]+", b" ", message.partition(b"\n\n")[0])
    return re.findall(rb"(?m)^Authentication-Results: (.*)$", header)


def test_opendmarc_reads_what_opendkim_has_written(
    incoming: Lab, signer: tuple[bytes, str]
) -> None:
    assert send("incoming", signed("pass.example", signer[0]), "bob@pass.example")[0] == 250
    dmarc, by_dkim = sorted(
        results(incoming.inbox.one().message), key=lambda each: b"dkim=" in each
    )
    assert by_dkim.startswith(b"example.com; dkim=pass")
    assert b"header.d=pass.example" in by_dkim
    assert dmarc == b"example.com; dmarc=pass (p=reject dis=none) header.from=pass.example"


@pytest.mark.parametrize("domain", ["none.example", "open.example"])
def test_a_domain_that_rejects_nothing(incoming: Lab, domain: str) -> None:
    assert send("incoming", message_of(domain), f"bob@{domain}")[0] == 250
    dmarc, by_dkim = sorted(
        results(incoming.inbox.one().message), key=lambda each: b"dkim=" in each
    )
    assert by_dkim.startswith(b"example.com; dkim=none")
    wanted = b"dmarc=fail (p=none dis=none)" if domain == "none.example" else b"dmarc=none"
    assert wanted in dmarc


@pytest.mark.parametrize("how", ["no signature", "broken", "of another domain"])
def test_a_policy_to_reject(incoming: Lab, signer: tuple[bytes, str], how: str) -> None:
    message = message_of("pass.example")
    if how == "broken":
        message = signed("pass.example", signer[0]).replace(b"\r\n\r\nhello", b"\r\n\r\nforged")
    elif how == "of another domain":
        field: bytes = dkim.sign(message, b"s1", b"open.example", signer[0])
        message = field + message
    code, text = send("incoming", message, "bob@pass.example")
    assert (code, text) == (550, b"5.7.1 rejected by DMARC policy for pass.example")


def test_a_forged_result_is_not_believed(incoming: Lab) -> None:
    """OpenDKIM removes it, as it is written in our server's name."""
    forged = b"Authentication-Results: example.com; dkim=pass header.d=pass.example\r\n"
    assert send("incoming", forged + message_of("pass.example"), "bob@pass.example")[0] == 550
    assert send("incoming", forged + message_of("open.example"), STRANGER)[0] == 250
    assert b"header.d=pass.example" not in incoming.inbox.one().message
