"""Keys and their records: each fault that a record can have, by its name."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply, run_lookup
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import pem as pem_keys
from opensmtpd.mail.dkim.keys.key import ED25519, Key
from opensmtpd.testing import Zone
from opensmtpd_cli.dnsrecords.published_key import (
    KeyState,
    KeyVerdict,
    published_key,
    weakness,
)
from unit.support.dkim_key_files import RSA, pem
from unit.support.dkim_material import ED25519_PEM, ED25519_PUBLIC, RSA_PEM, RSA_PUBLIC

KEY = pem_keys.key("key", pem(RSA))
OTHER = pem_keys.key("key", RSA_PEM.encode())
ED = pem_keys.key("key", ED25519_PEM.encode())
NAME = "mail._domainkey.example.com"
P = b64encode(KEY.public).decode()
GOOD = f"v=DKIM1; k=rsa; p={P}"
PUBLISH = f'publish {NAME}. IN TXT "{GOOD[:255]}" "{GOOD[255:]}"'


def verdict(*texts: str, key: Key = KEY, others: Mapping[str, str] | None = None) -> KeyVerdict:
    """Return the verdict on a key where its name has these TXT records."""
    zone: dict[Question, Reply] = {
        Question(name, RecordType.TXT): Found((text,)) for name, text in (others or {}).items()
    }
    if texts:
        zone[Question(NAME, RecordType.TXT)] = Found(texts)
    found = run_lookup(published_key("Example.COM", "mail", key), Zone(zone), 1.0)
    assert isinstance(found, KeyVerdict)
    return found


def test_the_record_of_a_key_is_equal() -> None:
    assert record.text(KEY.algorithm, KEY.public) == GOOD
    assert verdict(GOOD) == KeyVerdict(NAME, KeyState.EQUAL)
    assert verdict(ED25519_PUBLIC.decode(), key=ED) == KeyVerdict(NAME, KeyState.EQUAL)
    assert verdict(RSA_PUBLIC.decode(), key=OTHER) == KeyVerdict(NAME, KeyState.EQUAL)


@pytest.mark.parametrize(
    "text",
    [
        f"p={P}",
        f"v=DKIM1;p={P[:50]} {P[50:]};",
        f"v=DKIM1; k=rsa; h=sha1:sha256; s=email; t=s; n=note; p={P}",
        f"v=DKIM1; p={P.rstrip('=')}",
        "v=DKIM1; p="
        + b64encode(RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode(),
    ],
)
def test_other_forms_of_it_are_equal(text: str) -> None:
    assert verdict(text) == KeyVerdict(NAME, KeyState.EQUAL)


def test_a_domain_that_tests() -> None:
    assert verdict(f"v=DKIM1; t=s:y; p={P}") == KeyVerdict(NAME, KeyState.EQUAL, testing=True)


IN_PLACE = f"{PUBLISH} in its place"


@pytest.mark.parametrize(
    ("texts", "state", "fault", "remedy"),
    [
        (
            [RSA_PUBLIC.decode()],
            KeyState.DIFFERENT,
            "the record has another key",
            f"{IN_PLACE}, or sign with the key that is published",
        ),
        (
            ["v=DKIM1; p="],
            KeyState.REVOKED,
            "the record says that the key is revoked (p= empty)",
            "sign with a new key: opensmtpd-plugins genkey",
        ),
        (
            [ED25519_PUBLIC.decode()],
            KeyState.UNUSABLE,
            "the record cannot be used: the key is for another algorithm",
            IN_PLACE,
        ),
        (
            [f"v=DKIM1; h=sha1; p={P}"],
            KeyState.UNUSABLE,
            "the record cannot be used: the key is not for sha256",
            IN_PLACE,
        ),
        (
            [f"v=DKIM1; s=tlsrpt; p={P}"],
            KeyState.UNUSABLE,
            "the record cannot be used: the key is not for mail",
            IN_PLACE,
        ),
        (
            [f"k=rsa; v=DKIM1; p={P}"],
            KeyState.UNUSABLE,
            "the record cannot be used: the key record is not of version DKIM1",
            IN_PLACE,
        ),
        (
            [f'"v=DKIM1; k=rsa; p={P[:99]}" "{P[99:]}"'],
            KeyState.UNUSABLE,
            "the record cannot be used: there are quotation marks in it, which no form wants",
            IN_PLACE,
        ),
        (
            [f"v=DKIM1\\; k=rsa\\; p={P}"],
            KeyState.UNUSABLE,
            "the record cannot be used: there are backslashes in it, which belong into no form",
            IN_PLACE,
        ),
        (
            ["v=spf1 -all"],
            KeyState.UNUSABLE,
            "the record cannot be used: it is a text of another kind, perhaps that of a wildcard",
            IN_PLACE,
        ),
        ([""], KeyState.UNUSABLE, "the record cannot be used: it is empty", IN_PLACE),
        (
            [GOOD[:255]],
            KeyState.UNUSABLE,
            "the record has 237 of the key's 392 characters: it is cut off",
            IN_PLACE,
        ),
        (
            [GOOD[255:], GOOD[:255]],
            KeyState.SEVERAL,
            "the record is split into 2 records, where its strings belong into one",
            f"{PUBLISH} as the only record of this name",
        ),
        (
            [RSA_PUBLIC.decode(), GOOD],
            KeyState.SEVERAL,
            "2 records, of which one is the key: each verifier takes the one it likes",
            f"{PUBLISH} as the only record of this name",
        ),
        (
            [RSA_PUBLIC.decode(), "v=DKIM1; p="],
            KeyState.DIFFERENT,
            "2 records, none with the key; the record has another key",
            f"{IN_PLACE}, or sign with the key that is published",
        ),
    ],
)
def test_faults(texts: list[str], state: KeyState, fault: str, remedy: str) -> None:
    assert verdict(*texts) == KeyVerdict(NAME, state, fault, remedy)


def test_a_key_that_is_not_published() -> None:
    assert verdict() == KeyVerdict(NAME, KeyState.UNPUBLISHED, "not published", PUBLISH)


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (f"{NAME}.example.com", "the form adds the domain itself"),
        ("mail.example.com", "._domainkey is missing"),
    ],
)
def test_a_key_that_is_published_elsewhere(where: str, why: str) -> None:
    found = verdict(others={where: GOOD})
    assert found.fault == f"not published, but at {where}: {why}"
    assert found.state is KeyState.UNPUBLISHED
    assert verdict(others={where: RSA_PUBLIC.decode()}).fault == "not published"


def test_what_the_dns_does_not_tell_is_no_fault() -> None:
    zone = Zone({Question(NAME, RecordType.TXT): Failed("timed out")})
    assert run_lookup(published_key("example.com", "mail", KEY), zone, 1.0) == KeyVerdict(
        NAME, KeyState.UNKNOWN, "the DNS did not tell: timed out", "try again later"
    )


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=80), min_size=1, max_size=6))
def test_no_text_is_equal_by_chance_and_none_fails(texts: list[str]) -> None:
    assert verdict(*texts).state is not KeyState.EQUAL


def test_what_is_weak(tmp_path: Path) -> None:
    assert weakness(KEY) == weakness(ED) == ""
    assert weakness(OTHER) == "an RSA key of 1024 bits, fewer than 2048"


def test_the_public_halves() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = pem_keys.key("key", pem(private))
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert (key.algorithm, key.public) == (ED25519, raw)
    other = rsa.generate_private_key(65537, 1024)
    der = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert pem_keys.key("key", pem(other)).public == der
