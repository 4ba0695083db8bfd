"""What seals cover."""

from hashlib import sha256

from opensmtpd.mail.arc.chain import find_chain
from opensmtpd.mail.arc.covered import lines, seal_digests
from opensmtpd.mail.dkim.verify.signed_data import Fields

HEADER = b"""
ARC-Seal: i=2; cv=pass; b=QUJD
 REVG; d=b.example
ARC-Message-Signature:  i=2;\tb=MQ==
ARC-Authentication-Results: i=2; b.example; none
arc-seal : i=1; cv=none; b = QQ==
ARC-Message-Signature: i=1; b=MA==\x20
ARC-Authentication-Results: i=1;
 a.example; none"""


def test_all_sets_in_order_and_the_last_seal_without_its_signature() -> None:
    chain = find_chain(Fields(HEADER))
    assert chain is not None
    first = (
        b"arc-authentication-results:i=1; a.example; none\r\narc-message-signature:i=1; b=MA==\r\n"
    )
    second = (
        b"arc-seal:i=1; cv=none; b = QQ==\r\n"
        b"arc-authentication-results:i=2; b.example; none\r\n"
        b"arc-message-signature:i=2; b=MQ==\r\n"
    )
    assert seal_digests(chain.sets) == [
        sha256(first + b"arc-seal:i=1; cv=none; b =").digest(),
        sha256(first + second + b"arc-seal:i=2; cv=pass; b=; d=b.example").digest(),
    ]


def test_lines() -> None:
    assert lines((b"A", b"", b" x\n\ty "), (b"B", b" ", b"")) == b"a:x y\r\nb:\r\n"
    assert lines() == b""
