"""Forms of addresses, domains and replies; a real smtpd was asked for each of the first two."""

import pytest

from opensmtpd.testing.model.registry import RELEASES
from opensmtpd.testing.model.syntax import (
    Mailaddr,
    host_name,
    mailaddr,
    parameters,
    valid_domain,
    valid_local_part,
    valid_refusal,
)

NEW = RELEASES["7.9.0"]
NOBODY = Mailaddr(b"", b"")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"<bob@remote.example>", Mailaddr(b"bob", b"remote.example")),
        (b"<bob@remote.example> SIZE=10", Mailaddr(b"bob", b"remote.example")),
        (b"<bob@remote.example>SIZE=10", Mailaddr(b"bob", b"remote.example")),
        (b"<bob+tag@[192.0.2.1]>", Mailaddr(b"bob+tag", b"[192.0.2.1]")),
        (b"<bob>", Mailaddr(b"bob", b"")),
        (b"<bob@>", Mailaddr(b"bob", b"")),
        (b"<@a.example,@b.example:bob@c.example>", Mailaddr(b"bob", b"c.example")),
        (b"<:bob@c>", Mailaddr(b"bob", b"c")),
        (b"<a:b:c@d>", None),
        (b"<%s@c>" % (b"a" * 255), Mailaddr(b"a" * 255, b"c")),
        (b"<%s@c>" % (b"a" * 256), None),
        (b"<x:%s@c>" % (b"a" * 254), None),
        (b"<a@%scc>" % (b"b." * 126), None),
        (b"<\xfc@remote.example>", None),
        (b"<bob@\xfc.example>", None),
        (b"<>", None),
        (b"<@>", None),
        (b"<x:>", None),
        (b"bob@remote.example", None),
        (b" <bob@remote.example>", None),
        (b"<bob@remote.example", None),
        (b"<<bob@remote.example>>", None),
        (b"<bob @remote.example>", None),
        (b"<bob@remote.example >", None),
        (b"<a@b@c>", None),
        (b'<"bob"@remote.example>', None),
        (b"<bob@-remote.example>", None),
        (b"<bob@remote..example>", None),
        (b"<@remote.example>", None),
        (b"", None),
    ],
)
def test_addresses(argument: bytes, expected: Mailaddr | None) -> None:
    assert mailaddr(argument, NEW, sender=False) == expected
    if argument not in (b"<>", b"<@>", b"<x:>"):
        assert mailaddr(argument, NEW, sender=True) == expected


@pytest.mark.parametrize("argument", [b"<>", b"<@>", b"<:>", b"<x:>", b"<@a:>", b"<:@>"])
def test_the_null_sender(argument: bytes) -> None:
    wanted = None if argument == b"<@a:>" else NOBODY  # of which "a:" is the domain
    assert mailaddr(argument, NEW, sender=True) == wanted


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (b"a", True),
        (b"a.b", True),
        (b"-_+9", True),
        (b".a", False),
        (b"a.", False),
        (b"a..b", False),
        (b".", False),
        (b"", False),
        (b"a\\b", False),
        (b"a\xc3\xbc", False),
        (b"a\x7f", False),
    ],
)
def test_local_parts(text: bytes, valid: bool) -> None:
    assert valid_local_part(text, NEW) == valid


def test_characters_of_local_parts() -> None:
    def taken(version: str) -> bytes:
        release = RELEASES[version]
        return bytes(n for n in range(256) if valid_local_part(b"%c" % n, release))

    alphanumeric = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    assert taken("7.9.0") == bytes(sorted(b"!#%&'*+-/=?^~" + alphanumeric))
    assert taken("7.6.0") == bytes(sorted(b"!#$%&'*+-/=?^`{|}~" + alphanumeric))
    assert taken("6.8.0") == taken("7.6.0")


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        (b"mx.example.org", True),
        (b"MX", True),
        (b"a_b.example", True),
        (b"_a.b_", True),
        (b"a-", True),
        (b"a-.-b", True),
        (b"-a", False),
        (b"192.0.2.1", True),
        (b"mx.example.", False),
        (b".a", False),
        (b"a..b", False),
        (b"a|b", False),
        (b"a b", False),
        (b"a\n", False),
        (b"b\xc3\xbccher.example", False),
        (b"", False),
        (b"x" * 63, True),
        (b"x" * 64, False),
        (b"x." * 126 + b"x", True),
        (b"x." * 126 + b"xx", False),
        (b"\\120", True),
        (b"a\\097", True),
        (b"a\\b", True),
        (b"a\\", False),
        (b"a\\09", False),
        (b"a\\300", False),
        (b"a\\046b", False),
        (b"a\\.b", False),
        (b"\\-a", False),
        (b"\\045a", False),
        (b"[192.0.2.1]", True),
        (b"[192.0.2.1", False),
        (b"[192.0.2.1]x", False),
        (b"[192.0.2.1]]", False),
        (b"[192.0.2.01]", False),
        (b"[192.0.2]", False),
        (b"[IPv6:2001:db8::1]", True),
        (b"[IPV6:::1]", True),
        (b"[ipv6:::1]", True),
        (b"[2001:db8::1]", True),
        (b"[IPv6:192.0.2.1]", True),
        (b"[::ffff:192.0.2.1]", True),
        (b"[fe80::1%eth0]", False),
        (b"[mx.example]", False),
        (b"[\xfc]", False),
        (b"[]", False),
        (b"[", False),
    ],
)
def test_domains(name: bytes, valid: bool) -> None:
    assert valid_domain(name) == valid


def test_an_escaped_nul_is_no_character_of_a_name() -> None:
    assert not host_name(b"a\\000b")
    assert not valid_domain(b"[\0]")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"<a@b>", []),
        (b"<a@b>  SIZE=1  BODY=7BIT ", [b"SIZE=1", b"BODY=7BIT"]),
        (b"<a@b>SIZE=1", [b"SIZE=1"]),
        (b"<a@b>\tSIZE=1", [b"\tSIZE=1"]),
        (b"<a@b>>", [b">"]),
    ],
)
def test_parameters(argument: bytes, expected: list[bytes]) -> None:
    assert parameters(argument) == expected


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (b"550 no", True),
        (b"421 x", True),
        (b"550 ", False),
        (b"550", False),
        (b"550-no", False),
        (b"250 fine", False),
        (b"5x0 no", False),
        (b"", False),
    ],
)
def test_refusals(text: bytes, valid: bool) -> None:
    assert valid_refusal(text) == valid
