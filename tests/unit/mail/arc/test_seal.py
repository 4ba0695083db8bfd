"""What is sealed, judged by dkimpy, by Mail::DKIM, and by what verifies here."""

import re
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from lab.peers import arc_judges
from opensmtpd.errors import Unsignable
from opensmtpd.mail.arc.options import NAMES
from opensmtpd.mail.arc.seal import MessageSigner, Sealer
from opensmtpd.mail.dkim.keys.keyring import Keyring
from opensmtpd.mail.dkim.sign.signer import Signer, Signing
from opensmtpd.mail.dkim.sign.style import Style, field_names
from opensmtpd.mail.dkim.verify.tags import tag_list, words
from unit.support.arc_messages import NOW, seal_suite, sealed_message, verified
from unit.support.dkim_material import ED25519_PUBLIC
from unit.support.dkim_signing import signed

SEAL = seal_suite()
ZONE = {**SEAL.get("zone", {}), "ed._domainkey.example.com": ED25519_PUBLIC.decode()}
STYLE = Style("relaxed", "relaxed", field_names(NAMES))
RECEIVED = b"Received: from client by mx.example\n\twith ESMTP; Sat, 28 Nov 2026 12:00:00 +0000\n"

Judge = Callable[..., str]
judges = pytest.mark.parametrize(
    "judge",
    [
        arc_judges.dkimpy,
        pytest.param(
            arc_judges.mail_dkim,
            marks=pytest.mark.skipif(
                not arc_judges.has_mail_dkim(), reason="no Mail::DKIM on this machine"
            ),
        ),
    ],
    ids=["dkimpy", "Mail::DKIM"],
)


def with_field(signer: Signer, message: bytes) -> bytes:
    """Return a message with what a signer puts in front of it."""
    header, blank, body = message.partition(b"\n\n")
    signing = Signing(signer)
    signing.header(header.split(b"\n"))
    if blank:
        signing.body(body.removesuffix(b"\n").split(b"\n"))
    return b"".join(line + b"\n" for line in signed(signing.prepare())) + message


def results(instance: int, arc: str) -> bytes:
    text = "ARC-Authentication-Results: i={}; mx.example;\n\tarc={}; spf=none\n"
    return text.format(instance, arc).encode()


def sealed(message: bytes, keyring: Keyring, style: Style = STYLE, now: int = NOW) -> bytes:
    """Verify a message, and put the whole set in front, as the three filters do."""
    found = verified(message, ZONE)
    assert found.next_instance is not None
    message = results(found.next_instance, found.result) + RECEIVED + message
    for kind in (MessageSigner, Sealer):
        message = with_field(kind(keyring, style, clock=lambda: now), message)
    return message


def field(message: bytes, name: bytes) -> dict[bytes, bytes]:
    """Return the tags of the topmost field of a name."""
    match = re.search(rb"^%s:([^\n]*(?:\n[ \t][^\n]*)*)" % name, message, re.MULTILINE)
    assert match is not None
    return tag_list(match[1])


@pytest.mark.parametrize("case", SEAL["cases"], ids=lambda case: case["id"])
def test_arc_seal_json(case: dict[str, Any], keyring: Keyring) -> None:
    found = verified(case["message"], case["zone"])
    if case["seal"] is None:
        assert found.next_instance is None
        return
    message = results(case["seal"]["i"], found.result) + RECEIVED + case["message"]
    for kind in (MessageSigner, Sealer):
        message = with_field(kind(keyring, STYLE, clock=lambda: NOW), message)
    assert re.findall(rb"^([A-Z-]+): ?i=%d" % case["seal"]["i"], message, re.M | re.I)[:3] == [
        b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"
    ]  # fmt: skip
    seal = field(message, b"ARC-Seal")
    assert list(seal) == [b"i", b"a", b"s", b"cv", b"d", b"b"]
    assert (int(seal[b"i"]), seal[b"cv"].decode()) == (case["seal"]["i"], case["seal"]["cv"])
    after = verified(message, case["zone"])
    if case["seal"]["cv"] == "fail":
        reason = f"ARC-Seal of instance {case['seal']['i']} says cv=fail"
        assert (after.result, after.reason, after.next_instance) == ("fail", reason, None)
        # It covers its own set only: alone, as instance 1 of a chain would, it holds.
        assert_holds_alone(message, case)
    else:
        assert after.result == "pass"
        assert after.instance == case["seal"]["i"]
        assert after.sealers[0] == "mx.example"
        assert after.aar.endswith(b"mx.example;\n\tarc=%s; spf=none" % found.result.encode())
    covered = words(field(message, b"ARC-Message-Signature")[b"h"])
    assert {b"from", b"to", b"subject", b"date", b"message-id"} <= set(covered)
    assert not [name for name in covered if name.startswith((b"arc-", b"authentication-"))]


