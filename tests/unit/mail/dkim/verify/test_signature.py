"""The tags of a signature, judged."""

import pytest

from opensmtpd.mail.dkim.verify.signature import Signature, dns_name, identity_domain
from opensmtpd.mail.dkim.verify.tags import tag_list
from unit.support.perm_error import perm_error

GOOD = {
    b"v": b"1",
    b"a": b"rsa-sha256",
    b"d": b"Example.com",
    b"s": b"Mail",
    b"h": b"From : to:\n\tTO",
    b"bh": b"AAEC",
    b"b": b"AA EC",
}


def judged(**changes: str | None) -> Signature:
    """Judge the tags above with changes; None takes one away."""
    tags = dict(GOOD)
    for name, value in changes.items():
        tags.pop(name.encode(), None)
        if value is not None:
            tags[name.encode()] = value.encode()
    return Signature.of_dkim(tags)


def test_all_that_it_says() -> None:
    assert judged() == Signature(
        algorithm="rsa-sha256",
        domain="example.com",
        selector="mail",
        header="simple",
        body="simple",
        length=None,
        body_hash=b"\0\1\2",
        value=b"\0\1\2",
        names=(b"from", b"to", b"to"),
        expires=None,
        strict=True,
    )
    assert judged().key_name == "mail._domainkey.example.com"
    assert judged().kind == "rsa"
    assert judged(a="ed25519-sha256").kind == "ed25519"


def test_optional_tags() -> None:
    found = judged(c="relaxed/relaxed", l="0", t="1", x="2", q="x/y : dns/txt", z="|!", zz="")
    assert (found.header, found.body, found.length, found.expires) == ("relaxed", "relaxed", 0, 2)
    assert judged(c="relaxed")[3:5] == ("relaxed", "simple")
    assert judged(c="simple/relaxed")[3:5] == ("simple", "relaxed")
    assert judged(l="9" * 76).length == int("9" * 76)
    assert judged(i="@example.COM").strict
    assert not judged(i="alice@mail.example.com").strict
    assert judged(x="999999999999").expires == 999999999999


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({name: None}, f"{name}= missing") for name in ("v", "a", "b", "bh", "d", "h", "s")],
        *[({name: ""}, f"{name}= empty") for name in ("v", "a", "b", "bh", "d", "h", "s")],
        ({"v": "2"}, "v= is not 1"),
        ({"v": "1.0"}, "v= is not 1"),
        ({"a": "rsa-sha1"}, "rsa-sha1 must not be used"),
        ({"a": "rsa-sha512"}, "a= is an unknown algorithm"),
        ({"a": "RSA-SHA256"}, "a= is an unknown algorithm"),
        ({"b": "!"}, "b= is no base64"),
        ({"bh": "A"}, "bh= is no base64"),
        *[
            ({"c": value}, "c= is an unknown canonicalization")
            for value in ("", "nowsp", "relaxed/", "/relaxed", "simple/simple/simple", "Relaxed")
        ],
        *[
            ({"d": value}, "d= is no name in the DNS")
            for value in (".", "a..b", "a.b.", "-a.b", "a-.b", "a b!.c", "a.b@c", "a" * 64 + ".b")
        ],
        ({"d": "com"}, "d= is a top-level domain"),
        ({"s": "a..b"}, "s= is no name in the DNS"),
        ({"s": "a." * 2500 + "a"}, "s= is no name in the DNS"),
        ({"s": "a." * 120 + "a"}, "no name in the DNS is so long as that of the key"),
        ({"h": "to"}, "h= without From"),
        ({"h": "from::to"}, "h= is no list of field names"),
        ({"h": "from:a b"}, "h= is no list of field names"),
        ({"h": "from:"}, "h= is no list of field names"),
        ({"i": "alice"}, "i= has no domain"),
        ({"i": "@"}, "i= has no domain"),
        ({"i": ""}, "i= has no domain"),
        ({"i": "@example.org"}, "i= is not below d="),
        ({"i": "@badexample.com"}, "i= is not below d="),
        ({"i": "@com"}, "i= is not below d="),
        ({"l": "1" * 77}, "l= is no number of at most 76 digits"),
        ({"l": "-1"}, "l= is no number of at most 76 digits"),
        ({"q": "dns/mx"}, "q= knows no dns/txt"),
        ({"t": "soon"}, "t= is no number of at most 12 digits"),
        ({"x": "1" * 13}, "x= is no number of at most 12 digits"),
        ({"t": "2", "x": "1"}, "x= is not after t="),
        ({"t": "2", "x": "2"}, "x= is not after t="),
    ],
)  # fmt: skip
def test_what_nobody_can_verify(changes: dict[str, str | None], reason: str) -> None:
    with perm_error(reason):
        judged(**changes)


def test_a_signature_of_arc_needs_neither_version_nor_from() -> None:
    tags = {**GOOD, b"i": b"1", b"h": b"to"}
    del tags[b"v"]
    assert Signature.of(tags).names == (b"to",)


def test_a_seal_of_arc_signs_no_body() -> None:
    found = Signature.of_seal({name: GOOD[name] for name in (b"a", b"b", b"d", b"s")})
    assert (found.domain, found.value, found.header) == ("example.com", b"\0\1\2", "relaxed")
    assert (found.names, found.body_hash) == ((), b"")
    with perm_error("t= is no number of at most 12 digits"):
        Signature.of_seal({**GOOD, b"t": b""})


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        (b"@EXAMPLE.com", "example.com"),
        (b"alice@mail.example.com", "mail.example.com"),
        (b'"a@b"@example.com', "example.com"),
        (b"al=69ce=40mail@e=78ample.com", "example.com"),
        (b"alice\n\t@example.com", "example.com"),
        ("ж@bücher.example".encode(), "xn--bcher-kva.example"),
    ],
)
def test_the_domain_of_an_identity(value: bytes, domain: str) -> None:
    assert identity_domain({b"i": value}) == domain


def test_names() -> None:
    assert dns_name(b"A_b.Example.COM") == "a_b.example.com"
    assert dns_name("bücher.example".encode()) == "xn--bcher-kva.example"
    assert dns_name(b"xn--bcher-kva.example") == "xn--bcher-kva.example"
    for name in (b"", b"\xff.example", b"a b", b"a/b", b"a.example.", b"a." * 126 + b"ab"):
        assert dns_name(name) is None


def test_a_field_of_rfc_6376() -> None:
    tags = tag_list(
        b" v=1; a=rsa-sha256; d=example.net; s=brisbane;\n"
        b"   c=simple; q=dns/txt; i=@eng.example.net;\n"
        b"   t=1117574938; x=1118006938;\n"
        b"   h=from:to:subject:date;\n"
        b"   z=From:foo@eng.example.net|To:joe@example.com|\n"
        b"     Subject:demo=20run|Date:July=205,=202005=203:44:08=20PM=20-0700;\n"
        b"   bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=;\n"
        b"   b=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZ\n"
        b"     VoG4ZHRNiYzR"
    )
    found = Signature.of_dkim(tags)
    assert found.body_hash == b"12345678901234567890123456789012"
    assert found.names == (b"from", b"to", b"subject", b"date")
    assert found.expires == 1118006938
