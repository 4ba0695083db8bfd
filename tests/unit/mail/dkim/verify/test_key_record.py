"""Key records, and the choice among several."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.verify.key_record import ChosenKeys, PublicKey, choose
from unit.support.perm_error import any_perm_error, perm_error

RAW = bytes(range(32))
ED = "p=" + b64encode(RAW).decode()


def test_a_record_that_says_no_more_than_its_key() -> None:
    assert choose(["p=AA EC"], "rsa") == PublicKey("rsa", b"\0\1\2", testing=False, strict=False)


def test_a_record_that_says_all() -> None:
    text = "v=DKIM1; g=; h=sha1 : sha256; k=ed25519; n=käse; t=y:x : s; s=a:email; zz=; "
    assert choose([text + ED], "ed25519") == PublicKey("ed25519", RAW, testing=True, strict=True)


def test_any_service() -> None:
    assert choose(["s=*; p=AAEC"], "rsa").data == b"\0\1\2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the key record: p= missing"),
        ("v=spf1 -all", "the key record is not of version DKIM1"),
        ("k=rsa; v=DKIM1; p=AAEC", "the key record is not of version DKIM1"),
        ("v=DKIM2; p=AAEC", "the key record is not of version DKIM1"),
        ("v=dkim1; p=AAEC", "the key record is not of version DKIM1"),
        ("v=; p=AAEC", "the key record is not of version DKIM1"),
        ("v=DKIM1; p=", "the key is revoked"),
        ("v=DKIM1; k=dsa; p= ", "the key is revoked"),
        ("v=DKIM1; k=rsa", "the key record: p= missing"),
        ("p=AAEC; p=AAEC", "p= twice"),
        ("p=!", "the key record: p= is no base64"),
        ("k=dsa; p=AAEC", "the key is for another algorithm"),
        ("k=ed25519; p=AAEC", "the key is for another algorithm"),
        ("h=sha1; p=AAEC", "the key is not for sha256"),
        ("h=; p=AAEC", "the key is not for sha256"),
        ("s=tlsrpt; p=AAEC", "the key is not for mail"),
        ("p=\0", "not a list of tags"),
    ],
)
def test_records_without_a_key(text: str, reason: str) -> None:
    with perm_error(reason):
        choose([text], "rsa")


def test_a_key_of_ed25519_has_32_octets() -> None:
    with perm_error("the key is not of the length of an Ed25519 key"):
        choose(["k=ed25519; p=AAEC"], "ed25519")


def test_the_first_that_fits_of_several() -> None:
    records = ["v=spf1 -all", "p=", f"k=ed25519; {ED}", "p=AAEC", "p=AAED"]
    assert choose(records, "rsa").data == b"\0\1\2"
    assert choose(records, "ed25519").data == RAW
    with perm_error("the key is revoked"):
        choose(["p=", "v=spf1 -all"], "rsa")
    with perm_error("no key"):
        choose([], "rsa")


@given(st.text(st.characters(max_codepoint=255)) | st.text("vkhspt=;y*: DKIM1A", max_size=30))
def test_no_record_raises_anything_else(text: str) -> None:
    for kind in ("rsa", "ed25519"):
        with any_perm_error():
            assert choose([text], kind).kind == kind


def test_of_thousands_of_records_ten_are_read() -> None:
    read = []

    def records(good: int) -> Iterator[str]:
        for at in range(5000):
            read.append(at)
            yield "p=AAEC" if at == good else "p="

    assert choose(records(9), "rsa").data == b"\0\1\2"
    read.clear()
    with perm_error("the key is revoked"):
        choose(records(10), "rsa")
    assert read == list(range(10))


def test_the_answer_for_a_name_is_read_once_for_each_kind() -> None:
    keys = ChosenKeys()
    for _ in range(2):
        assert keys.choose("a.example", ["p=AAEC"], "rsa").data == b"\0\1\2"
        with perm_error("the key is for another algorithm"):
            keys.choose("a.example", ["p=AAEC"], "ed25519")
    never_read: Iterator[str] = iter(["p=AAED"])
    assert keys.choose("a.example", never_read, "rsa").data == b"\0\1\2"
    assert list(never_read) == ["p=AAED"]
    assert keys.choose("b.example", ["p=AAED"], "rsa").data == b"\0\1\3"