def assert_holds_alone(message: bytes, case: dict[str, Any]) -> None:
    top = re.findall(rb"^(ARC-[A-Za-z-]+):([^\n]*(?:\n[ \t][^\n]*)*)", message, re.MULTILINE)[:3]
    forms = [name.lower() + b":" + b" ".join(value.split()) for name, value in top]
    forms[0] = forms[0].partition(b" b=")[0] + b" b="
    seal = tag_list(top[0][1])
    data = b"\r\n".join(forms[::-1])
    published = case["zone"]["seal._domainkey.mx.example"].partition("p=")[2]
    key: Any = load_der_public_key(b64decode(published))
    key.verify(b64decode(seal[b"b"]), data, PKCS1v15(), SHA256())


@judges
@pytest.mark.parametrize("id", ["no-chain", "chain-of-2", "older-message-signature-broken"])
def test_others_accept_it(judge: Judge, id: str, keyring: Keyring) -> None:
    message = sealed(sealed_message(id), keyring)
    assert judge(message, ZONE) == "pass"


@judges
@pytest.mark.parametrize(("header", "body"), [("simple", "relaxed"), ("relaxed", "simple")])
def test_others_accept_each_form(judge: Judge, header: Any, body: Any, keyring: Keyring) -> None:
    style = STYLE._replace(header=header, body=body, timestamp=True, lifetime=3600)
    now = int(time.time())
    message = sealed(sealed_message("chain-of-1"), keyring, style, now)
    assert judge(message, ZONE) == "pass"
    assert judge(message.replace(b"spf=none", b"spf=pass"), ZONE) == "fail"
    assert field(message, b"ARC-Seal")[b"t"] == b"%d" % now
    assert field(message, b"ARC-Message-Signature")[b"x"] == b"%d" % (now + 3600)


@judges
def test_others_accept_chains_of_ours(judge: Judge, keyring: Keyring) -> None:
    message = sealed_message("no-chain")
    for _ in range(5):
        message = sealed(message, keyring)
    assert judge(message, ZONE) == "pass"


def test_the_last_set_of_50(keyring: Keyring) -> None:
    """Mail::DKIM takes minutes for this one."""
    message = sealed(sealed_message("chain-of-49"), keyring)
    assert arc_judges.dkimpy(message, ZONE) == "pass"


def test_ed25519(keyring: Keyring, ed25519: Keyring) -> None:
    message = sealed(sealed(sealed_message("no-chain"), ed25519), keyring)
    assert verified(message, ZONE).sealers == ("mx.example", "example.com")


def test_without_results_nothing_is_added(keyring: Keyring) -> None:
    for kind in (MessageSigner, Sealer):
        with pytest.raises(Unsignable, match=r"^no ARC-Authentication-Results on top$"):
            with_field(kind(keyring, STYLE), RECEIVED + sealed_message("chain-of-2"))


def test_a_seal_waits_for_the_signature(keyring: Keyring) -> None:
    message = results(3, "pass") + RECEIVED + sealed_message("chain-of-2")
    with pytest.raises(Unsignable, match=r"^no ARC-Message-Signature on top$"):
        with_field(Sealer(keyring, STYLE), message)
    message = with_field(MessageSigner(keyring, STYLE), message)
    with pytest.raises(Unsignable, match=r"^an ARC-Message-Signature is there already$"):
        with_field(MessageSigner(keyring, STYLE), message)
    message = with_field(Sealer(keyring, STYLE), message)
    with pytest.raises(Unsignable, match=r"^a set that is sealed already$"):
        with_field(Sealer(keyring, STYLE), message)


def test_what_smtpd_will_change_is_not_covered(keyring: Keyring) -> None:
    message = results(1, "none") + RECEIVED + b"From: a@example.org\nTo: bob\nBcc: c@example.org\n"
    names = words(field(with_field(MessageSigner(keyring, STYLE), message), b"ARC-M.*")[b"h"])
    assert names == [b"from"]
    for author in (b"", b"From: alice\n"):
        with pytest.raises(Unsignable):
            with_field(MessageSigner(keyring, STYLE), results(1, "none") + RECEIVED + author)


def test_the_first_key_signs_whoever_the_author_is(keyring: Keyring, ed25519: Keyring) -> None:
    other = [each._replace(domain="example.org") for each in ed25519]
    both = Keyring([*keyring, *other])
    message = sealed(sealed_message("no-chain"), both)
    assert field(message, b"ARC-Seal")[b"d"] == b"mx.example"
    assert field(message, b"ARC-Message-Signature")[b"d"] == b"mx.example"
    assert message.count(b"ARC-Message-Signature:") == 1
